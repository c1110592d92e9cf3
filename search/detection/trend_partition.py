"""One partition of the mentions: closes a minute when every partition of the posts has passed it."""

from collections.abc import Callable, Collection
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Self

from search.detection.mention_feed import last_closed
from search.events.minutes import to_minute, to_number
from search.events.same_letters import letters_of
from search.events.snapshots import pack, unpack
from search.events.trends import TrendDetector
from search.events.window import SubjectKey
from tagstream.detections import DeletedPost, MentionBatch, MinuteOfTrends, Subject

_KIND, _VERSION = "partition of mentions", 1


@lru_cache(maxsize=65_536)
def partition_of(key: str, partitions: int) -> int:
    """Returns the partition that owns what has this key: the same in every process and version."""
    return int.from_bytes(blake2b(key.encode("utf-8", "replace"), digest_size=4).digest()) % partitions


def home_of(subject: Subject, partitions: int) -> int:
    """Returns the partition that counts a subject: one for all of the same letters."""
    return partition_of(letters_of(subject.key), partitions)


def owner(partition: int, partitions: int) -> Callable[[SubjectKey], bool] | None:
    """Returns whether a subject belongs to the partition; None where one owns all."""
    if partitions == 1:
        return None
    return lambda subject: partition_of(subject, partitions) == partition


class TrendPartition:
    """One of as many partitions of mentions as there are of posts.

    `late` counts posts that came after their minute was closed, since this object was made: none but where a partition
    that had fallen silent was no longer waited for.
    """

    def __init__(self, partition: int = 0, partitions: int = 1, detector: TrendDetector | None = None) -> None:
        self.late = 0
        self.watermarks: list[datetime | None] = [None] * partitions
        self._partition = partition
        self._detector = detector or TrendDetector()
        self._owns = owner(partition, partitions)
        self._closed: datetime | None = None
        self._deleted: list[DeletedPost] = []

    @property
    def closed(self) -> datetime | None:
        """The newest minute that is closed, None before the first one."""
        return self._closed

    @property
    def passed_over(self) -> int:
        """The number of posts that found no room in the sample of their minute, since this object was made."""
        return self._detector.passed_over

    def has_room(self, minute: datetime, author: int | None, post_id: str) -> bool:
        """Says whether a post would be taken, if its minute is open."""
        return self._detector.has_room(minute, author, post_id)

    def take(self, batch: MentionBatch) -> list[MinuteOfTrends]:
        """Counts the posts of the batch, closes the minutes that it ends, and returns their trends, oldest first."""
        if batch.posts:
            self.late += self._detector.add(batch.posts, self._owns)
        for one in batch.deleted:
            self._detector.delete(one.post_id, one.minute)
            if partition_of(one.post_id, len(self.watermarks)) == self._partition:  # one of all tells the events
                self._deleted.append(one)
        watermark = self.watermarks[batch.source_partition]
        if batch.watermark is None or (watermark is not None and batch.watermark <= watermark):
            return []
        self.watermarks[batch.source_partition] = batch.watermark
        known = [one for one in self.watermarks if one is not None]
        if len(known) < len(self.watermarks):
            return []
        return self._close(last_closed(min(known)))

    def _close(self, minute: datetime) -> list[MinuteOfTrends]:
        if self._closed is not None and minute <= self._closed:
            return []
        self._closed = minute
        found = {closed: tuple(trends) for closed, trends in self._detector.close(minute)}
        found.setdefault(minute, ())
        return [
            MinuteOfTrends(partition=self._partition, minute=one, trends=trends, deleted=self._deleted_up_to(one))
            for one, trends in sorted(found.items())
        ]

    def _deleted_up_to(self, minute: datetime) -> tuple[DeletedPost, ...]:
        """Returns the deletions that were told when this minute, or an earlier one, was open; they are kept no more."""
        told = tuple(one for one in self._deleted if one.minute <= minute)
        if told:
            self._deleted = [one for one in self._deleted if one.minute > minute]
        return told

    def ids(self) -> set[str]:
        """Returns the ids of the posts that are kept."""
        return self._detector.ids()

    def purge(self, ids: Collection[str]) -> None:
        """Removes all words of these posts at once. Called when the detectors rest."""
        self._detector.purge(ids)

    def snapshot(self) -> bytes:
        """Returns the state, the same bytes for the same state."""
        state = [
            self._partition,
            [None if one is None else to_number(one) for one in self.watermarks],
            None if self._closed is None else to_number(self._closed),
            [[to_number(one.minute), one.post_id] for one in self._deleted],
            self._detector.snapshot(),
        ]
        return pack(_KIND, _VERSION, state)

    @classmethod
    def restore(cls, snapshot: bytes) -> Self:
        """Returns the partition of a snapshot.

        Raises:
            CorruptState: the bytes are no snapshot of a partition.
        """
        return unpack(_KIND, _VERSION, snapshot, cls._of)

    @classmethod
    def _of(cls, state: Any) -> Self:
        partition, watermarks, closed, deleted, detector = state
        restored = cls(partition, len(watermarks), TrendDetector.restore(detector))
        restored.watermarks = [None if one is None else to_minute(one) for one in watermarks]
        restored._closed = None if closed is None else to_minute(closed)
        restored._deleted = [DeletedPost(post_id=post_id, minute=to_minute(minute)) for minute, post_id in deleted]
        return restored
