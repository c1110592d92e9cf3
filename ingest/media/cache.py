"""What was found out lately, in memory and bounded; who asks for the same at the same time shares one answer.

In memory and never on disk: a deletion or an erasure must reach everything kept, and a restart forgets this anyway.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class SharedCache(Generic[Value]):
    """Answers by key, the least recently used forgotten first.

    `weight` in bytes and `keep_seconds` of an answer decide how much and how long. An error is not kept.
    """

    def __init__(
        self,
        *,
        max_entries: int,
        max_bytes: int,
        weight: Callable[[Value], int],
        keep_seconds: Callable[[Value], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._weight = weight
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[Value, float]] = OrderedDict()
        self._making: dict[str, asyncio.Task[Value]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, key: str, make: Callable[[], Awaitable[Value]]) -> Value:
        """The answer for `key`, made once if it is not there. Whoever is cancelled leaves the making to the others."""
        kept = self._kept.get(key)
        if kept is not None:
            value, until = kept
            if self._clock() < until:
                self._kept.move_to_end(key)
                return value
            self._forget(key)
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.create_task(self._make(key, make))
            task.add_done_callback(_seen)
        del make  # it may hold a picture's bytes, and many may wait here for one answer
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Ends what is being made."""
        tasks = list(self._making.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _make(self, key: str, make: Callable[[], Awaitable[Value]]) -> Value:
        try:
            value = await make()
        finally:
            del self._making[key]
        seconds = self._keep_seconds(value)
        if seconds > 0:
            self._kept[key] = (value, self._clock() + seconds)
            self._bytes += self._weight(value) + len(key)
            while len(self._kept) > self._max_entries or self._bytes > self._max_bytes:
                self._forget(next(iter(self._kept)))
        return value

    def _forget(self, key: str) -> None:
        value, _ = self._kept.pop(key)
        self._bytes -= self._weight(value) + len(key)


def _seen(task: "asyncio.Task[Value]") -> None:
    """Looks at the error of a task that everybody has left, or asyncio would print it."""
    if not task.cancelled():
        task.exception()
