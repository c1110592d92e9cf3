"""Partitions of posts in which nothing comes, and up to where they are done nevertheless. Pure.

A minute is closed when every partition of `posts.tagged` has passed it, and a partition without posts passes nothing.
Whoever knows that all of a partition was read, on `posts` and on `posts.tagged`, may say for it what the others say of
theirs. At the end of a feed nobody passes the last minutes; after a while without a record they are closed as well.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from search.detection.mention_feed import closing
from workers.faust.liveness import Partition, PartitionLag

LOOKS = 4
"""How often in a row a partition must be read to its end, before the others are believed to speak for it."""
END_SECONDS = 60.0
"""After so long without any record the feed counts as ended."""


class SilenceWatch:
    """The partitions of `posts` and `posts.tagged`, looked at again and again."""

    def __init__(self, posts: str, tagged: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._topics = (posts, tagged)
        self._clock = clock
        self._read: dict[int, int] = {}  # how often in a row each was read to its end
        self._since: dict[int, datetime] = {}  # the newest watermark when that began
        self._ends: Mapping[Partition, int] = {}
        self._changed_at = clock()
        self._over = False

    def look(
        self, watermarks: Sequence[datetime | None], lags: Mapping[Partition, PartitionLag]
    ) -> dict[int, datetime]:
        """Returns a watermark for each partition that others may speak for. `lags` were read after `watermarks`."""
        known = [one for one in watermarks if one is not None]
        ends = {partition: one.end for partition, one in lags.items()}
        if ends != self._ends:
            self._ends, self._changed_at, self._over = ends, self._clock(), False
        newest = max(known, default=None)
        lifted: dict[int, datetime] = {}
        for partition, watermark in enumerate(watermarks):
            stands = [lags.get((topic, partition)) for topic in self._topics]
            if newest is None or any(one is None or one.lag for one in stands):
                self._read.pop(partition, None)
                self._since.pop(partition, None)
                continue
            since = self._since.setdefault(partition, newest)
            self._read[partition] = self._read.get(partition, 0) + 1
            if self._read[partition] >= LOOKS:
                self._read.pop(partition)
                self._since.pop(partition)
                if watermark is None or watermark < since:
                    lifted[partition] = since
        if newest is not None and not self._over and self._is_over(watermarks, lags):
            self._over = True
            return {
                partition: closing(newest) for partition, one in enumerate(watermarks) if one is None or one <= newest
            }
        return lifted

    def _is_over(self, watermarks: Sequence[object], lags: Mapping[Partition, PartitionLag]) -> bool:
        read = all(
            (one := lags.get((topic, partition))) is not None and not one.lag
            for topic in self._topics
            for partition in range(len(watermarks))
        )
        return read and self._clock() - self._changed_at >= END_SECONDS
