"""The bounded buffer between the tasks of one process, and the rule by which everything bounded is bounded.

::

    put ─▶ waits while full ─▶ buffer: so many items, so many bytes ─▶ get ─▶ waits while empty
    close, fail: nothing more is put; what is held is taken first, then the end or the failure is told

A full buffer makes its producer wait, and through it the source, so a slow consumer never costs memory (invariant 6).
Where the source cannot wait, `offer` says that there is no room. Everything here belongs to one event loop.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

Item = TypeVar("Item")

_WITHOUT_BOUND = 2**63


class BufferClosed(Exception):
    """An item was put into a buffer that takes no more, or asked of one that has ended and is empty."""


class Capacity:
    """Room for `max_count` items of `max_bytes` together; counts what is held. Waits for nothing.

    A buffer holds an item until it is taken. A window holds an item until its effect is durable, and does its own
    waiting: the windows of a stage, of ingest, and of posts whose photos are being fetched. An item larger than all the
    room fits while nothing else is held, as it must not block its feed for ever.
    """

    __slots__ = ("_max_bytes", "_max_count", "count", "size_bytes")

    def __init__(self, max_count: int, max_bytes: int = _WITHOUT_BOUND) -> None:
        self.count = 0
        self.size_bytes = 0
        self._max_count = max_count
        self._max_bytes = max_bytes

    def fits(self, size_bytes: int, count: int = 1) -> bool:
        """Says whether there is room now for `count` items of `size_bytes` together."""
        within = self.count + count <= self._max_count and self.size_bytes + size_bytes <= self._max_bytes
        return within or not self.count

    def hold(self, size_bytes: int, count: int = 1) -> None:
        """Counts the items as held."""
        self.count += count
        self.size_bytes += size_bytes

    def release(self, size_bytes: int, count: int = 1) -> None:
        """Counts the items as held no longer."""
        self.count -= count
        self.size_bytes -= size_bytes


class BoundedBuffer(Generic[Item]):
    """A first-in, first-out buffer of at most `max_count` items of `max_bytes` together.

    Any number of tasks put and take. Those that wait to put are served in the order in which they came. A task that is
    cancelled while it waits has put, or taken, nothing.
    """

    def __init__(self, max_count: int, max_bytes: int = _WITHOUT_BOUND) -> None:
        self._capacity = Capacity(max_count, max_bytes)
        self._items: deque[tuple[Item, int]] = deque()
        self._closed = False
        self._failure: Exception | None = None
        self._interruption: Exception | None = None
        self._putting = asyncio.Lock()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def size_bytes(self) -> int:
        """The bytes of all items that are held."""
        return self._capacity.size_bytes

    @property
    def closed(self) -> bool:
        """Whether nothing more can be put."""
        return self._closed

    async def put(self, item: Item, size_bytes: int = 0) -> None:
        """Adds an item of that many bytes, once there is room.

        Raises:
            BufferClosed: the buffer takes no more, or stopped doing so while this waited.
        """
        if self.offer(item, size_bytes):
            return
        async with self._putting:
            while not self._closed and not self._capacity.fits(size_bytes):
                await self._change()
            self._add(item, size_bytes)

    def offer(self, item: Item, size_bytes: int = 0) -> bool:
        """Adds an item of that many bytes if there is room now; says whether it did.

        Raises:
            BufferClosed: the buffer takes no more.
        """
        if not self._closed and (self._putting.locked() or not self._capacity.fits(size_bytes)):
            return False
        self._add(item, size_bytes)
        return True

    async def get(self) -> Item:
        """Takes the oldest item, once there is one.

        Raises:
            BufferClosed: the buffer was closed, and is empty.
            Exception: what `fail` or `interrupt` was given.
        """
        if items := await self.get_many(1):
            return items[0]
        raise BufferClosed

    async def get_many(self, limit: int | None = None) -> list[Item]:
        """Takes all items that are there, at least one and at most `limit`; none only at the end.

        Raises:
            Exception: what `fail` or `interrupt` was given.
        """
        while not self._items:
            if self._failure is not None:
                raise self._failure
            if self._closed:
                return []
            if self._interruption is not None:
                interruption, self._interruption = self._interruption, None
                raise interruption
            await self._change()
        count = len(self._items) if limit is None else min(limit, len(self._items))
        return [self._pop() for _ in range(count)]

    async def __aiter__(self) -> AsyncIterator[Item]:
        """Takes item after item, until the end."""
        while items := await self.get_many(1):
            yield items[0]

    def interrupt(self, error: Exception) -> None:
        """Lets one `get` raise the error, when nothing is left to take; the next item that is put withdraws it."""
        self._interruption = error
        self._changed.set()

    def close(self) -> None:
        """Ends the buffer: nothing more is put, and what is held can still be taken."""
        self._closed = True
        self._changed.set()

    def fail(self, error: Exception) -> None:
        """Ends the buffer as `close` does; from then on a `get` of the empty buffer raises the error.

        Of several failures the first counts, and none counts after `close`.
        """
        if not self._closed:
            self._failure = error
            self.close()

    def abandon(self) -> None:
        """Ends the buffer and drops what it holds."""
        self._items.clear()
        self._capacity.release(self._capacity.size_bytes, self._capacity.count)
        self.close()

    def _add(self, item: Item, size_bytes: int) -> None:
        if self._closed:
            raise BufferClosed
        self._interruption = None
        self._items.append((item, size_bytes))
        self._capacity.hold(size_bytes)
        self._changed.set()

    def _pop(self) -> Item:
        item, size_bytes = self._items.popleft()
        self._capacity.release(size_bytes)
        self._changed.set()
        return item

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
