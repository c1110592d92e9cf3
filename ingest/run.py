"""From a source to the broker.

::

    source ─▶ read ─▶ window (bounded in events and bytes) ─▶ publisher ─▶ topics posts, posts.dead
                        │  in order of arrival                   │ acknowledged
                        └────────────▶ cursor saved ◀────────────┘

Owns the order of these two: a cursor is saved only when the broker holds everything up to it (invariant 1), so what a
killed run had not saved is read again, and is on the topic twice, which is harmless. A full window stops the reading
(invariant 6). During an outage everything waits; a stop gives what is in flight `stop_seconds`.
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
from tagstream.runtime.feed_lag import FeedLag, is_live
from tagstream.runtime.wall_clock import WallClock, installed_at, utc_now
from tagstream.settings import Settings
from tagstream.source import Received, Source

Answer = TypeVar("Answer")

READ_EVENTS = 256
# Posts of a live feed come one at a time, and what one batch costs, whatever its size, is as much as ten posts.
SMALL_EVENTS = 16
GATHER_SECONDS = 0.02
# A network's own back-off (`sources/network/source.py`) is kept besides.
SOURCE_BACK_OFF = BackOff(first_seconds=2.0, longest_seconds=4.0)
# Saving is a transaction of some 50 ms; what a killed run published since the last one is published again.
SAVE_EVERY_SECONDS = 0.5
# Of the 10 s in which a stop has to end: the rest is for closing.
LONGEST_STOP_SECONDS = 6.0
PROGRESS_SECONDS = 1.0
# Acknowledgements come within milliseconds, or the broker is in trouble.
_SILENT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """How a run stands: `read` events came from the source, `published` of them are on the broker with their cursor.

    `posts` and `dead_letters` count what kinds of events were published. `waiting_for` is what an outage looks like,
    `source_counts` what the source counted itself. `behind_seconds` is how far the broker is behind the network's own
    clock (None where nothing is live), `clock_warning` what is wrong with this machine's, `clock_jumps` how often it
    was set.
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
    """How a run went. `ended`: the source has ended, and all of it is on the broker."""

    progress: IngestProgress
    ended: bool


@dataclass(frozen=True, slots=True)
class _InFlightGroup:
    """Events that were read together, on their way. `dead_letters` of them are put on `posts.dead`.

    `created` are the times of its posts, `accepted` is when they came.
    """

    cursor: str
    events: int
    created: Sequence[datetime]
    dead_letters: int
    weight: int
    moment: float
    accepted: datetime
    published: asyncio.Future[None]


class Ingest:
    """One run. `clock` measures, `now` stamps events with when they were accepted."""

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
        # A clock that was given is obeyed.
        self._wall = WallClock(now, live=self._live, installed=installed_at() if now is utc_now else None)
        self._distance = FeedLag()
        self._publisher = EventPublisher(settings, topics)
        self._keeper = CursorKeeper(settings, topics, source.name)
        self._began = clock()
        self._groups: deque[_InFlightGroup] = deque()
        self._changed = asyncio.Event()
        self._over = asyncio.Event()
        self._weight = 0
        self._read = self._published = self._posts = self._dead_letters = 0
        self._cursor: str | None = None
        self._ended = False
        self._source_waits: str | None = None
        self._failure: Fatal | None = None

    async def run(self, stop: asyncio.Event, progress: Callable[[IngestProgress], None]) -> IngestReport:
        """Publishes what the source gives until it ends or `stop` is set. Opens and closes the source.

        Raises:
            ServiceUnavailable: the broker does not answer at the start.
            Fatal: from the source (after all that it gave is published), from the broker, or because another process
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
        """Reads until there is no more or a stop, and saves until nothing is in flight or the time to stop is up."""
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
        for one in (self._publisher.failure, saving, reading):
            if one.done() and not one.cancelled():
                one.result()

    async def _stop(self, stop: asyncio.Event, reading: asyncio.Task[None]) -> None:
        await stop.wait()
        reading.cancel()
        await asyncio.sleep(min(float(self._settings.stop_seconds), LONGEST_STOP_SECONDS))

    async def _read_source(self) -> None:
        """Reads from the saved cursor on; a source that cannot go on is reported when all that it gave is safe."""
        try:
            self._cursor = await self._keeper.claim()
            await self._patiently(lambda: self._source.open(self._cursor))
            while received := await self._patiently(lambda: self._source.next_batch(READ_EVENTS)):
                await self._publish(received)
                if len(received) < SMALL_EVENTS:
                    await asyncio.sleep(GATHER_SECONDS)
            self._ended = True
        except Fatal as failure:
            self._failure = failure
        finally:
            self._over.set()
            self._changed.set()

    async def _patiently(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The source's answer, asked for again while its network is down."""
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
        created = [one.event.created_at for one in received if isinstance(one.event, Post)]
        accepted = self._wall.stamp(created)
        records = await asyncio.to_thread(records_of, received, self._source.name, accepted, self._topics)
        weight = sum(len(record.value or b"") for record in records)
        while self._is_full(len(received), weight):
            self._changed.clear()
            await self._changed.wait()
        moment = self._clock()
        published = await self._publisher.publish(records)
        published.add_done_callback(lambda _: self._changed.set())
        dead_letters = sum(record.topic == self._topics.dead.name and record.value is not None for record in records)
        self._groups.append(
            _InFlightGroup(
                received[-1].cursor, len(received), created, dead_letters, weight, moment, accepted, published
            )
        )
        self._read += len(received)
        self._weight += weight
        self._changed.set()

    def _is_full(self, events: int, weight: int) -> bool:
        too_many = self._read - self._published + events > self._settings.in_flight_posts
        # A batch larger than the whole window is let in alone: it must not block the feed for ever.
        return bool(self._groups) and (too_many or self._weight + weight > self._settings.in_flight_bytes)

    async def _save_cursors(self) -> None:
        """Saves how far everything is on the broker, now and then, until nothing more can come."""
        while self._groups or not self._over.is_set():
            number = self._published_groups()
            if not number:
                self._changed.clear()
                await self._changed.wait()
                continue
            cursor = self._groups[number - 1].cursor
            await self._keeper.save(cursor)
            self._cursor = cursor
            for _ in range(number):
                self._count(self._groups.popleft())
            self._changed.set()
            # Not `wait_for`: that of Python 3.11 swallows a cancellation that comes with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(SAVE_EVERY_SECONDS):
                    await self._over.wait()

    def _published_groups(self) -> int:
        """How many of the oldest groups the broker holds, without a gap."""
        number = 0
        for group in self._groups:
            if not group.published.done():
                break
            number += 1
        return number

    def _count(self, group: _InFlightGroup) -> None:
        self._published += group.events
        self._posts += len(group.created)
        self._dead_letters += group.dead_letters
        self._weight -= group.weight
        if self._live:
            now = self._wall.now()
            for created_at in group.created:
                self._distance.add(created_at, group.accepted, now)

    async def _report(self, progress: Callable[[IngestProgress], None]) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            progress(self.snapshot())

    def snapshot(self) -> IngestProgress:
        """How the run stands now."""
        now = self._clock()
        self._wall.now()
        lag = now - self._groups[0].moment if self._groups else 0.0
        silent = f"Kafka: nothing acknowledged for {lag:.0f} s" if lag > _SILENT_SECONDS else None
        return IngestProgress(
            elapsed_seconds=now - self._began,
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
            clock_jumps=self._wall.jumps,
            clock_warning=self._wall.warning,
        )
