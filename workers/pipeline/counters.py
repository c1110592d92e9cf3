"""What became of every event, and how fast: the figures behind progress, metrics and the report of a run.

The outcomes are a closed list, each counted from zero, so that a drop without a reason cannot exist.
"""

from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from math import ceil, log

from search.index import Change, Indexable, WriteReport
from tagstream.posts import DeadLetter


class Outcome(StrEnum):
    """What became of an event; the value is what the metric prints."""

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
    Outcome.DUPLICATE,
    Outcome.STALE,
    Outcome.DELETED,
    Outcome.MALFORMED,
    Outcome.UNTAGGABLE,
    Outcome.REJECTED,
    Outcome.UNEXPECTED,
    Outcome.EMPTY,
)
"""The outcomes after which the event's own post is not in the index."""

# Sources name their causes more finely; whatever a stage did not cause was malformed when it came.
_CAUSES = {
    outcome.value: outcome for outcome in (Outcome.UNTAGGABLE, Outcome.REJECTED, Outcome.UNEXPECTED, Outcome.EMPTY)
}


class Counters:
    """How many events met each outcome since the start.

    `LANGUAGE`, `LENGTH` and `DEGRADED` ones are `STORED` or refused, too; of `THUMBNAIL_REFUSED` each picture counts.
    """

    def __init__(self) -> None:
        self._counts = dict.fromkeys(Outcome, 0)

    def __getitem__(self, outcome: Outcome) -> int:
        return self._counts[outcome]

    def add(self, outcome: Outcome, number: int = 1) -> None:
        self._counts[outcome] += number

    def fold(self, report: WriteReport) -> None:
        """Adds what the index reports. Not its dead letters: it does not know why they died; `count_change` does."""
        self._counts[Outcome.STORED] += report.stored
        self._counts[Outcome.DUPLICATE] += report.duplicate
        self._counts[Outcome.STALE] += report.stale
        self._counts[Outcome.DELETED] += report.deleted
        self._counts[Outcome.TOMBSTONE] += report.tombstones
        self._counts[Outcome.STATUS] += report.statuses
        self._counts[Outcome.THUMBNAIL_REFUSED] += report.refused_thumbnails

    def count_change(self, change: Change) -> None:
        """Counts what can be read off a change itself: why it is a dead letter, or what its answer lacks."""
        if isinstance(change, DeadLetter):
            self._counts[_CAUSES.get(change.cause, Outcome.MALFORMED)] += 1
        elif isinstance(change, Indexable):
            self._counts[Outcome.LANGUAGE] += change.post.untagged == "language"
            self._counts[Outcome.LENGTH] += change.post.untagged == "length"
            self._counts[Outcome.DEGRADED] += bool(change.post.degraded)

    def snapshot(self) -> Mapping[Outcome, int]:
        """A copy of all counts, the zeros too."""
        return dict(self._counts)

    def dropped(self) -> Mapping[Outcome, int]:
        """The counts of `DROPPED`, the zeros too."""
        return {outcome: self._counts[outcome] for outcome in DROPPED}


class Latencies:
    """Durations in fixed memory: buckets 10 % apart from 0.1 ms to about 20 minutes."""

    _SMALLEST_SECONDS = 1e-4
    _GROWTH = 1.1
    _BUCKETS = 172

    def __init__(self) -> None:
        self._counts = [0] * self._BUCKETS
        self._total = 0

    def add(self, seconds: float, number: int = 1) -> None:
        """Counts `number` events that each took so long."""
        bucket = 0
        if seconds > self._SMALLEST_SECONDS:
            bucket = min(self._BUCKETS - 1, ceil(log(seconds / self._SMALLEST_SECONDS, self._GROWTH)))
        self._counts[bucket] += number
        self._total += number

    def quantile(self, share: float) -> float:
        """Seconds that this share (0 to 1) of the events did not exceed, at most 10 % too high; 0.0 without events."""
        wanted = share * self._total
        seen = 0
        for bucket, number in enumerate(self._counts):
            seen += number
            if number and seen >= wanted:
                return self._SMALLEST_SECONDS * self._GROWTH**bucket
        return 0.0


class Rate:
    """Events a second over the last `window_seconds`, from readings of a counter that only rises."""

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
