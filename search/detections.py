"""Trends and events as every kind of index stores them, and as it may show them. Pure: knows no store.

::

    TrendState, DetectedEvent ─▶ stored_json ─▶ the store ─▶ shown, given the posts that may be seen ─▶ the answer

What is stored names posts by id alone and is not touched when one of them is deleted, erased or hidden. An answer
leaves out what may not be seen when it is given: so a deletion wins in whatever order things come, an account that is
shown again brings its evidence back, and neither costs a search for the events that a post is evidence of. Keeps
invariant 4 for trends and events.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from search.documents import with_zone
from search.limits import MAX_MOMENT
from search.terms import hash_key
from tagstream.codec import describe
from tagstream.detections import DetectedEvent, EvidencePost, TrendState
from tagstream.errors import CorruptState
from tagstream.posts import to_epoch_milliseconds

# Hashes of words, authors and posts, of which there are many, and which no deletion would reach.
_NOT_STORED: Any = {"evidence": {"__all__": {"shingles", "trending"}}, "new_authors": True, "new_posts": True}

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


def stored_json(detection: TrendState | DetectedEvent) -> str:
    """Returns the trend or event as every index stores it: without what only the detectors need."""
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
    """Returns the ids of the posts that these trends or events name."""
    found = {post.post_id for detection in detections for post in detection.evidence}
    typical = {one.typical for one in detections if isinstance(one, DetectedEvent) and one.typical is not None}
    return found | typical


def shown(detections: Sequence[D], visible: Collection[str]) -> list[D]:
    """Returns the trends or events with the evidence that may be seen, those that no post is left of left out.

    Args:
        detections: trends or events as they are stored.
        visible: the ids, of those in `evidence_of`, of the posts that may be seen.
    """
    found = (_shown(detection, visible) for detection in detections)
    return [one for one in found if one is not None]


def _shown(detection: D, visible: Collection[str]) -> D | None:
    left = tuple(post for post in detection.evidence if post.post_id in visible)
    removed = len(detection.evidence) - len(left)
    changed: dict[str, Any] = {}
    if isinstance(detection, DetectedEvent) and detection.typical is not None and detection.typical not in visible:
        changed["typical"] = None
    if removed:
        posts = max(detection.posts - removed, len(left))
        authors = min(posts, max(detection.authors - _authors_gone(detection.evidence, left), _authors(left)))
        if not posts:
            return None
        changed |= {"evidence": left, "posts": posts, "authors": authors}
        if isinstance(detection, DetectedEvent):
            bounded = [
                one.model_copy(update={"posts": min(one.posts, posts), "authors": min(one.authors, authors)})
                for one in detection.subjects
            ]
            changed["subjects"] = tuple(bounded)
        else:
            companions = [one.model_copy(update={"posts": min(one.posts, posts)}) for one in detection.companions]
            changed["companions"] = tuple(companions)
    return detection.model_copy(update=changed) if changed else detection


def _authors_gone(before: Sequence[EvidencePost], left: Sequence[EvidencePost]) -> int:
    """Returns how many authors have evidence before and none left; a post without author is its own."""
    return _authors(before) - _authors(left)


def _authors(evidence: Sequence[EvidencePost]) -> int:
    named = {post.author for post in evidence if post.author is not None}
    return len(named) + sum(post.author is None for post in evidence)
