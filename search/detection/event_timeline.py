"""The trends of all partitions as one timeline: a minute is taken when every partition has closed it."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from search.detections import evidence_of, remaining
from search.events.events import EventDetector, without_deleted
from search.events.minutes import MINUTE, to_minute, to_number
from search.events.snapshots import pack, unpack
from tagstream.detections import DetectedEvent, MinuteOfTrends, TrendState

_KIND, _VERSION = "timeline of events", 1
# A window of trends is shorter: after it no trend can name a post of before.
_REMEMBERED = timedelta(hours=6)
_MOST_REMEMBERED = 50_000
# Long after the end of every event.
_QUIET = timedelta(days=1)


class ClosedMinute(NamedTuple):
    """One minute as the detectors see it: its trends, and the events that changed."""

    minute: datetime
    trends: Sequence[TrendState]
    events: Sequence[DetectedEvent]


class EventTimeline:
    """The one detector of events, behind all partitions of the mentions.

    A deleted post leaves the events before the first minute that was open when its deletion came, and no later minute
    names it again: so the outcome does not depend on when the deletion gets here.
    """

    def __init__(self, partitions: int = 1, detector: EventDetector | None = None) -> None:
        self._detector = detector or EventDetector()
        self._closed: list[datetime | None] = [None] * partitions
        self._waiting: dict[datetime, dict[int, tuple[TrendState, ...]]] = {}
        self._untold: set[tuple[datetime, str]] = set()
        self._deleted: dict[str, datetime] = {}
        self._last: datetime | None = None
        self._quiet_since: datetime | None = None

    @property
    def last(self) -> datetime | None:
        """The newest minute that was taken."""
        return self._last

    def take(self, reported: MinuteOfTrends) -> list[ClosedMinute]:
        """Notes what a partition says of a minute; returns the minutes that all have closed now, oldest first.

        A minute that the partition has closed before is passed over: the repeat says the same.
        """
        before = self._closed[reported.partition]
        if before is not None and reported.minute <= before:
            return []
        self._untold.update((one.minute, one.post_id) for one in reported.deleted)
        if not reported.closed:
            return []
        self._closed[reported.partition] = reported.minute
        if reported.trends:
            self._waiting.setdefault(reported.minute, {})[reported.partition] = reported.trends
        closed = [one for one in self._closed if one is not None]
        if len(closed) < len(self._closed):
            return []
        up_to = min(closed)
        if self._last is not None and up_to <= self._last:
            return []
        taken = [self._take(minute) for minute in self._due(up_to)]
        if not taken or taken[-1].minute < up_to:  # counts are watched in a feed without trends as well
            taken.append(ClosedMinute(up_to, (), ()))
        return taken

    def _due(self, up_to: datetime) -> Iterator[datetime]:
        """Yields every minute up to this one, so that the outcome does not depend on how many are closed at once.

        Of a long time without trends, at the end of which no event lives any more, it yields the beginning.
        """
        minute = min((up_to, *self._waiting)) if self._last is None else self._last + MINUTE
        self._quiet_since = self._quiet_since or minute
        while minute <= up_to:
            self._last = minute
            if minute in self._waiting:
                self._quiet_since = minute
            if minute - self._quiet_since > _QUIET:
                self._last = min((up_to, *(one - MINUTE for one in self._waiting if one <= up_to)))
            else:
                yield minute
            minute = self._last + MINUTE

    def _take(self, minute: datetime) -> ClosedMinute:
        self._forget(minute)
        reports = self._waiting.pop(minute, {})
        trends = sorted(
            (
                left
                for report in reports.values()
                for trend in report
                if (left := without_deleted(trend, self._deleted)) is not None
            ),
            key=lambda trend: (trend.type, trend.key),
        )
        return ClosedMinute(minute, trends, self._detector.close(minute, trends))

    def _forget(self, minute: datetime) -> None:
        """Takes out the posts whose deletion was told by then."""
        told = sorted(one for one in self._untold if one[0] <= minute)
        if not told:
            return
        self._untold.difference_update(told)
        self._detector.forget([post_id for _, post_id in told])
        self._deleted.update((post_id, since) for since, post_id in told)
        kept = sorted((since, post_id) for post_id, since in self._deleted.items() if since > minute - _REMEMBERED)
        self._deleted = {post_id: since for since, post_id in kept[-_MOST_REMEMBERED:]}

    def ids(self) -> set[str]:
        """Returns the ids of the posts that are kept."""
        return self._detector.ids() | evidence_of(list(self._all_waiting()))

    def purge(self, ids: Collection[str]) -> None:
        """Removes all words of these posts at once. Called when the detectors rest."""
        self._detector.purge(set(ids))
        there = evidence_of(list(self._all_waiting())).difference(ids)
        for reports in self._waiting.values():
            for partition, trends in reports.items():
                reports[partition] = tuple(remaining(trends, there))

    def _all_waiting(self) -> Iterator[TrendState]:
        return (trend for reports in self._waiting.values() for trends in reports.values() for trend in trends)

    def snapshot(self) -> bytes:
        """Returns the state, the same bytes for the same state."""
        state = [
            [_number(one) for one in self._closed],
            _number(self._last),
            _number(self._quiet_since),
            [
                [_number(minute), partition, [trend.model_dump_json() for trend in trends]]
                for minute, reports in sorted(self._waiting.items())
                for partition, trends in sorted(reports.items())
            ],
            [[_number(since), post_id] for since, post_id in sorted(self._untold)],
            [[_number(since), post_id] for post_id, since in sorted(self._deleted.items())],
            self._detector.snapshot(),
        ]
        return pack(_KIND, _VERSION, state)

    @classmethod
    def restore(cls, snapshot: bytes) -> Self:
        """Returns the timeline of a snapshot.

        Raises:
            CorruptState: the bytes are no snapshot of a timeline.
        """
        return unpack(_KIND, _VERSION, snapshot, cls._of)

    @classmethod
    def _of(cls, state: Any) -> Self:
        closed, last, quiet_since, waiting, untold, deleted, detector = state
        restored = cls(len(closed), EventDetector.restore(detector))
        restored._closed = [_minute(one) for one in closed]
        restored._last = _minute(last)
        restored._quiet_since = _minute(quiet_since)
        for minute, partition, trends in waiting:
            reports = restored._waiting.setdefault(to_minute(minute), {})
            reports[partition] = tuple(TrendState.model_validate_json(trend) for trend in trends)
        restored._untold = {(to_minute(since), post_id) for since, post_id in untold}
        restored._deleted = {post_id: to_minute(since) for since, post_id in deleted}
        return restored


def detections(minutes: Iterable[ClosedMinute]) -> tuple[list[TrendState], list[DetectedEvent]]:
    """Returns all trends and all events of the minutes, in order."""
    minutes = list(minutes)
    return [one for minute in minutes for one in minute.trends], [one for minute in minutes for one in minute.events]


def _number(minute: datetime | None) -> int | None:
    return None if minute is None else to_number(minute)


def _minute(number: int | None) -> datetime | None:
    return None if number is None else to_minute(number)
