"""Counters of what became of every event, behind the metrics and the report of a run."""

from collections.abc import Mapping

from search.index import Change, Indexable, WriteReport
from tagstream.posts import DeadLetter
from tagstream.runtime.metrics import DROPPED, EventOutcome

# Sources name their causes more finely; an event that no stage refused was malformed when it came.
_CAUSES = {
    outcome.value: outcome
    for outcome in (EventOutcome.UNTAGGABLE, EventOutcome.REJECTED, EventOutcome.UNEXPECTED, EventOutcome.EMPTY)
}


class Counters:
    """The number of events that met each outcome since the start.

    `LANGUAGE`, `LENGTH` and `DEGRADED` ones are `STORED` or refused, too; of `THUMBNAIL_REFUSED` each picture counts.
    """

    def __init__(self) -> None:
        self._counts = dict.fromkeys(EventOutcome, 0)

    def __getitem__(self, outcome: EventOutcome) -> int:
        return self._counts[outcome]

    def add(self, outcome: EventOutcome, count: int = 1) -> None:
        """Adds to the count of an outcome."""
        self._counts[outcome] += count

    def fold(self, report: WriteReport) -> None:
        """Adds what the index reports. Not its dead letters: `count_change` knows their cause."""
        self._counts[EventOutcome.STORED] += report.stored
        self._counts[EventOutcome.DUPLICATE] += report.duplicate
        self._counts[EventOutcome.STALE] += report.stale
        self._counts[EventOutcome.DELETED] += report.deleted
        self._counts[EventOutcome.TOMBSTONE] += report.tombstones
        self._counts[EventOutcome.STATUS] += report.statuses
        self._counts[EventOutcome.THUMBNAIL_REFUSED] += report.refused_thumbnails

    def count_change(self, change: Change) -> None:
        """Counts what the change itself tells: the cause of a dead letter, or what its answer lacks."""
        if isinstance(change, DeadLetter):
            self._counts[_CAUSES.get(change.cause, EventOutcome.MALFORMED)] += 1
        elif isinstance(change, Indexable):
            self._counts[EventOutcome.LANGUAGE] += change.post.untagged == "language"
            self._counts[EventOutcome.LENGTH] += change.post.untagged == "length"
            self._counts[EventOutcome.DEGRADED] += bool(change.post.degraded)

    def snapshot(self) -> Mapping[EventOutcome, int]:
        """Returns a copy of all counts, the zeros too."""
        return dict(self._counts)

    def dropped(self) -> Mapping[EventOutcome, int]:
        """Returns the counts of `DROPPED`, the zeros too."""
        return {outcome: self._counts[outcome] for outcome in DROPPED}
