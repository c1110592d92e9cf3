"""Figures of a running process: the outcomes of events, latencies, rates, and the progress of a run.

The outcomes are a closed list, each counted from zero, so that a drop without a reason cannot exist.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil, log


class EventOutcome(StrEnum):
    """The outcomes of an event; each value is a label of the metric."""

    STORED = "stored"
    # Stored without entities: the post is in a language that is not read.
    LANGUAGE = "language"
    # Only the beginning of a very long post was read for names.
    LENGTH = "length"
    # Tagged without a photo, or without the image model; `tagstream retag` makes it good.
    DEGRADED = "degraded"
    # A picture that the media store never takes; its post goes on without it.
    THUMBNAIL_REFUSED = "thumbnail_refused"
    # Legal, but the index already knows better.
    DUPLICATE = "duplicate"
    STALE = "stale"
    DELETED = "deleted"
    # A deletion or an erasure, applied.
    TOMBSTONE = "tombstone"
    # An account is hidden or shown.
    STATUS = "status"
    # Kept as dead letters: unreadable; the tagger or the index refuses it; a defect of ours met it.
    MALFORMED = "malformed"
    UNTAGGABLE = "untaggable"
    REJECTED = "rejected"
    UNEXPECTED = "unexpected"
    # A record of a topic that has no value: there is nothing in it to process, nor to keep.
    EMPTY = "empty"


DROPPED = (
    EventOutcome.DUPLICATE,
    EventOutcome.STALE,
    EventOutcome.DELETED,
    EventOutcome.MALFORMED,
    EventOutcome.UNTAGGABLE,
    EventOutcome.REJECTED,
    EventOutcome.UNEXPECTED,
    EventOutcome.EMPTY,
)
"""The outcomes after which the event's own post is not in the index."""


@dataclass(frozen=True, slots=True)
class PipelineProgress:
    """The state of a run at one time.

    Attributes:
        elapsed_seconds: the time since the run began.
        read: events that came from the source.
        finished: events of these that are safe in the index; `posts` of them are posts.
        in_flight: events that were read and are not finished.
        lag_seconds: how long the oldest event in flight has been waiting.
        outcomes, dropped: events by outcome, and those of `DROPPED` alone; the zeros too.
        waiting_for: the last answer of a dependency that is down, None while all are up.
        source_counts: the counts that the source keeps itself (`Source.counts`).
        behind_seconds: how far the index is behind the network's own clock, None where nothing is live.
        clock_jumps: how often the clock of this machine was set.
        clock_warning: the reason to doubt the clock, None while there is none.
    """

    elapsed_seconds: float
    read: int
    finished: int
    posts: int
    posts_per_second: float
    in_flight: int
    lag_seconds: float
    outcomes: Mapping[EventOutcome, int]
    dropped: Mapping[EventOutcome, int]
    waiting_for: str | None
    source_counts: Mapping[str, int] = field(default_factory=dict)
    behind_seconds: float | None = None
    clock_jumps: int = 0
    clock_warning: str | None = None


class Latencies:
    """A histogram of durations in fixed memory: buckets 10 % apart, from 0.1 ms to about 20 minutes."""

    _SMALLEST_SECONDS = 1e-4
    _GROWTH = 1.1
    _BUCKETS = 172

    def __init__(self) -> None:
        self._counts = [0] * self._BUCKETS
        self._total = 0

    def add(self, seconds: float, count: int = 1) -> None:
        """Counts `count` events that took `seconds` each."""
        bucket = 0
        if seconds > self._SMALLEST_SECONDS:
            bucket = min(self._BUCKETS - 1, ceil(log(seconds / self._SMALLEST_SECONDS, self._GROWTH)))
        self._counts[bucket] += count
        self._total += count

    def quantile(self, share: float) -> float:
        """Returns the seconds that this share (0 to 1) of the events did not exceed, at most 10 % too high.

        Without events it is 0.0.
        """
        wanted = share * self._total
        seen = 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return self._SMALLEST_SECONDS * self._GROWTH**bucket
        return 0.0


class EventRate:
    """The events per second over the last `window_seconds`, from readings of a counter that only rises."""

    def __init__(self, window_seconds: float = 10.0) -> None:
        self._window_seconds = window_seconds
        self._readings: deque[tuple[float, int]] = deque()

    def read(self, now: float, total: int) -> float:
        """Notes that the counter stands at `total` and returns the rate; 0.0 at the first reading."""
        readings = self._readings
        readings.append((now, total))
        while len(readings) > 2 and readings[1][0] <= now - self._window_seconds:
            readings.popleft()
        since, before = readings[0]
        return (total - before) / (now - since) if now > since else 0.0
