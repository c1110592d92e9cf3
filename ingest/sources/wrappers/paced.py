"""A source at the pace of its own clock: `--speed`.

Owns when an event is handed on, and nothing else: order, cursors and events are the source's. The clock of a feed is
the dates of its posts (`created_at`), which are hostile. So a step back does not wait, a step forward waits
`LONGEST_WAIT_SECONDS` at most, and a post from another century costs no more than that one wait. A reader that falls
behind is not slowed further: events that are due are returned at once.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from tagstream.errors import BadSettings
from tagstream.posts import Post
from tagstream.source import Received, Source

LONGEST_WAIT_SECONDS = 5.0
# Posts come in a slightly wrong order; one that is older by more shows that the clock had been set by a wrong date.
OUT_OF_ORDER = timedelta(hours=1)
_READ_EVENTS = 256


class PacedSource:
    """The source, `speed` times as fast as it was written: 1 is the original pace, 60 an hour in a minute.

    Raises:
        BadSettings: the speed is not a number above 0.
    """

    def __init__(
        self,
        source: Source,
        speed: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if not math.isfinite(speed) or speed <= 0:
            raise BadSettings(f"a speed of {speed} makes no sense: it must be a number above 0")
        self.name = source.name
        self._source = source
        self._speed = speed
        self._clock = clock
        self._sleep = sleep
        self._waiting: deque[tuple[float, Received]] = deque()
        self._feed_time: datetime | None = None
        self._due = clock()

    async def open(self, cursor: str | None) -> None:
        await self._source.open(cursor)

    async def next_batch(self, limit: int) -> Sequence[Received]:
        if not self._waiting:
            for received in await self._source.next_batch(min(limit, _READ_EVENTS)):
                self._waiting.append((self._due_time(received), received))
            if not self._waiting:
                return []
        while (early := self._waiting[0][0] - self._clock()) > 0:
            await self._sleep(early)
        now = self._clock()
        batch: list[Received] = []
        while self._waiting and len(batch) < limit and self._waiting[0][0] <= now:
            batch.append(self._waiting.popleft()[1])
        return batch

    def counts(self) -> Mapping[str, int]:
        return self._source.counts()

    async def close(self) -> None:
        await self._source.close()

    def _due_time(self, received: Received) -> float:
        """Returns when the event is due by the clock of the run; without a date it is due with the one before it."""
        event = received.event
        if not isinstance(event, Post):
            return self._due
        last = self._feed_time
        if last is None or event.created_at > last or event.created_at < last - OUT_OF_ORDER:
            self._feed_time = event.created_at
        if last is None:
            self._due = self._clock()
        elif event.created_at > last:
            seconds = (event.created_at - last).total_seconds() / self._speed
            self._due += min(seconds, LONGEST_WAIT_SECONDS)
        return self._due
