"""One partition of a feed as its posts come: how far it has come, and which posts are too late to count.

A post is late if its minute was closed by the clock of its own partition when it came. That depends on the order of
that partition alone: so a restart, which reads the same order again, and any number of other partitions change nothing.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Self

from search.events.clock import FeedClock
from search.events.minutes import MINUTE, to_minute
from search.events.snapshots import pack, unpack
from tagstream.detections import DeletedPost, MentionBatch, PostMentions

GRACE_MINUTES = 1
"""The minutes that a post may come late, besides the minute that the feed is in: clocks of authors differ."""
# The calendar begins with the year 1, and a hostile feed may be dated there.
_FIRST_WATERMARK = datetime.min.replace(tzinfo=UTC) + (1 + GRACE_MINUTES) * MINUTE

_KIND, _VERSION = "partition of a feed", 2


def last_closed(watermark: datetime) -> datetime:
    """Returns the newest minute that is closed where a feed has come up to this one."""
    return max(watermark, _FIRST_WATERMARK) - (1 + GRACE_MINUTES) * MINUTE


def closing(minute: datetime) -> datetime:
    """Returns the watermark that closes this minute."""
    return minute + (1 + GRACE_MINUTES) * MINUTE


class MentionFeed:
    """One partition of a feed.

    `late` counts the posts that came too late, since this object was made; `missed` those since the feed began.
    """

    def __init__(self, source_partition: int = 0, clock: FeedClock | None = None, missed: int = 0) -> None:
        self.late = 0
        self.missed = missed
        self._source_partition = source_partition
        self._clock = clock or FeedClock()

    @property
    def watermark(self) -> datetime | None:
        """The newest minute up to which the partition has been read; None before it is known."""
        return self._clock.newest

    def take(self, items: Iterable[PostMentions | str]) -> MentionBatch:
        """Returns what counts of the next posts and deletions (ids) of the partition, which come in its order."""
        posts: list[PostMentions] = []
        deleted: list[DeletedPost] = []
        clock = self._clock
        closed = None if clock.newest is None else last_closed(clock.newest)
        for item in items:
            if isinstance(item, str):
                # Before the feed is known to have come anywhere, every minute is open.
                deleted.append(DeletedPost(post_id=item, minute=to_minute(0) if closed is None else closed + MINUTE))
                continue
            if closed is not None and item.minute <= closed:
                self.late += 1
                self.missed += 1
                continue
            posts.append(item)
            clock.note(item.author, item.minute, item.post_id)
            if clock.newest is not None:
                closed = last_closed(clock.newest)
        return MentionBatch(
            source_partition=self._source_partition, watermark=clock.newest, posts=tuple(posts), deleted=tuple(deleted)
        )

    def snapshot(self) -> bytes:
        """Returns the state, the same bytes for the same state."""
        return pack(_KIND, _VERSION, [self._source_partition, self._clock.snapshot(), self.missed])

    @classmethod
    def restore(cls, snapshot: bytes) -> Self:
        """Returns the feed of a snapshot.

        Raises:
            CorruptState: the bytes are no snapshot of a feed.
        """
        return unpack(_KIND, _VERSION, snapshot, cls._of)

    @classmethod
    def _of(cls, state: Any) -> Self:
        source_partition, clock, missed = state
        return cls(int(source_partition), FeedClock.restore(clock), int(missed))
