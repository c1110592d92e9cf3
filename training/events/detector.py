"""The detectors that serve, replayed over tagged posts in order of time, minutes closed by the feed's clock.

It does what `tagstream run` does while a feed comes in, without an index.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from search.detection.event_timeline import EventTimeline
from search.detection.mention_feed import MentionFeed, closing
from search.detection.trend_partition import TrendPartition
from search.events.subjects import mentions_of
from tagstream.detections import DetectedEvent, MentionBatch, PostMentions
from tagstream.posts import TaggedPost
from training.events.score import FoundEvent

_POSTS_AT_ONCE = 64


@dataclass(slots=True)
class ReplayCost:
    """Processor seconds of a replay, by part."""

    posts: int = 0
    mentions: float = 0.0
    add: float = 0.0
    close: float = 0.0

    @property
    def microseconds_a_post(self) -> float:
        """Returns the whole cost of a post."""
        return 1e6 * (self.mentions + self.add + self.close) / max(1, self.posts)


class Replay:
    """The detectors of one process. Give it posts in order of time, then `finish`."""

    def __init__(self) -> None:
        self.cost = ReplayCost()
        self.events: dict[str, DetectedEvent] = {}
        self._feed = MentionFeed()
        self._trends = TrendPartition()
        self._timeline = EventTimeline()

    @property
    def late(self) -> int:
        """The number of posts that came too late to count."""
        return self._feed.late + self._trends.late

    def add(self, posts: Iterable[TaggedPost]) -> None:
        """Takes posts; closes every minute that the clock has passed."""
        begin = time.process_time()
        mentions = [mentions_of(post, post.created_at, self._trends.has_room) for post in posts]
        self.cost.mentions += time.process_time() - begin
        self.add_mentions(mentions)

    def add_mentions(self, mentions: Sequence[PostMentions]) -> None:
        """Takes the mentions of posts; closes every minute that the clock has passed."""
        begin = time.process_time()
        self.cost.posts += len(mentions)
        batch = self._feed.take(mentions)
        # Without a watermark nothing is closed: the two costs are told apart.
        self._trends.take(batch.model_copy(update={"watermark": None}))
        self.cost.add += time.process_time() - begin
        if batch.watermark is not None:
            self._close(batch.watermark)

    def finish(self, minute: datetime) -> None:
        """Closes every minute up to `minute`, as the feed would have gone on."""
        self._close(closing(minute))

    def _close(self, watermark: datetime) -> None:
        begin = time.process_time()
        for minute in self._trends.take(MentionBatch(source_partition=0, watermark=watermark)):
            for closed in self._timeline.take(minute):
                self.events.update((event.id, event) for event in closed.events)
        self.cost.close += time.process_time() - begin


def replay(posts: Iterable[TaggedPost]) -> Replay:
    """Replays posts, in order of time, to an hour after the last one, and returns what was found and what it took."""
    replayed = Replay()
    last: datetime | None = None
    for group in _groups(posts):
        replayed.add(group)
        last = group[-1].created_at
    if last is not None:
        replayed.finish(last + timedelta(hours=1))
    return replayed


def found_events(replayed: Replay, texts: dict[str, str]) -> list[FoundEvent]:
    """Returns the last state of every event, but those that became part of another one, as `tagstream events` does."""
    return [_found(event, texts) for event in replayed.events.values() if event.merged_into is None]


def _found(event: DetectedEvent, texts: dict[str, str]) -> FoundEvent:
    title = ", ".join(event.names)
    if event.typical is not None and event.typical in texts:
        title += f": {texts[event.typical]}"
    posts = tuple(post.post_id for post in event.evidence)
    return FoundEvent(event.id, title, event.detected_at, event.started_at, event.ended_at, event.authors, posts)


def _groups(posts: Iterable[TaggedPost]) -> Iterator[list[TaggedPost]]:
    """Yields the posts in groups of one minute each: whoever reads a live feed closes a minute when it has passed."""
    group: list[TaggedPost] = []
    for post in posts:
        if group and (len(group) == _POSTS_AT_ONCE or not _same_minute(group[-1], post)):
            yield group
            group = []
        group.append(post)
    if group:
        yield group


def _same_minute(first: TaggedPost, second: TaggedPost) -> bool:
    return first.created_at.replace(second=0, microsecond=0) == second.created_at.replace(second=0, microsecond=0)
