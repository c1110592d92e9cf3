"""The detector of events: subjects that trend together, followed from minute to minute.

::

    TrendStates of a minute ─▶ graph of co-mentions ─▶ communities ─▶ matched with the events so far ─▶ DetectedEvents

After Fedoryszak, Frederick, Rajaram and Zhong (KDD 2019). What it says of a minute depends on the trends up to it, not
on their order, and an event's id on its leading subject and its first minute alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, Self, cast

from search.events.communities import communities_of
from search.events.minutes import HOUR, to_minute, to_number
from search.events.snapshots import pack, unpack
from search.events.window import SubjectKey
from tagstream.detections import (
    MAX_EVIDENCE,
    DetectedEvent,
    EventSubject,
    EvidencePost,
    SubjectType,
    TrendState,
)

SILENCE = HOUR
"""Minutes without a trend after which an event has ended."""
REVIVAL = 12 * HOUR
"""Minutes within which the same subjects go on as the same event."""
MIN_OVERLAP = 0.3
MAX_SUBJECTS = 32
MAX_NAMES = 3

_KIND, _VERSION = "events", 1


@dataclass(slots=True)
class Member:
    """A subject of an event: spelling, posts and authors at its height, highest score."""

    text: str
    posts: int
    authors: int
    score: float


@dataclass(slots=True)
class FollowedEvent:
    id: str
    detected: int
    started: int
    last: int
    peak: int
    peak_authors: int = 0
    ended: bool = False
    members: dict[SubjectKey, Member] = field(default_factory=dict)
    authors: set[int] = field(default_factory=set)
    evidence: dict[str, EvidencePost] = field(default_factory=dict)
    posts: int = 0
    score: float = 0.0


class EventDetector:
    """Follows events; see the module."""

    def __init__(self) -> None:
        self._events: dict[str, FollowedEvent] = {}

    def close(self, minute: datetime, trends: Sequence[TrendState]) -> list[DetectedEvent]:
        """Takes all trends of a minute, later than every one before, and returns the events that changed."""
        number = to_number(minute)
        changed: dict[str, FollowedEvent] = {}
        for community in communities_of(trends):
            event = self._event_for(community, number)
            _grow(event, community, number)
            changed[event.id] = event
        for event in list(self._events.values()):
            if not event.ended and number - event.last >= SILENCE:
                event.ended = True
                changed[event.id] = event
            elif number - event.last > REVIVAL:
                del self._events[event.id]
        return [_detected(event, number) for _, event in sorted(changed.items())]

    def forget(self, post_ids: Iterable[str]) -> None:
        """Takes deleted posts out of evidence and counts."""
        gone = set(post_ids)
        for event in self._events.values():
            for post_id in gone & event.evidence.keys():
                del event.evidence[post_id]
                event.posts = max(0, event.posts - 1)

    def _event_for(self, community: Sequence[TrendState], minute: int) -> FollowedEvent:
        best, best_overlap = None, MIN_OVERLAP
        for _, event in sorted(self._events.items()):
            shared = sum(trend.score for trend in community if (trend.type, trend.key) in event.members)
            overlap = shared / sum(trend.score for trend in community)
            if overlap > best_overlap:
                best, best_overlap = event, overlap
        if best is not None:
            return best
        leading = community[0]
        started = min(to_number(trend.started_at) for trend in community)
        name = f"{leading.type}\0{leading.key}\0{started}"
        identifier = blake2b(name.encode(), digest_size=8).hexdigest()
        event = FollowedEvent(identifier, detected=minute, started=started, last=minute, peak=minute)
        self._events[identifier] = event
        return event

    def snapshot(self) -> bytes:
        """Returns the state, the same bytes for the same state."""
        return pack(_KIND, _VERSION, [_event_state(event) for _, event in sorted(self._events.items())])

    @classmethod
    def restore(cls, snapshot: bytes) -> Self:
        """Returns the detector of a snapshot.

        Raises:
            CorruptState: the bytes are no snapshot of a detector of events.
        """
        return unpack(_KIND, _VERSION, snapshot, cls._of)

    @classmethod
    def _of(cls, state: Any) -> Self:
        detector = cls()
        detector._events = {event.id: event for event in map(_event_of, state)}
        return detector


def _grow(event: FollowedEvent, community: Sequence[TrendState], minute: int) -> None:
    event.last = minute
    event.ended = False
    for trend in community:
        member = event.members.setdefault((trend.type, trend.key), Member(trend.text, 0, 0, 0.0))
        member.posts = max(member.posts, trend.posts)
        member.authors = max(member.authors, trend.authors)
        member.score = max(member.score, trend.score)
        event.started = min(event.started, to_number(trend.started_at))
        for post in trend.evidence:
            event.authors.add(_author(post))
            if post.post_id not in event.evidence:
                event.posts += 1
                if len(event.evidence) < MAX_EVIDENCE:
                    event.evidence[post.post_id] = post
    ranked = sorted(event.members, key=lambda subject: (-event.members[subject].posts, subject))
    event.members = {subject: event.members[subject] for subject in ranked[:MAX_SUBJECTS]}
    authors = max(trend.authors for trend in community)
    if authors > event.peak_authors:
        event.peak, event.peak_authors = minute, authors
    event.score = max(event.score, *(trend.score for trend in community))


def _author(post: EvidencePost) -> int:
    return post.author if post.author is not None else int.from_bytes(blake2b(post.post_id.encode()).digest()[:7])


def _detected(event: FollowedEvent, minute: int) -> DetectedEvent:
    subjects = tuple(
        EventSubject(type=cast(SubjectType, kind), key=key, text=one.text, posts=one.posts, authors=one.authors)
        for (kind, key), one in event.members.items()
    )
    named = [one for one in subjects if one.type != "WORD"] or list(subjects)
    names = tuple(dict.fromkeys(one.text for one in named))[:MAX_NAMES]
    evidence = tuple(sorted(event.evidence.values(), key=lambda post: (post.minute, post.post_id)))
    return DetectedEvent(
        id=event.id,
        minute=to_minute(minute),
        names=names,
        detected_at=to_minute(event.detected),
        started_at=to_minute(event.started),
        peak_at=to_minute(event.peak),
        ended_at=to_minute(event.last) if event.ended else None,
        subjects=subjects,
        authors=len(event.authors),
        posts=event.posts,
        score=event.score,
        evidence=evidence,
        typical=evidence[0].post_id if evidence else None,
    )


def _event_state(event: FollowedEvent) -> list[Any]:
    return [
        event.id,
        event.detected,
        event.started,
        event.last,
        event.peak,
        event.peak_authors,
        event.ended,
        [[*subject, one.text, one.posts, one.authors, one.score] for subject, one in event.members.items()],
        sorted(event.authors),
        [post.model_dump_json() for _, post in sorted(event.evidence.items())],
        event.posts,
        event.score,
    ]


def _event_of(state: Any) -> FollowedEvent:
    identifier, detected, started, last, peak, peak_authors, ended, members, authors, evidence, posts, score = state
    read = [EvidencePost.model_validate_json(post) for post in evidence]
    return FollowedEvent(
        identifier,
        detected,
        started,
        last,
        peak,
        peak_authors,
        ended,
        {(kind, key): Member(text, count, names, highest) for kind, key, text, count, names, highest in members},
        set(authors),
        {post.post_id: post for post in read},
        posts,
        score,
    )
