"""The people, places and organisations that the evidence of an event names, beside what makes it an event.

A name that the whole feed mentions does not trend: in a week of posts on Boston, an event there is known by its other
words. So that an event says where and who all the same, the names of the posts that are shown with it are counted. Only
what may be seen is counted, so a deletion, or an edit, takes its names with it.
"""

from collections import Counter
from collections.abc import Collection
from math import ceil

from search.events.same_letters import letters_of
from tagstream.detections import MAX_KEY_LENGTH, DetectedEvent, EventSubject, SubjectType
from tagstream.posts import TaggedPost

LEAST_SHARE = 0.25
LEAST_POSTS = 2
_TYPES: dict[str, SubjectType] = {"PER": "PER", "LOC": "LOC", "ORG": "ORG"}


def names_of_evidence(event: DetectedEvent, posts: Collection[TaggedPost]) -> tuple[EventSubject, ...]:
    """Returns the names that at least a quarter of the posts mention, and at least two, most posts first.

    A key is one name, under the type and the spelling that most posts have; a name of the event itself is left out.

    Args:
        event: the event.
        posts: its evidence that may be seen.
    """
    least = max(LEAST_POSTS, ceil(LEAST_SHARE * len(posts)))
    mentioning: dict[str, list[TaggedPost]] = {}
    forms: dict[str, Counter[tuple[str, str, SubjectType]]] = {}
    for post in posts:
        said = {
            (letters_of(entity.key), entity.key, entity.text, _TYPES[entity.type])
            for entity in post.entities
            if entity.type in _TYPES
        }
        for letters in {letters for letters, *_ in said}:
            mentioning.setdefault(letters, []).append(post)
        for letters, key, text, kind in said:
            forms.setdefault(letters, Counter())[key, text, kind] += 1
    own = {letters_of(subject.key) for subject in event.entities}
    found = [
        _name(forms[letters], naming)
        for letters, naming in mentioning.items()
        if len(naming) >= least and letters not in own
    ]
    return tuple(sorted(found, key=lambda name: (-name.posts, name.key)))


def _name(forms: Counter[tuple[str, str, SubjectType]], posts: Collection[TaggedPost]) -> EventSubject:
    kinds: Counter[SubjectType] = Counter()
    for (_, _, kind), count in forms.items():
        kinds[kind] += count
    kind = min(kinds, key=lambda one: (-kinds[one], one))
    of_kind = [form for form in forms if form[2] == kind]
    key, text, _ = min(of_kind, key=lambda form: (-forms[form], form[1].isupper(), form))
    authors = {(post.source, post.author.id) for post in posts if post.author is not None}
    unsigned = sum(post.author is None for post in posts)
    return EventSubject(
        type=kind,
        key=key[:MAX_KEY_LENGTH],
        text=text[:MAX_KEY_LENGTH],
        posts=len(posts),
        authors=len(authors) + unsigned,
    )
