"""The tracker of a run: counts the events that were read, that are safe, and that lie between, in fixed memory."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tagstream.posts import Event, Post
from tagstream.runtime.feed_lag import FeedLag
from tagstream.runtime.metrics import EventRate, Latencies, PipelineProgress
from tagstream.runtime.wall_clock import WallClock
from workers.pipeline.counters import Counters
from workers.pipeline.steps import Tagged


@dataclass(slots=True)
class _Arrivals:
    """Events that arrived together and are not all finished."""

    arrived_at: float
    left: int


class Tracker:
    """A tracker of events from arrival to acknowledgement, which come in the same order.

    `clock` measures, `wall` says what time it is; `live`: whether the feed is one that is written now.
    """

    def __init__(self, clock: Callable[[], float], wall: WallClock, *, live: bool) -> None:
        self.counters = Counters()
        self.latencies = Latencies()
        self.cursor: str | None = None
        self._clock = clock
        self._wall = wall
        self._live = live
        self._distance = FeedLag()
        self._began = clock()
        self._groups: deque[_Arrivals] = deque()
        self._rate = EventRate()
        self._rate.read(self._began, 0)
        self._read = 0
        self._finished = 0
        self._posts = 0

    @property
    def in_flight(self) -> int:
        """The number of events that were read and are not acknowledged."""
        return self._read - self._finished

    def arrived(self, events: Sequence[Event]) -> datetime:
        """Notes that these events were read just now, and returns that time."""
        self._groups.append(_Arrivals(self._clock(), len(events)))
        self._read += len(events)
        return self._wall.stamp([event.created_at for event in events if isinstance(event, Post)])

    def acknowledge(self) -> None:
        """Notes that the oldest event is safe."""
        group = self._groups[0]
        group.left -= 1
        self._finished += 1
        self.latencies.add(self._clock() - group.arrived_at)
        if not group.left:
            self._groups.popleft()

    def finished(self, value: Tagged) -> None:
        """Counts the outcome of an acknowledged event."""
        self.counters.count_change(value.change)
        self.cursor = value.arrival.cursor
        if isinstance(post := value.arrival.event, Post):
            self._posts += 1
            if self._live:
                self._distance.add(post.created_at, value.arrival.observed_at, self._wall.now())

    def snapshot(self, waiting_for: str | None, source_counts: Mapping[str, int]) -> PipelineProgress:
        """Returns the progress of the run."""
        now = self._clock()
        self._wall.now()
        lag = now - self._groups[0].arrived_at if self._groups else 0.0
        return PipelineProgress(
            elapsed_seconds=now - self._began,
            read=self._read,
            finished=self._finished,
            posts=self._posts,
            posts_per_second=self._rate.read(now, self._posts),
            in_flight=self.in_flight,
            lag_seconds=lag,
            outcomes=self.counters.snapshot(),
            dropped=self.counters.dropped(),
            waiting_for=waiting_for,
            source_counts=source_counts,
            behind_seconds=self._distance.seconds(lag),
            clock_jumps=self._wall.jumps,
            clock_warning=self._wall.warning,
        )
