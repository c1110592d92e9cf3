"""The bounded buffer: order, both bounds, waiting in turn, the ways to end, and that a cancelled task loses nothing."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagstream.runtime.bounded_buffer import BoundedBuffer, BufferClosed, Capacity


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def soon(waiting: Awaitable[Any]) -> Any:
    async with asyncio.timeout(5):
        return await waiting


def filled(count: int, *, max_count: int = 8) -> BoundedBuffer[int]:
    buffer: BoundedBuffer[int] = BoundedBuffer(max_count)
    for number in range(count):
        assert buffer.offer(number)
    return buffer


async def test_items_come_out_as_they_went_in() -> None:
    buffer = filled(5)
    assert await buffer.get() == 0
    assert await buffer.get_many(2) == [1, 2]
    assert await buffer.get_many() == [3, 4]
    assert len(buffer) == 0


async def test_a_full_buffer_makes_its_producer_wait_and_refuses_an_offer() -> None:
    buffer = filled(2, max_count=2)
    putting = asyncio.create_task(buffer.put(2))
    await settle()
    assert not putting.done()
    assert not buffer.offer(3)
    assert await buffer.get() == 0
    await soon(putting)
    assert len(buffer) == 2


async def test_bytes_bound_it_too_and_the_largest_item_comes_in_alone() -> None:
    buffer: BoundedBuffer[str] = BoundedBuffer(10, 100)
    assert buffer.offer("small", 10)
    assert not buffer.offer("huge", 1000)
    putting = asyncio.create_task(buffer.put("huge", 1000))
    await settle()
    assert not putting.done()
    assert await buffer.get() == "small"
    await soon(putting)
    assert buffer.size_bytes == 1000
    assert not buffer.offer("tiny", 0), "nothing comes in beside it"
    assert await buffer.get() == "huge"
    assert buffer.size_bytes == 0


async def test_producers_that_wait_are_served_in_turn_and_nobody_overtakes_them() -> None:
    buffer = filled(1, max_count=1)
    putting = [asyncio.create_task(buffer.put(number)) for number in (1, 2, 3)]
    await settle()
    taken = [await buffer.get()]
    assert not buffer.offer(99), "there is room, and three wait for it"
    taken += [await soon(buffer.get()) for _ in range(3)]
    assert taken == [0, 1, 2, 3]
    await asyncio.gather(*putting)


async def test_an_empty_buffer_makes_its_consumer_wait() -> None:
    buffer = filled(0)
    taking = asyncio.create_task(buffer.get_many())
    await settle()
    assert not taking.done()
    await buffer.put(7)
    assert await soon(taking) == [7]


async def test_a_close_is_told_after_what_is_held() -> None:
    buffer = filled(2)
    buffer.close()
    assert buffer.closed
    assert [item async for item in buffer] == [0, 1]
    assert await buffer.get_many() == []
    with pytest.raises(BufferClosed):
        await buffer.get()


async def test_a_failure_is_raised_after_what_is_held_again_and_again() -> None:
    buffer = filled(1)
    buffer.fail(ZeroDivisionError("first"))
    buffer.fail(ValueError("second"))
    assert await buffer.get() == 0
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="first"):
            await buffer.get_many()


async def test_no_failure_counts_after_a_close() -> None:
    buffer = filled(0)
    buffer.close()
    buffer.fail(ValueError())
    assert await buffer.get_many() == []


@pytest.mark.parametrize("end", ["close", "abandon"])
async def test_whoever_waits_to_put_or_take_is_told_of_the_end(end: str) -> None:
    full, empty = filled(1, max_count=1), filled(0)
    putting, taking = asyncio.create_task(full.put(1)), asyncio.create_task(empty.get_many())
    await settle()
    getattr(full, end)()
    getattr(empty, end)()
    with pytest.raises(BufferClosed):
        await soon(putting)
    assert await soon(taking) == []
    with pytest.raises(BufferClosed):
        full.offer(2)
    with pytest.raises(BufferClosed):
        await full.put(2)


async def test_what_is_abandoned_is_never_taken() -> None:
    buffer = filled(3)
    buffer.abandon()
    assert (len(buffer), buffer.size_bytes) == (0, 0)
    assert await buffer.get_many() == []


async def test_an_interruption_is_raised_once_and_the_buffer_goes_on() -> None:
    buffer = filled(1)
    buffer.interrupt(TimeoutError("away"))
    assert await buffer.get() == 0
    with pytest.raises(TimeoutError):
        await buffer.get()
    await buffer.put(1)
    assert await buffer.get() == 1


async def test_an_interruption_is_forgotten_once_something_comes() -> None:
    buffer = filled(0)
    buffer.interrupt(TimeoutError("away"))
    await buffer.put(1)
    assert await buffer.get() == 1
    taking = asyncio.create_task(buffer.get())
    await settle()
    assert not taking.done()
    taking.cancel()


async def test_a_cancelled_task_has_put_and_taken_nothing() -> None:
    buffer = filled(1, max_count=1)
    first, second = asyncio.create_task(buffer.put(1)), asyncio.create_task(buffer.put(2))
    await settle()
    first.cancel()
    await settle()
    assert await buffer.get() == 0
    await soon(second)
    assert await buffer.get() == 2
    taking = asyncio.create_task(buffer.get())
    await settle()
    taking.cancel()
    await settle()
    await buffer.put(3)
    assert await buffer.get() == 3


async def test_many_producers_and_consumers_lose_and_double_nothing() -> None:
    buffer: BoundedBuffer[int] = BoundedBuffer(3, 40)
    taken: list[int] = []

    async def produce(first: int) -> None:
        for number in range(first, 1000, 4):
            await buffer.put(number, number % 17)
            assert len(buffer) <= 3

    async def consume() -> None:
        async for number in buffer:
            taken.append(number)
            await asyncio.sleep(0)

    consumers = [asyncio.create_task(consume()) for _ in range(2)]
    await asyncio.gather(*(produce(first) for first in range(4)))
    buffer.close()
    await asyncio.wait_for(asyncio.gather(*consumers), 10)
    assert sorted(taken) == list(range(1000))
    assert buffer.size_bytes == 0


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 200))))
def test_no_bound_is_passed_but_by_what_is_alone(groups: list[tuple[int, int]]) -> None:
    capacity = Capacity(10, 300)
    held: list[tuple[int, int]] = []
    for count, size in groups:
        if not capacity.fits(size, count):
            count_released, size_released = held.pop(0)
            capacity.release(size_released, count_released)
            continue
        capacity.hold(size, count)
        held.append((count, size))
        assert len(held) == 1 or (capacity.count <= 10 and capacity.size_bytes <= 300)
    assert capacity.count == sum(count for count, _ in held)
