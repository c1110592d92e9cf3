"""Trends and events as every kind of index stores them, and as it may show them. Pure: knows no store.

::

    TrendState, DetectedEvent ─▶ storable ─▶ the store ─▶ shown, given the posts that may be seen ─▶ the answer
                                                  └─▶ remaining, given those that are there ─▶ backups, `compact`

**No name without a post.** What is stored names subjects that its posts mention, and no others, and says which post
mentions which. The posts of a trend are its evidence; those of an event also its reserve, which takes the place of
evidence that may not be seen, and which no answer tells. So whoever knows which posts are left knows which names are
left: an answer leaves out what may not be seen when it is given, and a trend or an event that no evidence is left of is
told nowhere. A deletion wins in whatever order things come, an account that is shown again brings its evidence back,
and neither costs a search for the events that a post is evidence of. Keeps invariant 4 for trends and events.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from search.documents import with_zone
from search.events.leading_names import names_of
from search.events.same_letters import letters_of
from search.limits import MAX_MOMENT
from search.terms import hash_key
from tagstream.codec import describe
from tagstream.detections import DetectedEvent, EvidencePost, TrendState
from tagstream.errors import CorruptState
from tagstream.posts import to_epoch_milliseconds

# Hashes of words, authors and posts, of which there are many, and which no deletion would reach.
_NOT_STORED: Any = {
    "evidence": {"__all__": {"shingles"}},
    "reserve": {"__all__": {"shingles"}},
    "new_authors": True,
    "new_posts": True,
}

D = TypeVar("D", TrendState, DetectedEvent)


def minute_number(minute: datetime) -> int:
    """Returns a minute as the milliseconds since 1970 at its beginning."""
    milliseconds = bounded_milliseconds(minute)
    return milliseconds - milliseconds % 60_000


def bounded_milliseconds(timestamp: datetime) -> int:
    """Returns the milliseconds since 1970, within what every index can store."""
    return min(max(to_epoch_milliseconds(with_zone(timestamp)), 0), MAX_MOMENT)


def subject_hash(trend: TrendState) -> int:
    """Returns the number that stands for the subject of a trend."""
    return hash_key(trend.type, trend.key)


def storable(detections: Iterable[D]) -> list[D]:
    """Returns the trends and events as they are to be stored: with those names alone that their evidence mentions.

    A trend without evidence is left out; an event without evidence says when it ended, and names nothing.
    """
    found = (_supported(detection) if detection.evidence else _withdrawn(detection) for detection in detections)
    return [one for one in found if one is not None]


def stored_json(detection: TrendState | DetectedEvent) -> str:
    """Returns a storable trend or event as every index stores it: without what only the detectors need."""
    return detection.model_dump_json(exclude=_NOT_STORED, exclude_none=True)


def read_trend(document: str | bytes) -> TrendState:
    """Returns the trend that a stored document holds.

    Raises:
        CorruptState: the document is no trend.
    """
    return _read(TrendState, document)


def read_event(document: str | bytes) -> DetectedEvent:
    """Returns the event that a stored document holds.

    Raises:
        CorruptState: the document is no event.
    """
    return _read(DetectedEvent, document)


def _read(contract: type[D], document: str | bytes) -> D:
    try:
        return contract.model_validate_json(document)
    except ValidationError as error:
        raise CorruptState(
            f"A stored trend or event cannot be read: {describe(error)}. Make them anew: tagstream events --rebuild."
        ) from error


def evidence_of(detections: Sequence[TrendState | DetectedEvent]) -> set[str]:
    """Returns the ids of the posts that these trends or events name, those of a reserve too."""
    found = {post.post_id for detection in detections for post in _posts(detection)}
    typical = {one.typical for one in detections if isinstance(one, DetectedEvent) and one.typical is not None}
    return found | typical


def shown(detections: Sequence[D], visible: Collection[str]) -> list[D]:
    """Returns the trends or events with the evidence that may be seen, those that none is left of left out.

    Posts of an event's reserve take the place of evidence that may not be seen; the reserve is not told.

    Args:
        detections: trends or events as they are stored.
        visible: the ids, of those in `evidence_of`, of the posts that may be seen.
    """
    return [_without_reserve(one) for one in remaining(detections, visible) if one.evidence]


def _without_reserve(detection: D) -> D:
    if not isinstance(detection, DetectedEvent) or not detection.reserve:
        return detection
    return detection.model_copy(update={"reserve": ()})


def remaining(detections: Iterable[D], there: Collection[str]) -> list[D]:
    """Returns what is left of stored trends and events where of their evidence these posts alone are there.

    Counts are lower by what is gone, and names that no evidence mentions any more are gone with it. A trend without
    evidence is left out. An event without evidence names nothing: that it was withdrawn is known by its last state.
    """
    found = (_remaining(detection, there) for detection in detections)
    return [one for one in found if one is not None]


def _remaining(detection: D, there: Collection[str]) -> D | None:
    before = _posts(detection)
    left = tuple(post for post in before if post.post_id in there)
    if not left:
        return _withdrawn(detection)
    changed: dict[str, Any] = {}
    if isinstance(detection, DetectedEvent) and detection.typical is not None and detection.typical not in there:
        changed["typical"] = None
    removed = len(before) - len(left)
    if removed:
        posts = max(detection.posts - removed, len(left))
        authors = min(posts, max(detection.authors - _authors_gone(before, left), _authors(left)))
        changed |= _parted(detection, left) | {"posts": posts, "authors": authors}
    left_of_it = detection.model_copy(update=changed) if changed else detection
    return _supported(left_of_it) if removed else left_of_it


def _posts(detection: TrendState | DetectedEvent) -> tuple[EvidencePost, ...]:
    """Returns the evidence, then what takes its place, the best first."""
    reserve = detection.reserve if isinstance(detection, DetectedEvent) else ()
    return (*detection.evidence, *reserve)


def _parted(detection: TrendState | DetectedEvent, left: Sequence[EvidencePost]) -> dict[str, tuple[EvidencePost, ...]]:
    """Returns what is left of `_posts` as evidence, in order of time and as many as before, and reserve."""
    if not isinstance(detection, DetectedEvent):
        return {"evidence": tuple(left)}
    wanted = len(detection.evidence)
    evidence = sorted(left[:wanted], key=lambda post: (post.minute.timestamp(), post.post_id))
    return {"evidence": tuple(evidence), "reserve": tuple(left[wanted:])}


def _withdrawn(detection: D) -> D | None:
    """Returns what is stored of a trend or event without evidence: of a trend nothing, of an event no name."""
    if not isinstance(detection, DetectedEvent):
        return None
    nothing: dict[str, Any] = dict.fromkeys(("names", "subjects", "evidence", "reserve"), ())
    return detection.model_copy(update=nothing | {"typical": None, "posts": 0, "authors": 0})


def _supported(detection: D) -> D | None:
    """Returns the trend or event with those names alone that its evidence mentions, and counts that fit its own."""
    keys = {key for post in _posts(detection) for key in post.trending}
    mentioned = {letters_of(key) for key in keys}
    posts, authors = detection.posts, detection.authors
    if not isinstance(detection, DetectedEvent):
        companions = tuple(
            one.model_copy(update={"posts": min(one.posts, posts)})
            for one in detection.companions
            if letters_of(one.key) in mentioned
        )
        forms = tuple(one for one in detection.forms if one.key in keys)
        return detection.model_copy(update={"companions": companions, "forms": forms})
    subjects = tuple(
        one.model_copy(update={"posts": min(one.posts, posts), "authors": min(one.authors, authors)})
        for one in detection.subjects
        if letters_of(one.key) in mentioned
    )
    if not subjects:
        return _withdrawn(detection)
    names = detection.names if len(subjects) == len(detection.subjects) else names_of(subjects)
    return detection.model_copy(update={"subjects": subjects, "names": names})


def _authors_gone(before: Sequence[EvidencePost], left: Sequence[EvidencePost]) -> int:
    """Returns how many authors have evidence before and none left; a post without author is its own."""
    return _authors(before) - _authors(left)


def _authors(evidence: Sequence[EvidencePost]) -> int:
    named = {post.author for post in evidence if post.author is not None}
    return len(named) + sum(post.author is None for post in evidence)
