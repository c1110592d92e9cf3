"""The contract of a trend, made of the posts of its window."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import cast

from search.events.minutes import to_minute
from search.events.support import Support
from search.events.window import SubjectKey, WindowPost
from search.terms import hash_key
from tagstream.detections import (
    MAX_EVIDENCE,
    MAX_NEW,
    Companion,
    EvidencePost,
    SubjectType,
    TrendState,
)

MAX_COMPANIONS = 24
COUNTED = 300
"""The newest posts whose subjects are counted: enough to tell a companion, bounded in a fast feed."""
EARLIEST = 6
"""The pieces of evidence that are the first; the others are those with most of what trends."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A subject that trends at the end of a minute; `known_until` is the last minute that was told before."""

    subject: SubjectKey
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
        """Returns the keys of the trending subjects that the post mentions."""
        known = self._keys.get(post.post_id)
        if known is None:
            trending = self._trending
            known = self._keys[post.post_id] = tuple(sorted({one[1] for one in post.subjects if one in trending}))
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
    kind, key = finding.subject
    support = finding.support
    new = [post for post in support.distinct if post.minute > finding.known_until]
    return TrendState(
        type=cast(SubjectType, kind),
        key=key,
        text=_commonest_text(finding.subject, support.distinct[-COUNTED:]),
        minute=to_minute(finding.minute),
        started_at=to_minute(finding.started),
        window_minutes=finding.minutes,
        authors=support.authors,
        posts=len(support.posts),
        expected=round(finding.mean, 3),
        score=round(finding.score, 3),
        companions=_companions(finding.subject, support.distinct[-COUNTED:]),
        evidence=_evidence(support.distinct, finding.started, found),
        new_authors=_smallest(post.author for post in new),
        new_posts=_smallest(hash_key("post", post.post_id) for post in new),
    )


def _smallest(numbers: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(set(numbers))[:MAX_NEW])


def _commonest_text(subject: SubjectKey, posts: Sequence[WindowPost]) -> str:
    texts = Counter(post.texts[post.subjects.index(subject)] for post in posts)
    return min(texts, key=lambda text: (-texts[text], text))


def _companions(subject: SubjectKey, posts: Sequence[WindowPost]) -> tuple[Companion, ...]:
    """Returns the subjects that several posts mention with the subject, most posts first, spelt as the newest do."""
    counts = Counter(chain.from_iterable(post.subjects for post in posts))
    del counts[subject]
    ranked = sorted((-count, other) for other, count in counts.items() if count > 1)[:MAX_COMPANIONS]
    spellings: dict[SubjectKey, str] = {}
    for post in posts:
        spellings.update(zip(post.subjects, post.texts, strict=True))
    return tuple(
        Companion(type=cast(SubjectType, other[0]), key=other[1], text=spellings[other], posts=-count)
        for count, other in ranked
    )


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
