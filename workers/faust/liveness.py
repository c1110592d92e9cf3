"""Liveness of a worker: its progress, as the broker sees it.

::

    witness: committed and end offsets, asked of the broker ─▶ LagMonitor (pure) ─▶ stuck? ─▶ the worker ends
                                                                   └─▶ tagstream/runtime/health_page.py

A consumer may die in silence, with its process and its connections up. So a worker lives as long as its partitions'
committed offsets move, or there is nothing to commit, or something that it depends on is known to be down. Owns that
judgement; knows nothing of Faust or Kafka.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Partition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """How one partition stands: what is committed (None: nothing yet), where its log begins and where it ends."""

    committed: int | None
    first: int
    end: int

    @property
    def lag(self) -> int:
        """Records that are there and not acknowledged."""
        return self.end - max(self.committed or 0, self.first)


class LagMonitor:
    """Judges progress. `stuck` are the partitions that had work for `limit_seconds` and saw no commit."""

    def __init__(self, limit_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.stuck: tuple[Partition, ...] = ()
        self.standings: Mapping[Partition, PartitionLag] = {}
        self._limit_seconds = limit_seconds
        self._clock = clock
        self._since: dict[Partition, tuple[int | None, float]] = {}

    def observe(self, standings: Mapping[Partition, PartitionLag], *, excused: bool) -> None:
        """Takes in how the worker's partitions stand; `excused` while something that it depends on is down."""
        now = self._clock()
        since: dict[Partition, tuple[int | None, float]] = {}
        for partition, standing in standings.items():
            if standing.lag > 0 and not excused:
                committed, began = self._since.get(partition, (None, now))
                since[partition] = (standing.committed, began if committed == standing.committed else now)
        self._since = since
        self.standings = standings
        self.stuck = tuple(one for one, (_, began) in since.items() if now - began >= self._limit_seconds)

    def excuse(self) -> None:
        """The broker does not answer: nothing can be said, and the time starts again."""
        self.observe(self.standings, excused=True)
