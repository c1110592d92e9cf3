"""The detector of events: subjects that trend together, followed from minute to minute.

::

    TrendStates of a minute ─▶ graph of co-mentions ─▶ communities ─▶ matched with the events so far ─▶ DetectedEvents

After Fedoryszak, Frederick, Rajaram and Zhong (KDD 2019). What it says of a minute depends on the trends up to it, not
on their order, and an event's id on its leading subject and its first minute alone.
"""

from collections.abc import Collection, Iterable, Sequence, Set
from datetime import datetime
from typing import Any, Self

from search.events.communities import communities_of
from search.events.following import FollowedEvent, event_id
from search.events.minutes import HOUR, to_number
from search.events.snapshots import pack, unpack
from tagstream.detections import DetectedEvent, TrendState

SILENCE = HOUR
"""Minutes without a trend after which an event has ended."""
REVIVAL = 6 * HOUR
"""Minutes within which the same subjects go on as the same event; another day brings another flood."""
MIN_AFFINITY = 0.5
BIRTH_AUTHORS = 8
"""The authors whom a new event needs, of all its subjects; fewer may join an event, not begin one."""
LONE_SCORE = 12.0
"""The score at which a subject begins an event alone: a single word that chance brings together scores less."""
MAX_EVENTS = 1_000
TOLD_MINUTES = 2 * HOUR
"""Minutes for which a deleted post may still be among the evidence of a trend: a window, and what lags behind."""

MAX_FORGOTTEN = 50_000

_KIND, _VERSION = "events", 2


class EventDetector:
    """Follows events; see the module."""

    def __init__(self) -> None:
        self._events: dict[str, FollowedEvent] = {}
        self._forgotten: dict[str, int] = {}  # post -> newest minute then
        self._minute = 0

    def close(self, minute: datetime, trends: Sequence[TrendState]) -> list[DetectedEvent]:
        """Takes all trends of a minute, later than every one before, and returns the events that changed."""
        number = self._minute = to_number(minute)
        self._forgotten = {post: then for post, then in self._forgotten.items() if number - then <= TOLD_MINUTES}
        trends = [left for trend in trends if (left := without_deleted(trend, self._forgotten)) is not None]
        changed: dict[str, DetectedEvent] = {}
        grown = self._ended(number)
        for community in communities_of(trends):
            matches = self._matches(community)
            event = matches[0] if matches else self._born(community, number)
            if event is None:
                continue
            event.grow(community, number)
            for part in matches[1:]:
                is_new = part not in grown and event not in (None, part) and part.id in self._events
                if is_new and part.is_part_of(community):
                    changed[part.id] = self._merge(part, event, number)
            if event not in grown:
                grown.append(event)
        for event in grown:
            if event.id in self._events:
                changed[event.id] = event.detected_event(number)
        return [changed[event_id] for event_id in sorted(changed)]

    def _matches(self, community: Sequence[TrendState]) -> list[FollowedEvent]:
        """Returns the events that the community belongs to: the best first, then older ones first."""
        found = [
            (event.affinity(community), event)
            for event in self._events.values()
            if not event.ended or event.is_led_by(community)
        ]
        found = [(affinity, event) for affinity, event in found if affinity >= MIN_AFFINITY]
        found.sort(key=lambda item: (item[1].ended, -round(item[0], 6), item[1].detected, item[1].id))
        return [event for _, event in found]

    def _born(self, community: Sequence[TrendState], minute: int) -> FollowedEvent | None:
        leading = community[0]
        if len({post.author or post.post_id for trend in community for post in trend.evidence}) < BIRTH_AUTHORS:
            return None
        if len(community) == 1 and leading.score < LONE_SCORE:
            return None
        rose = min(to_number(trend.started_at) for trend in community)
        # It starts with the first of its posts: one of its words alone may have risen for something else.
        event = FollowedEvent(event_id(leading, rose), detected=minute, started=minute, last=minute, peak=minute)
        return self._events.setdefault(event.id, event)

    def _merge(self, part: FollowedEvent, whole: FollowedEvent, minute: int) -> DetectedEvent:
        """Makes an event part of another one and returns its last state."""
        part.ended = True
        del self._events[part.id]
        whole.absorb(part)
        return part.detected_event(minute, merged_into=whole.id)

    def _ended(self, minute: int) -> list[FollowedEvent]:
        """Returns the events that have ended by this minute, and forgets those that nothing can revive."""
        ended = []
        for event in sorted(self._events.values(), key=lambda event: event.id):
            if not event.ended and minute - event.last >= SILENCE:
                event.ended = True
                ended.append(event)
            elif minute - event.last > REVIVAL:
                del self._events[event.id]
        if len(self._events) > MAX_EVENTS:
            newest = sorted(self._events.values(), key=lambda event: (-event.last, event.id))[:MAX_EVENTS]
            self._events = {event.id: event for event in newest}
        return ended

    def forget(self, post_ids: Iterable[str]) -> None:
        """Takes deleted posts out of evidence and counts, as far as they are evidence, and keeps them out."""
        gone = set(post_ids)
        kept = list((self._forgotten | dict.fromkeys(sorted(gone), self._minute)).items())
        self._forgotten = dict(kept[-MAX_FORGOTTEN:])
        for event in self._events.values():
            event.forget(gone)

    def ids(self) -> set[str]:
        """Returns the ids of the posts that are kept."""
        return {post_id for event in self._events.values() for post_id in event.pool}

    def purge(self, post_ids: Set[str]) -> None:
        """Removes deleted posts, and every subject that no evidence mentions. Called when the detectors rest."""
        self.forget(post_ids)
        for event in self._events.values():
            event.purge(post_ids)

    def snapshot(self) -> bytes:
        """Returns the state, the same bytes for the same state."""
        events = [event.state() for _, event in sorted(self._events.items())]
        return pack(_KIND, _VERSION, [self._minute, sorted(self._forgotten.items()), events])

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
        detector._minute, forgotten, events = state
        detector._forgotten = dict(forgotten)
        detector._events = {event.id: event for event in map(FollowedEvent.of, events)}
        return detector


def without_deleted(trend: TrendState, forgotten: Collection[str]) -> TrendState | None:
    """Returns the trend without deleted posts among its evidence; None if they were all of it."""
    if not any(post.post_id in forgotten for post in trend.evidence):
        return trend
    kept = tuple(post for post in trend.evidence if post.post_id not in forgotten)
    return trend.model_copy(update={"evidence": kept}) if kept else None
