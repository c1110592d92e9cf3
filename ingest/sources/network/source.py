"""The base of every source behind a network connection, so that a new network is one small file.

::

    connect(cursor) ─▶ events ─▶ buffer (bounded) ─▶ next_batch
         ▲                │ the connection ends, fails or falls silent
         └── back-off ◀───┘ (jittered; a server's Retry-After counts)

Owns the connection's life: one at a time, opened again where the last event left off, never in a hurry. A full buffer
stops the reading, so that a slow pipeline slows the network and memory does not grow (invariant 6). The buffer is
bounded in events and in characters, because a thousand events may weigh 300 kB or 100 MB. The only state is the cursor.
While the network is away `next_batch` raises `FeedUnavailable` after each attempt, so that the run can say so; the next
call goes on waiting.

A network's own file says how to connect and what its frames mean (`connect`), and nothing about any of this.
"""

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tagstream.errors import Fatal, Retryable
from tagstream.posts import DeadLetter, Event, Post
from tagstream.runtime.backoff import BackOff
from tagstream.runtime.bounded_buffer import BoundedBuffer
from tagstream.source import Received

QUEUED_EVENTS = 1024
QUEUED_CHARACTERS = 8 * 1024 * 1024
# A connection that does not close within this time is left to the event loop.
CLOSE_SECONDS = 5.0
# Names the consumer to the server's operator, as every network asks.
USER_AGENT = "tagstream/0.1 (+https://github.com/tagstream/tagstream)"


class FeedUnavailable(Retryable):
    """The network of a source does not answer, refuses for now, or ended the connection.

    `retry_after_seconds` is how long the server asked us to stay away; None where it did not say.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


def retry_after_seconds(header: str | None, now: datetime | None = None) -> float | None:
    """Reads a `Retry-After` header: seconds, or a date, counted from `now` (the wall clock where None).

    Returns None where there is no header or it makes no sense; 0 for a date that has passed.
    """
    value = (header or "").strip()
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", value):
        return float(value)
    if not value or not value[0].isalpha():
        return None
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The delays between attempts: the back-off, or longer where the server asked for that.

    A connection that gave events for `settled_seconds` starts the count anew. A server's Retry-After is obeyed up to
    `longest_asked_seconds`.
    """

    first_seconds: float = 0.5
    longest_seconds: float = 60.0
    settled_seconds: float = 30.0
    longest_asked_seconds: float = 900.0
    chance: Callable[[], float] = field(default=random.random, repr=False)

    def delay(self, failures: int, retry_after_seconds: float | None) -> float:
        """Returns the seconds to wait after that many failures in a row (1 or more)."""
        own = BackOff(self.first_seconds, self.longest_seconds).delay(failures, self.chance())
        asked = min(retry_after_seconds or 0.0, self.longest_asked_seconds)
        return max(own, asked + self.chance() * min(asked, 1.0))


class NetworkSource:
    """A `Source` over a connection that may end at any time.

    A network subclasses it, gives `name`, and implements `connect`. `gaps` counts events that the network says it
    cannot give again.
    """

    def __init__(self, name: str, reconnecting: Reconnecting | None = None) -> None:
        self.name = name
        self.connections = 0
        self.gaps = 0
        self._reconnecting = reconnecting or Reconnecting()
        self._cursor: str | None = None
        self._buffer: BoundedBuffer[Received] = BoundedBuffer(QUEUED_EVENTS, QUEUED_CHARACTERS)
        self._pump: asyncio.Task[None] | None = None

    def counts(self) -> Mapping[str, int]:
        """Returns `gap` and `reconnect`; a network that passes things over adds its own."""
        return {"gap": self.gaps, "reconnect": max(0, self.connections - 1)}

    @property
    def queued(self) -> int:
        """The number of events that were received and not taken yet; at most `QUEUED_EVENTS`."""
        return len(self._buffer)

    def connect(self, cursor: str | None) -> AsyncGenerator[Received, None]:
        """Connects, and yields the events after the cursor until the connection ends.

        Without a cursor it begins with now, or with all there is. It ends without an error where the feed has ended for
        good. It may be closed at any await, and must then close its connection. A frame that cannot be read is yielded
        as a `DeadLetter`.

        Raises:
            FeedUnavailable: the connection failed, fell silent or was refused for now; it is opened again.
            Fatal: it would fail again for ever: a wrong address, refused credentials.
        """
        raise NotImplementedError

    async def open(self, cursor: str | None) -> None:
        """Sets where to begin; connects with the first `next_batch`."""
        self._cursor = cursor

    async def next_batch(self, limit: int) -> Sequence[Received]:
        """Returns at least one event, once there is one; none once the feed has ended.

        Raises:
            FeedUnavailable: an attempt failed; the next call goes on waiting.
            Fatal: the feed can never be read like this.
        """
        if self._pump is None:
            self._pump = asyncio.create_task(self._keep_connected())
        return await self._buffer.get_many(limit)

    async def close(self) -> None:
        """Ends the connection. Events that were not taken are read again from the cursor."""
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.cancel()
            await asyncio.wait({pump}, timeout=CLOSE_SECONDS)
        self._buffer.close()

    async def _keep_connected(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._buffer.closed:
            began = loop.time()
            try:
                self.connections += 1
                await self._drain()
                self._buffer.close()
            except (FeedUnavailable, OSError) as error:
                settled = loop.time() - began >= self._reconnecting.settled_seconds
                failures = 1 if settled else failures + 1
                problem = self._as_problem(error)
                self._buffer.interrupt(problem)
                await asyncio.sleep(self._reconnecting.delay(failures, problem.retry_after_seconds))
            except Fatal as failure:
                self._buffer.fail(failure)
            except asyncio.CancelledError:
                raise
            except Exception as defect:  # the boundary: a frame that our own code fails on must not be read for ever
                what = f"{type(defect).__name__}: {defect}"
                self._buffer.fail(Fatal(f"{self.name}: reading failed for a defect of ours: {what}"))

    def _as_problem(self, error: FeedUnavailable | OSError) -> FeedUnavailable:
        """Maps an error of a socket, which a network's own file let through, to the network's failure."""
        if isinstance(error, FeedUnavailable):
            return error
        return FeedUnavailable(f"{self.name}: the connection failed: {type(error).__name__}: {error}")

    async def _drain(self) -> None:
        """Reads one connection, from where the last one left off to its end."""
        async with aclosing(self.connect(self._cursor)) as events:
            async for received in events:
                await self._buffer.put(received, _characters_of(received.event))
                self._cursor = received.cursor


def _characters_of(event: Event) -> int:
    """About how many characters an event holds: those of its parts that may be long."""
    if isinstance(event, Post):
        return 512 + len(event.text) + sum(len(media.alt or "") + len(media.url or "") for media in event.media)
    return 512 + (len(event.body) if isinstance(event, DeadLetter) else 0)
