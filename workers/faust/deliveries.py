"""Deliveries: a Faust stream, as a stage runner takes it.

::

    stream.noack().events() ─▶ inbox (bounded) ─▶ groups of Delivery(record, acknowledge) ─▶ StageRunner …
                                                       │                                        │
                                                    stop: ends here, the rest is never taken    └▶ consumer.finished

Owns the border between the two. `stream.take()` is not used, because it acknowledges a batch whose processing failed.
One task pulls the stream and is never cancelled while the runner lives, so that no event is lost between two waits.
Records that lie in the inbox when a stop comes were never taken: the next owner of their partition reads them.

An acknowledgement of an earlier generation does nothing, and `current_only` drops a delivery of one on its way: since
a rebalance its partition has another owner, or was read again from the last commit. Keeps invariants 2 and 6.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from tagstream.runtime.bounded_buffer import BoundedBuffer, BufferClosed
from workers.pipeline.runner import Delivery
from workers.pipeline.settings import INBOX_RECORDS

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ConsumedRecord:
    """A record that was read from a topic. `timestamp_ms` is its time of publication, in milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]
    timestamp_ms: int

    @property
    def origin(self) -> str:
        """The key of the record's dead letter: topic, partition and offset."""
        return f"{self.topic}-{self.partition}-{self.offset}"


class OffsetConsumer(Protocol):
    """The two methods of the consumer (`workers/faust/transport.py`) that deliveries need."""

    def is_current(self, message: Any) -> bool: ...

    def finished(self, message: Any) -> None: ...


class Acknowledgement:
    """The acknowledgement of one delivery; it does nothing once the record's partition has another owner."""

    __slots__ = ("_consumer", "_message")

    def __init__(self, consumer: OffsetConsumer, message: Any) -> None:
        self._consumer = consumer
        self._message = message

    def __call__(self) -> None:
        if self.is_current():
            self._consumer.finished(self._message)

    def is_current(self) -> bool:
        """Says whether the record's partition is still ours, as it was when the record was read."""
        return self._consumer.is_current(self._message)


async def deliveries(
    stream: Any, consumer: OffsetConsumer, stop: asyncio.Event
) -> AsyncIterator[Sequence[Delivery[ConsumedRecord]]]:
    """Yields what the stream gives, in groups, until `stop` is set or the stream ends."""
    inbox: BoundedBuffer[Any] = BoundedBuffer(INBOX_RECORDS)
    pulling = asyncio.create_task(_pull(stream.noack().events(), inbox))
    stopping = asyncio.create_task(_abandon_at(stop, inbox))
    try:
        while (events := await inbox.get_many()) and not stop.is_set():
            current = [event.message for event in events if consumer.is_current(event.message)]
            yield [Delivery(record_of(message), Acknowledgement(consumer, message)) for message in current]
    finally:
        for task in (pulling, stopping):
            task.cancel()
        await asyncio.wait((pulling, stopping))


async def _pull(events: AsyncIterator[Any], inbox: BoundedBuffer[Any]) -> None:
    """Fills the inbox from the stream, and ends it as the stream ends."""
    try:
        async for event in events:
            await inbox.put(event)
    except BufferClosed:
        return  # the worker stops: the next owner of the partition reads this event
    except Exception as error:  # the boundary of a task: `get_many` raises it
        inbox.fail(error)
    else:
        inbox.close()


async def _abandon_at(stop: asyncio.Event, inbox: BoundedBuffer[Any]) -> None:
    """Drops what lies in the inbox when the worker stops: it was never taken."""
    await stop.wait()
    inbox.abandon()


def record_of(message: Any) -> ConsumedRecord:
    """Returns the record of a Faust message."""
    headers = message.headers or ()
    return ConsumedRecord(
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
    """Returns the hand-over without the deliveries of earlier generations: they belong to another worker by now."""

    async def hand_over(group: Sequence[Delivery[Value]]) -> None:
        current = [delivery for delivery in group if cast(Acknowledgement, delivery.acknowledge).is_current()]
        if current:
            await to(current)

    return hand_over
