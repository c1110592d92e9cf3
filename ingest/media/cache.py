"""A bounded cache in memory whose callers share one computation for each key.

In memory and never on disk: a deletion or an erasure must reach everything that is kept, and a restart forgets this.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from cachetools import TLRUCache

Value = TypeVar("Value")


class SharedCache(Generic[Value]):
    """Values by key; the least recently used is forgotten first.

    `size_of` (bytes) and `keep_seconds` of a value decide how many are kept, and how long. An error is not kept.
    """

    def __init__(
        self,
        *,
        max_entries: int,
        max_bytes: int,
        size_of: Callable[[Value], int],
        keep_seconds: Callable[[Value], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._size_of = size_of
        self._kept: TLRUCache[str, tuple[Value, int]] = TLRUCache(
            max_bytes,
            ttu=lambda _, kept, now: now + keep_seconds(kept[0]),
            timer=clock,
            getsizeof=lambda kept: kept[1],
        )
        self._computing: dict[str, asyncio.Task[Value]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, key: str, compute: Callable[[], Awaitable[Value]]) -> Value:
        """Returns the value for the key, computed once where it is not there.

        A caller that is cancelled leaves the computation to the others.
        """
        kept = self._kept.get(key)
        if kept is not None:
            return kept[0]
        task = self._computing.get(key)
        if task is None:
            task = self._computing[key] = asyncio.create_task(self._compute(key, compute))
            task.add_done_callback(_retrieve_exception)
        del compute  # it may hold an image's bytes, and many callers may wait here for one answer
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Cancels the computations under way."""
        tasks = list(self._computing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _compute(self, key: str, compute: Callable[[], Awaitable[Value]]) -> Value:
        try:
            value = await compute()
        finally:
            del self._computing[key]
        size_bytes = self._size_of(value) + len(key)
        if size_bytes <= self._max_bytes:
            self._kept[key] = (value, size_bytes)
            while len(self._kept) > self._max_entries:
                self._kept.popitem()
        return value


def _retrieve_exception(task: "asyncio.Task[Value]") -> None:
    """Retrieves the exception of a task that every caller has left, or asyncio would print it."""
    if not task.cancelled():
        task.exception()
