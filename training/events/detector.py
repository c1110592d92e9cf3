"""The detector of `search/events`, replayed over tagged posts in order of time, minutes closed by the feed's clock.

It does what `tagstream run` does while a feed comes in, without an index.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from search.events.clock import FeedClock
from search.events.events import EventDetector
from search.events.subjects import mentions_of
from search.events.trends import TrendDetector
from tagstream.detections import DetectedEvent, PostMentions
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
    """Trend and event detector behind a clock of the feed. Give it posts in order of time, then `finish`."""

    def __init__(self) -> None:
        self.cost = ReplayCost()
        self.late = 0
        self.events: dict[str, DetectedEvent] = {}
        self._clock = FeedClock()
        self._trends = TrendDetector()
        self._events = EventDetector()
        self._closed: datetime | None = None

    def add(self, posts: Iterable[TaggedPost]) -> None:
        """Takes posts; closes every minute that the clock has passed."""
        begin = time.process_time()
        mentions = [mentions_of(post, post.created_at) for post in posts]
        self.cost.mentions += time.process_time() - begin
        self.add_mentions(mentions)

    def add_mentions(self, mentions: list[PostMentions]) -> None:
        """Takes the mentions of posts; closes every minute that the clock has passed."""
        begin = time.process_time()
        self.cost.posts += len(mentions)
        self.late += self._trends.add(mentions)
        for post in mentions:
            self._clock.note(post.author, post.minute, post.post_id)
        self.cost.add += time.process_time() - begin
        newest = self._clock.newest
        if newest is not None:
            self._close(newest - timedelta(minutes=1))

    def finish(self, minute: datetime) -> None:
        """Closes every minute up to `minute`, as the feed would have gone on."""
        self._close(minute)

    def _close(self, minute: datetime) -> None:
        if self._closed is not None and minute <= self._closed:
            return
        begin = time.process_time()
        for closed, trends in self._trends.close(minute):
            self.events.update((event.id, event) for event in self._events.close(closed, trends))
            self._closed = closed
        if self._closed is None or self._closed < minute:
            self.events.update((event.id, event) for event in self._events.close(minute, ()))
            self._closed = minute
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
    """Returns the last state of every event that was said, those that later merged among them."""
    return [_found(event, texts) for event in replayed.events.values()]


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
