"""Liveness of a worker: the progress of its partitions, as the broker sees it.

::

    CommittedOffsets: committed and end offsets ─▶ LagMonitor (pure) ─▶ stuck? ─▶ the worker ends
                                                        └─▶ /health/live (tagstream/runtime/health_page.py)

A consumer may die in silence, with its process and its connections up. So a worker lives as long as the committed
offsets of its partitions move, or there is nothing to commit, or a dependency is known to be down. Owns that rule.
Knows nothing of Faust or Kafka.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

Partition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """The offsets of one partition: the committed one (None: nothing yet), the first of its log, and the end."""

    committed: int | None
    first: int
    end: int

    @property
    def lag(self) -> int:
        """The number of records that are in the log and not acknowledged."""
        return self.end - max(self.committed or 0, self.first)


class LagMonitor:
    """A monitor of progress. `stuck` are the partitions that had work for `limit_seconds` and saw no commit."""

    def __init__(self, limit_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.stuck: tuple[Partition, ...] = ()
        self.lags: Mapping[Partition, PartitionLag] = {}
        self._limit_seconds = limit_seconds
        self._clock = clock
        self._since: dict[Partition, tuple[int | None, float]] = {}

    def observe(self, lags: Mapping[Partition, PartitionLag], *, excused: bool, ended: Collection[str] = ()) -> None:
        """Takes in the lags of the worker's partitions.

        No commit is expected while a dependency is down (`excused`), nor of topics whose work has `ended`.
        """
        now = self._clock()
        since: dict[Partition, tuple[int | None, float]] = {}
        for partition, offsets in lags.items():
            if offsets.lag > 0 and not excused and partition[0] not in ended:
                committed, began = self._since.get(partition, (None, now))
                since[partition] = (offsets.committed, began if committed == offsets.committed else now)
        self._since = since
        self.lags = lags
        self.stuck = tuple(partition for partition, (_, began) in since.items() if now - began >= self._limit_seconds)

    def excuse(self) -> None:
        """Starts the time again for every partition, because the broker does not answer and nothing is known."""
        self.observe(self.lags, excused=True)
