"""From a stream to deliveries: nothing taken is lost, nothing stale is acknowledged, a stop ends it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from faust_fakes import FakeConsumer, FakeStream, Message, messages

from workers.faust.deliveries import Acknowledgement, current_only, deliveries, record_of
from workers.pipeline.runner import Delivery
from workers.pipeline.settings import INBOX_RECORDS


async def collect(stream: FakeStream, consumer: FakeConsumer, stop: asyncio.Event) -> list[int]:
    taken = []
    async for group in deliveries(stream, consumer, stop):
        assert 0 < len(group) <= INBOX_RECORDS
        taken += [one.value.offset for one in group]
        for one in group:
            one.acknowledge()
    return taken


async def test_every_event_is_delivered_in_order_and_acknowledged() -> None:
    stream, consumer = FakeStream(), FakeConsumer()
    stream.put(*messages(500))
    stream.close()
    assert await collect(stream, consumer, asyncio.Event()) == list(range(500))
    assert consumer.offsets == list(range(500))


async def test_no_more_is_pulled_than_a_group_while_nobody_takes() -> None:
    stream = FakeStream()
    stream.put(*messages(500))
    groups = deliveries(stream, FakeConsumer(), asyncio.Event())
    first = await anext(groups)
    for _ in range(1000):
        await asyncio.sleep(0)
    assert stream.pulled <= len(first) + INBOX_RECORDS + 1
    await groups.aclose()  # type: ignore[attr-defined]


async def test_a_stop_ends_it_although_the_stream_goes_on() -> None:
    stream, stop = FakeStream(), asyncio.Event()
    stream.put(*messages(3))
    groups = deliveries(stream, FakeConsumer(), stop)
    assert len(await anext(groups)) == 3
    waiting = asyncio.ensure_future(anext(groups, None))
    await asyncio.sleep(0)
    stop.set()
    assert await asyncio.wait_for(waiting, 5) is None


async def test_the_error_of_a_stream_comes_out() -> None:
    class Broken(FakeStream):
        async def events(self) -> Any:
            yield type("Event", (), {"message": Message()})
            raise ZeroDivisionError

    groups = deliveries(Broken(), FakeConsumer(), asyncio.Event())
    assert len(await anext(groups)) == 1
    with pytest.raises(ZeroDivisionError):
        await anext(groups)


async def test_events_of_an_earlier_generation_are_not_even_delivered() -> None:
    stream, consumer = FakeStream(), FakeConsumer(generation=2)
    stream.put(*messages(3, generation_id=1), *messages(2, first=10, generation_id=2))
    stream.close()
    assert await collect(stream, consumer, asyncio.Event()) == [10, 11]


def test_an_acknowledgement_of_an_earlier_generation_does_nothing() -> None:
    consumer = FakeConsumer(generation=1)
    acknowledgement = Acknowledgement(consumer, Message(offset=7))
    consumer.generation = 2
    acknowledgement()
    assert consumer.offsets == []


async def test_what_became_another_s_is_left_out_of_a_hand_over() -> None:
    handed: list[Sequence[Delivery[str]]] = []

    async def to(group: Sequence[Delivery[str]]) -> None:
        handed.append(group)

    consumer = FakeConsumer(generation=2)
    old = Delivery("old", Acknowledgement(consumer, Message(generation_id=1)))
    new = Delivery("new", Acknowledgement(consumer, Message(generation_id=2)))
    await current_only(to)([old, new])
    await current_only(to)([old])
    assert [[one.value for one in group] for group in handed] == [["new"]]


@pytest.mark.parametrize("headers", [None, (), {}, {"kind": b"tagged"}, [("kind", b"tagged")]])
def test_a_record_of_any_message(headers: Any) -> None:
    record = record_of(Message(headers=headers, offset=4, timestamp=None))
    assert record.origin == "posts-0-4"
    assert record.timestamp_ms == 0
    assert dict(record.headers) == ({"kind": b"tagged"} if headers else {})
