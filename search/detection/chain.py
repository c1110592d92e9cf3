"""The detectors of one process: a feed of one partition, its trends, its events."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Self

from search.detection.event_timeline import ClosedMinute, EventTimeline
from search.detection.mention_feed import MentionFeed, closing
from search.detection.trend_partition import TrendPartition
from search.events.snapshots import pack, unpack
from search.events.subjects import mentions_of
from tagstream.detections import MentionBatch, PostMentions
from tagstream.posts import TaggedPost

_KIND, _VERSION = "detectors", 1


class DetectionChain:
    """The detectors, joined. What they say depends on the order of the feed, and not on how it is cut into calls."""

    def __init__(
        self,
        feed: MentionFeed | None = None,
        trends: TrendPartition | None = None,
        events: EventTimeline | None = None,
    ) -> None:
        self._feed = feed or MentionFeed()
        self._trends = trends or TrendPartition()
        self._events = events or EventTimeline()

    @property
    def late(self) -> int:
        """The number of posts that came too late to count, since this object was made."""
        return self._feed.late + self._trends.late

    @property
    def passed_over(self) -> int:
        """The number of posts that found no room in the sample of their minute, since this object was made."""
        return self._trends.passed_over

    @property
    def missed(self) -> int:
        """The number of posts that came too late to count, since the feed began."""
        return self._feed.missed

    @property
    def newest(self) -> datetime | None:
        """The newest minute that the feed has reached; None before it is known."""
        return self._feed.watermark

    def mentions_of(self, post: TaggedPost, observed_at: datetime) -> PostMentions:
        """Returns what the chain is to be given of a post, which is read only if its minute has room for it."""
        return mentions_of(post, observed_at, self._trends.has_room)

    def take(self, items: Iterable[PostMentions | str]) -> list[ClosedMinute]:
        """Takes the next posts and deletions (ids) of the feed; returns the minutes that are closed now."""
        return self._pass_on(self._feed.take(items))

    def finish(self) -> list[ClosedMinute]:
        """Closes what is open at the end of a feed, up to the newest minute that it has reached."""
        newest = self._feed.watermark
        return [] if newest is None else self._pass_on(MentionBatch(source_partition=0, watermark=closing(newest)))

    def _pass_on(self, batch: MentionBatch) -> list[ClosedMinute]:
        return [closed for minute in self._trends.take(batch) for closed in self._events.take(minute)]

    def ids(self) -> set[str]:
        """Returns the ids of the posts of which it keeps more than the id."""
        return self._trends.ids() | self._events.ids()

    def purge(self, ids: Collection[str]) -> None:
        """Removes all words of these posts at once. Called when the detectors rest: `take` is told of deletions."""
        self._trends.purge(ids)
        self._events.purge(ids)

    def snapshot(self) -> bytes:
        """Returns the state, the same bytes for the same state."""
        return pack(_KIND, _VERSION, [self._feed.snapshot(), self._trends.snapshot(), self._events.snapshot()])

    @classmethod
    def restore(cls, snapshot: bytes) -> Self:
        """Returns the detectors of a snapshot.

        Raises:
            CorruptState: the bytes are no snapshot of the detectors.
        """
        return unpack(_KIND, _VERSION, snapshot, cls._of)

    @classmethod
    def _of(cls, state: Any) -> Self:
        feed, trends, events = state
        return cls(MentionFeed.restore(feed), TrendPartition.restore(trends), EventTimeline.restore(events))
