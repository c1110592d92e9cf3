"""A run of `tagstream ingest`: events from a source to the broker, with a cursor that never runs ahead.

::

    source ─▶ read ─▶ window (bounded in events and bytes) ─▶ publisher ─▶ topics posts, posts.dead
                        │  in order of arrival                   │ acknowledged
                        └────────────▶ cursor saved ◀────────────┘

Owns the order of two effects: a cursor is saved only when the broker holds everything up to it (invariant 1). Events
that a killed run had published without saving their cursor are read again and stand on the topic twice, which is
harmless. A full window stops the reading (invariant 6). During an outage everything waits. A stop gives the events in
flight `stop_seconds`.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from ingest.cursors import CursorKeeper
from ingest.publisher import EventPublisher
from ingest.records import records_of
from tagstream.errors import Fatal, Retryable
from tagstream.kafka.topics import Topics
from tagstream.posts import Post
from tagstream.runtime.backoff import BackOff
from tagstream.runtime.bounded_buffer import Capacity
from tagstream.runtime.feed_lag import FeedLag, is_live
from tagstream.runtime.wall_clock import WallClock, installed_at, utc_now
from tagstream.settings import Settings
from tagstream.source import Received, Source

Answer = TypeVar("Answer")

READ_EVENTS = 256
# Posts of a live feed come singly, and a batch of any size costs as much as ten posts: so small batches are gathered.
SMALL_EVENTS = 16
GATHER_SECONDS = 0.02
# A network's own back-off (`sources/network/source.py`) is kept besides.
SOURCE_BACK_OFF = BackOff(first_seconds=2.0, longest_seconds=4.0)
# Saving is a transaction of some 50 ms. A killed run publishes again what it published after its last save.
SAVE_EVERY_SECONDS = 0.5
# A stop has to end within 10 s; the rest is for closing.
LONGEST_STOP_SECONDS = 6.0
PROGRESS_SECONDS = 1.0
# Acknowledgements come within milliseconds, or the broker is in trouble.
_SILENT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """The state of a run: `read` events came from the source; `published` of them are on the broker, their cursor
    saved.

    `posts` and `dead_letters` count the published events by kind. `waiting_for` describes an outage, `source_counts`
    are the source's own. `behind_seconds` is how far the broker is behind the network's clock (None where nothing is
    live), `clock_warning` says what is wrong with this machine's clock, and `clock_jumps` how often that clock was set.
    """

    elapsed_seconds: float
    read: int
    published: int
    posts: int
    dead_letters: int
    in_flight: int
    lag_seconds: float
    cursor: str | None
    waiting_for: str | None
    source_counts: Mapping[str, int]
    behind_seconds: float | None = None
    clock_jumps: int = 0
    clock_warning: str | None = None


@dataclass(frozen=True, slots=True)
class IngestReport:
    """The result of a run. `ended`: the source has ended, and everything it gave is on the broker."""

    progress: IngestProgress
    ended: bool


@dataclass(frozen=True, slots=True)
class _InFlightGroup:
    """Events that were read together and are not yet published. `dead_letters` of them go to `posts.dead`.

    `created` are the dates of its posts, `accepted` is when they came.
    """

    cursor: str
    events: int
    created: Sequence[datetime]
    dead_letters: int
    size_bytes: int
    started: float
    accepted: datetime
    published: asyncio.Future[None]


class Ingest:
    """One run. `clock` measures durations; `now` is the wall clock, which says when events were accepted."""

    def __init__(
        self,
        source: Source,
        settings: Settings,
        topics: Topics,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._source = source
        self._settings = settings
        self._topics = topics
        self._clock = clock
        self._live = is_live(source.name)
        # A clock given by a test is obeyed.
        self._wall_clock = WallClock(now, live=self._live, installed=installed_at() if now is utc_now else None)
        self._distance = FeedLag()
        self._publisher = EventPublisher(settings, topics)
        self._keeper = CursorKeeper(settings, topics, source.name)
        self._started = clock()
        self._groups: deque[_InFlightGroup] = deque()
        self._changed = asyncio.Event()
        self._over = asyncio.Event()
        self._window = Capacity(settings.in_flight_posts, settings.in_flight_bytes)
        self._read = self._published = self._posts = self._dead_letters = 0
        self._cursor: str | None = None
        self._ended = False
        self._source_waits: str | None = None
        self._failure: Fatal | None = None

    async def run(self, stop: asyncio.Event, progress: Callable[[IngestProgress], None]) -> IngestReport:
        """Publishes the source's events until the source ends or `stop` is set. Opens and closes the source.

        Raises:
            ServiceUnavailable: the broker does not answer at the start.
            Fatal: from the source (once everything it gave is published), from the broker, or because another process
                reads this source now.
        """
        reporter = asyncio.ensure_future(self._report(progress))
        try:
            await self._work(stop)
        finally:
            reporter.cancel()
            await self._source.close()
            await self._keeper.close()
            await self._publisher.close()
            progress(self.snapshot())
        if self._failure is not None:
            raise self._failure
        return IngestReport(self.snapshot(), self._ended and not self._groups)

    async def _work(self, stop: asyncio.Event) -> None:
        """Reads until the feed ends or a stop, and saves cursors until nothing is in flight or the time is up."""
        await self._publisher.open()
        reading = asyncio.create_task(self._read_source())
        saving = asyncio.create_task(self._save_cursors())
        stopping = asyncio.create_task(self._stop(stop, reading))
        try:
            await asyncio.wait((saving, stopping, self._publisher.failure), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reading, saving, stopping):
                task.cancel()
            await asyncio.wait((reading, saving, stopping))
        for finished in (self._publisher.failure, saving, reading):
            if finished.done() and not finished.cancelled():
                finished.result()

    async def _stop(self, stop: asyncio.Event, reading: asyncio.Task[None]) -> None:
        await stop.wait()
        reading.cancel()
        await asyncio.sleep(min(float(self._settings.stop_seconds), LONGEST_STOP_SECONDS))

    async def _read_source(self) -> None:
        """Reads on from the saved cursor. A fatal error of the source waits until everything it gave before is safe."""
        try:
            self._cursor = await self._keeper.claim()
            await self._retry_while_away(lambda: self._source.open(self._cursor))
            while received := await self._retry_while_away(lambda: self._source.next_batch(READ_EVENTS)):
                await self._publish(received)
                if len(received) < SMALL_EVENTS:
                    await asyncio.sleep(GATHER_SECONDS)
            self._ended = True
        except Fatal as failure:
            self._failure = failure
        finally:
            self._over.set()
            self._changed.set()

    async def _retry_while_away(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Returns the source's answer; asks again, with a pause, while its network is down."""
        failures = 0
        while True:
            try:
                answer = await ask()
            except Retryable as error:
                self._source_waits = str(error)
                failures += 1
                await asyncio.sleep(SOURCE_BACK_OFF.delay(failures))
            else:
                self._source_waits = None
                return answer

    async def _publish(self, received: Sequence[Received]) -> None:
        """Hands a batch to the publisher when there is room for it."""
        created = [item.event.created_at for item in received if isinstance(item.event, Post)]
        accepted = self._wall_clock.stamp(created)
        records = await asyncio.to_thread(records_of, received, self._source.name, accepted, self._topics)
        size_bytes = sum(len(record.value or b"") for record in records)
        while not self._window.fits(size_bytes, len(received)):
            self._changed.clear()
            await self._changed.wait()
        started = self._clock()
        published = await self._publisher.publish(records)
        published.add_done_callback(lambda _: self._changed.set())
        dead_letters = sum(record.topic == self._topics.dead.name and record.value is not None for record in records)
        self._groups.append(
            _InFlightGroup(
                received[-1].cursor,
                len(received),
                created,
                dead_letters,
                size_bytes,
                started,
                accepted,
                published,
            )
        )
        self._read += len(received)
        self._window.hold(size_bytes, len(received))
        self._changed.set()

    async def _save_cursors(self) -> None:
        """Saves from time to time the cursor up to which the broker holds everything, until nothing more can come."""
        while self._groups or not self._over.is_set():
            count = self._published_groups()
            if not count:
                self._changed.clear()
                await self._changed.wait()
                continue
            cursor = self._groups[count - 1].cursor
            await self._keeper.save(cursor)
            self._cursor = cursor
            for _ in range(count):
                self._count(self._groups.popleft())
            self._changed.set()
            # Not `wait_for`: that of Python 3.11 swallows a cancellation that comes with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(SAVE_EVERY_SECONDS):
                    await self._over.wait()

    def _published_groups(self) -> int:
        """Counts the oldest groups that the broker holds, up to the first gap."""
        count = 0
        for group in self._groups:
            if not group.published.done():
                break
            count += 1
        return count

    def _count(self, group: _InFlightGroup) -> None:
        self._published += group.events
        self._posts += len(group.created)
        self._dead_letters += group.dead_letters
        self._window.release(group.size_bytes, group.events)
        if self._live:
            now = self._wall_clock.now()
            for created_at in group.created:
                self._distance.add(created_at, group.accepted, now)

    async def _report(self, progress: Callable[[IngestProgress], None]) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            progress(self.snapshot())

    def snapshot(self) -> IngestProgress:
        """Returns the state of the run now."""
        now = self._clock()
        self._wall_clock.now()
        lag = now - self._groups[0].started if self._groups else 0.0
        silent = f"Kafka: nothing acknowledged for {lag:.0f} s" if lag > _SILENT_SECONDS else None
        return IngestProgress(
            elapsed_seconds=now - self._started,
            read=self._read,
            published=self._published,
            posts=self._posts,
            dead_letters=self._dead_letters,
            in_flight=self._read - self._published,
            lag_seconds=lag,
            cursor=self._cursor,
            waiting_for=self._publisher.last_refusal or silent or self._source_waits,
            source_counts=self._source.counts(),
            behind_seconds=self._distance.seconds(lag),
            clock_jumps=self._wall_clock.jumps,
            clock_warning=self._wall_clock.warning,
        )
