"""A bounded buffer between the task that reads a connection and the one that hands on what it gave.

Owns the bounds, in things and in bytes: a full spool makes the reader wait, and with it the network, or tells it that
there is no room, where the network does not wait. Knows nothing of what it holds. How the reader ended is told only
after everything before it was taken.
"""

import asyncio
from collections import deque
from typing import Generic, TypeVar

Held = TypeVar("Held")


class Spool(Generic[Held]):
    """First in, first out. One task puts, one takes."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._held: deque[tuple[Held, int]] = deque()
        self._bytes = 0
        self._failure: Exception | None = None
        self._changed = asyncio.Event()

    async def put(self, thing: Held, weight: int) -> None:
        """Adds a thing of that many bytes once there is room; one that is heavier than all the room comes in alone."""
        while not self.offer(thing, weight):
            await self._change()

    def offer(self, thing: Held, weight: int) -> bool:
        """Adds a thing of that many bytes if there is room for it now, and says whether there was."""
        if self._held and (len(self._held) >= self._most or self._bytes + weight > self._most_bytes):
            return False
        self._held.append((thing, weight))
        self._bytes += weight
        self._changed.set()
        return True

    def end(self, failure: Exception) -> None:
        """No more will be put; `take` raises this when everything was taken."""
        self._failure = failure
        self._changed.set()

    async def take(self) -> Held:
        """The oldest thing, once there is one."""
        while not self._held:
            if self._failure is not None:
                raise self._failure
            await self._change()
        thing, weight = self._held.popleft()
        self._bytes -= weight
        self._changed.set()
        return thing

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
