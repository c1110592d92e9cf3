"""From a Faust stream to the deliveries of a stage runner.

::

    stream.noack().events() ─▶ inbox (bounded) ─▶ groups of Delivery(record, acknowledge) ─▶ StageRunner …
                                                       │                                        │
                                                    stop: ends here, the rest is never taken    └▶ consumer.finished

Owns the border between the two. `stream.take()` is not used: it acknowledges a batch whose processing failed. One task
pulls the stream and is never cancelled while the runner lives, so that no event is lost between two waits. What lies in
the inbox when a stop comes was never taken, and is read by the next owner of its partition.

An acknowledgement of an earlier generation does nothing, and a delivery of one may be dropped on its way
(`current_only`): since a rebalance its partition has another owner, or was read again from the last commit.
Keeps invariants 2 and 6.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from workers.pipeline.runner import Delivery

Value = TypeVar("Value")

GROUP_RECORDS = 64


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a topic. `timestamp_ms` is when it was published there, in milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]
    timestamp_ms: int

    @property
    def origin(self) -> str:
        """Its place, by which a dead letter names it."""
        return f"{self.topic}-{self.partition}-{self.offset}"


class Consumer(Protocol):
    """What is needed of the consumer (workers/faust/transport.py)."""

    def is_current(self, message: Any) -> bool: ...

    def finished(self, message: Any) -> None: ...


class Acknowledgement:
    """What a delivery is acknowledged by; and whether there is still any sense in that."""

    __slots__ = ("_consumer", "_message")

    def __init__(self, consumer: Consumer, message: Any) -> None:
        self._consumer = consumer
        self._message = message

    def __call__(self) -> None:
        if self.is_current():
            self._consumer.finished(self._message)

    def is_current(self) -> bool:
        """Whether the record's partition is still ours, as it was when the record was read."""
        return self._consumer.is_current(self._message)


async def deliveries(stream: Any, consumer: Consumer, stop: asyncio.Event) -> AsyncIterator[Sequence[Delivery[Record]]]:
    """What the stream gives, in groups, until `stop` is set or the stream ends."""
    inbox = _Inbox(stop)
    pulling = asyncio.create_task(inbox.pull(stream.noack().events()))
    stopping = asyncio.create_task(inbox.wake_at_stop())
    try:
        while events := await inbox.take():
            current = [event for event in events if consumer.is_current(event.message)]
            yield [Delivery(record_of(event.message), Acknowledgement(consumer, event.message)) for event in current]
        if pulling.done():
            pulling.result()
    finally:
        for task in (pulling, stopping):
            task.cancel()
        await asyncio.wait((pulling, stopping))
        for task in (pulling, stopping):
            if not task.cancelled():
                task.exception()  # raised above, where anybody waited for it


class _Inbox:
    """Room for a group of events. `take` answers all that are there; nothing means the end."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._events: list[Any] = []
        self._ended = False
        self._changed = asyncio.Event()
        self._room = asyncio.Event()

    async def pull(self, events: AsyncIterator[Any]) -> None:
        """Fills it from the stream; ends with it."""
        try:
            async for event in events:
                self._events.append(event)
                self._changed.set()
                while len(self._events) >= GROUP_RECORDS:
                    self._room.clear()
                    await self._room.wait()
        finally:
            self._ended = True
            self._changed.set()

    async def wake_at_stop(self) -> None:
        await self._stop.wait()
        self._changed.set()

    async def take(self) -> list[Any]:
        while not self._stop.is_set():
            if self._events:
                events, self._events = self._events, []
                self._room.set()
                return events
            if self._ended:
                break
            self._changed.clear()
            await self._changed.wait()
        return []


def record_of(message: Any) -> Record:
    """The record of a Faust message."""
    headers = message.headers or ()
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=dict(headers.items() if isinstance(headers, Mapping) else headers),
        timestamp_ms=int((message.timestamp or 0) * 1000),
    )


def current_only(
    to: Callable[[Sequence[Delivery[Value]]], Awaitable[None]],
) -> Callable[[Sequence[Delivery[Value]]], Awaitable[None]]:
    """The same hand-over, without the deliveries of earlier generations: their work is another's by now."""

    async def hand_over(group: Sequence[Delivery[Value]]) -> None:
        current = [one for one in group if cast(Acknowledgement, one.acknowledge).is_current()]
        if current:
            await to(current)

    return hand_over
