"""The contract of a trend, made of the posts of its window."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from search.events.minutes import to_minute
from search.events.support import Support
from search.events.window import Mention, SubjectKey, WindowPost
from search.terms import hash_key
from tagstream.detections import (
    MAX_EVIDENCE,
    MAX_FORMS,
    MAX_NEW,
    Companion,
    EvidencePost,
    SubjectForm,
    SubjectType,
    TrendState,
)
from tagstream.posts import ENTITY_TYPES

NAMED = 0.2
"""The share of posts that have a name, rather than a hashtag or a word, from which on the name is told."""
MAX_COMPANIONS = 24
COUNTED = 300
"""The newest posts whose subjects are counted: enough to tell a companion, bounded in a fast feed."""
EARLIEST = 6
"""The pieces of evidence that are the first; the others are those with most of what trends."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A subject that trends at the end of a minute, and the form it is told in.

    `known_until` is the last minute that was told before.
    """

    subject: SubjectKey
    type: SubjectType
    key: str
    minute: int
    minutes: int
    started: int
    mean: float
    score: float
    support: Support
    known_until: int


class MinuteEvidence:
    """The posts of one minute's window as evidence, each made once: it is evidence of several trends."""

    def __init__(self, trending: Collection[SubjectKey]) -> None:
        self._trending = trending
        self._keys: dict[str, tuple[str, ...]] = {}
        self._made: dict[str, EvidencePost] = {}

    def keys(self, post: WindowPost) -> tuple[str, ...]:
        """Returns the keys, as the post has them, of the trending subjects that it mentions."""
        known = self._keys.get(post.post_id)
        if known is None:
            trending = self._trending
            keys = {key for one, (_, key, _) in zip(post.subjects, post.mentions, strict=True) if one in trending}
            known = self._keys[post.post_id] = tuple(sorted(keys))
        return known

    def of(self, post: WindowPost) -> EvidencePost:
        """Returns the contract of the post."""
        known = self._made.get(post.post_id)
        if known is None:
            known = self._made[post.post_id] = EvidencePost(
                post_id=post.post_id,
                author=post.named_author,
                minute=to_minute(post.minute),
                shingles=post.shingles,
                trending=self.keys(post),
            )
        return known


def trend_state(finding: Finding, found: MinuteEvidence) -> TrendState:
    """Returns the contract of a finding."""
    support = finding.support
    counted = support.distinct[-COUNTED:]
    forms = _forms(finding.subject, counted)
    new = [post for post in support.distinct if post.minute > finding.known_until]
    return TrendState(
        type=finding.type,
        key=finding.key,
        text=next((one.text for one in forms if (one.type, one.key) == (finding.type, finding.key)), forms[0].text),
        minute=to_minute(finding.minute),
        started_at=to_minute(finding.started),
        window_minutes=finding.minutes,
        authors=support.authors,
        posts=len(support.posts),
        expected=round(finding.mean, 3),
        score=round(finding.score, 3),
        forms=forms,
        companions=_companions(finding.subject, counted),
        counted=len(counted),
        evidence=_evidence(support.distinct, finding.started, found),
        new_authors=_smallest(post.author for post in new),
        new_posts=_smallest(hash_key("post", post.post_id) for post in new),
    )


def _smallest(numbers: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(set(numbers))[:MAX_NEW])


def form_in(post: WindowPost, subject: SubjectKey) -> tuple[SubjectType, str]:
    """Returns type and key by which the post mentions the subject."""
    kind, key, _ = post.mentions[post.subjects.index(subject)]
    return kind, key


def leading_form(subject: SubjectKey, posts: Iterable[WindowPost]) -> tuple[SubjectType, str]:
    """Returns type and key by which to tell the subject: of a name, if enough posts have one, else the commonest."""
    forms = Counter(form_in(post, subject) for post in posts)
    names = {form: count for form, count in forms.items() if form[0] in ENTITY_TYPES}
    told = names if sum(names.values()) >= NAMED * forms.total() else forms
    return min(told, key=lambda form: (-told[form], form))


def _forms(subject: SubjectKey, posts: Sequence[WindowPost]) -> tuple[SubjectForm, ...]:
    """Returns the forms that the posts have, most posts first, each in its commonest spelling."""
    mentions = Counter(post.mentions[post.subjects.index(subject)] for post in posts)
    forms: Counter[tuple[SubjectType, str]] = Counter()
    spellings: dict[tuple[SubjectType, str], str] = {}
    for (kind, key, text), count in sorted(mentions.items(), key=lambda item: (-item[1], item[0])):
        forms[kind, key] += count
        spellings.setdefault((kind, key), text)
    ranked = sorted(forms, key=lambda form: (-forms[form], form))[:MAX_FORMS]
    return tuple(SubjectForm(type=form[0], key=form[1], text=spellings[form], posts=forms[form]) for form in ranked)


def _companions(subject: SubjectKey, posts: Sequence[WindowPost]) -> tuple[Companion, ...]:
    """Returns the subjects that several posts mention with the subject, most posts first, spelt as the newest do."""
    counts = Counter(chain.from_iterable(post.subjects for post in posts))
    del counts[subject]
    ranked = sorted((-count, other) for other, count in counts.items() if count > 1)[:MAX_COMPANIONS]
    newest: dict[SubjectKey, Mention] = {}
    for post in posts:
        newest.update(zip(post.subjects, post.mentions, strict=True))
    found = ((newest[other], -count) for count, other in ranked)
    return tuple(Companion(type=kind, key=key, text=text, posts=count) for (kind, key, text), count in found)


def _evidence(posts: Sequence[WindowPost], started: int, found: MinuteEvidence) -> tuple[EvidencePost, ...]:
    """Returns the earliest posts of the rise and those that mention most of what trends, in order of time."""
    # Where all that came since the rise began are copies of what came before, that is the evidence.
    chosen = [post for post in posts if post.minute >= started][-COUNTED:] or list(posts[-COUNTED:])
    if len(chosen) > MAX_EVIDENCE:
        mentioned = [len(found.keys(post)) for post in chosen]
        first = [index for index, count in enumerate(mentioned) if count > 1][:EARLIEST]
        rest = sorted(set(range(len(chosen))).difference(first), key=lambda index: (-mentioned[index], -index))
        chosen = [chosen[index] for index in sorted(first + rest[: MAX_EVIDENCE - len(first)])]
    return tuple(found.of(post) for post in chosen)
