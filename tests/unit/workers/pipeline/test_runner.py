"""The stage runner when all goes well, or is cancelled: order, bounds, batching."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from stage_bench import Bench, failing, until

from tagstream.errors import ModelUnavailable, UntaggablePost
from workers.pipeline.microbatch import CloseReason
from workers.pipeline.runner import Delivery, Size


async def test_results_and_acknowledgements_keep_the_order_of_arrival() -> None:
    """Batches finish in any order, several at a time; what comes out is as if there had been one."""
    dice = random.Random(5)

    async def work(values: Sequence[int]) -> Sequence[str]:
        await asyncio.sleep(dice.random() / 200)
        return [f"r{value}" for value in values]

    bench = Bench(work, concurrency=4, batch_deadline_seconds=0.0)
    bench.bucket = lambda value: Size(8 * (1 + value % 3), 1, 1)
    await bench.run(*[range(start, start + 10) for start in range(0, 300, 10)])
    assert bench.handed_over == [f"r{value}" for value in range(300)]
    assert bench.acknowledged == list(range(300))
    # Not vacuous: batches held values of one bucket, so work itself was out of order.
    assert all(len({value % 3 for value in call}) == 1 for call in bench.calls)
    assert [value for call in bench.calls for value in call] != list(range(300))


async def test_nothing_is_handed_over_before_a_slow_head() -> None:
    released = asyncio.Event()

    async def work(values: Sequence[int]) -> Sequence[str]:
        if 0 in values:
            await released.wait()
        return [f"r{value}" for value in values]

    bench = Bench(work, concurrency=2, batch_count=1)
    task = asyncio.create_task(bench.run(range(20)))
    await until(lambda: len(bench.calls) == 20)
    assert bench.acknowledged == []
    released.set()
    await task
    assert bench.acknowledged == list(range(20))


@pytest.mark.parametrize("moments", [0, 1, 3, 10, 30])
async def test_cancelled_in_mid_batch_it_acknowledges_only_a_finished_prefix(moments: int) -> None:
    finished: set[int] = set()

    async def work(values: Sequence[int]) -> Sequence[str]:
        await asyncio.sleep(0.001 * (1 + values[0] % 5))
        finished.update(values)
        return [f"r{value}" for value in values]

    bench = Bench(work, concurrency=3)
    task = asyncio.create_task(bench.run(*[range(start, start + 4) for start in range(0, 4000, 4)]))
    await asyncio.sleep(0.001 * moments)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert bench.acknowledged == list(range(len(bench.acknowledged)))
    assert finished.issuperset(bench.acknowledged)
    assert len(bench.acknowledged) < bench.taken or not bench.taken


async def test_the_window_bounds_the_count_and_slows_the_source() -> None:
    released = asyncio.Event()

    async def work(values: Sequence[int]) -> Sequence[str]:
        await released.wait()
        return [f"r{value}" for value in values]

    bench = Bench(work, window_count=50)
    task = asyncio.create_task(bench.run(*[[value] for value in range(1000)]))
    await asyncio.sleep(0.05)
    assert bench.runner.in_flight == 50
    assert bench.taken == 51  # the next one is held, and no further one asked for
    released.set()
    await task
    assert bench.most_in_flight <= 51
    assert len(bench.acknowledged) == 1000


async def test_the_window_bounds_the_weight_and_lets_a_heavy_value_in_alone() -> None:
    most = 0

    async def work(values: Sequence[int]) -> Sequence[str]:
        nonlocal most
        most = max(most, bench.runner.in_flight)
        await asyncio.sleep(0)
        return [f"r{value}" for value in values]

    bench = Bench(work, window_bytes=10)
    bench.bucket = lambda value: Size(8, 1, 99 if value == 20 else 3)
    await bench.run(range(40))
    assert len(bench.acknowledged) == 40
    assert most == 3


async def test_an_open_batch_goes_on_filling_while_all_workers_are_busy() -> None:
    async def work(values: Sequence[int]) -> Sequence[str]:
        await asyncio.sleep(0.02)
        return [f"r{value}" for value in values]

    bench = Bench(work, batch_count=100, batch_deadline_seconds=0.001)

    async def one_by_one() -> AsyncIterator[list[Delivery[int]]]:
        for value in range(8):
            yield [Delivery(value, lambda: None)]
            await asyncio.sleep(0.002)

    await bench.runner.run(one_by_one(), bench._to)
    assert len(bench.calls[0]) <= 2
    assert max(len(call) for call in bench.calls) >= 4


async def test_of_the_overdue_batches_only_that_of_the_free_worker_is_closed() -> None:
    """The others wait for a worker anyway, and go on filling."""
    may_end = [asyncio.Event() for _ in range(4)]

    async def work(values: Sequence[int]) -> Sequence[str]:
        await may_end[len(bench.calls) - 1].wait()
        return [f"r{value}" for value in values]

    bench = Bench(work, batch_deadline_seconds=0.0)
    bench.bucket = lambda value: Size(64 if value % 2 else 8, 1, 1)

    def deliveries(*values: int) -> list[Delivery[int]]:
        return [Delivery(value, lambda: None) for value in values]

    async def feed() -> AsyncIterator[list[Delivery[int]]]:
        yield deliveries(0)
        await until(lambda: len(bench.calls) == 1)
        yield deliveries(1, 2)
        may_end[0].set()
        await until(lambda: len(bench.calls) == 2)
        yield deliveries(3, 4)
        for event in may_end:
            event.set()

    await bench.runner.run(feed(), bench._to)
    assert bench.calls == [[0], [1], [2, 4], [3]]


async def test_batches_that_are_not_full_wait_where_full_ones_start() -> None:
    may_end = asyncio.Event()

    async def work(values: Sequence[int]) -> Sequence[str]:
        await may_end.wait()
        return [f"r{value}" for value in values]

    bench = Bench(work, batch_count=3, batch_deadline_seconds=0.0, concurrency=2, deadline_concurrency=1)
    bench.bucket = lambda value: Size(64 if value % 2 else 8, 1, 1)

    def deliveries(*values: int) -> list[Delivery[int]]:
        return [Delivery(value, lambda: None) for value in values]

    async def feed() -> AsyncIterator[list[Delivery[int]]]:
        yield deliveries(0)
        await until(lambda: len(bench.calls) == 1)
        yield deliveries(2, 1)
        await asyncio.sleep(0.01)
        assert bench.calls == [[0]]
        yield deliveries(3, 5)
        await until(lambda: len(bench.calls) == 2)
        yield deliveries(4)
        may_end.set()

    await bench.runner.run(feed(), bench._to)
    assert bench.calls == [[0], [1, 3, 5], [2, 4]]


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_a_rare_length_is_not_overtaken_for_ever_by_full_batches(concurrency: int) -> None:
    """Whatever was opened first is started first: else the head of the order waits and the window fills up."""

    async def work(values: Sequence[int]) -> Sequence[str]:
        await asyncio.sleep(0.003 * (1 + len(bench.calls) % 3))  # so that they do not all end together
        return [f"r{value}" for value in values]

    bench = Bench(work, batch_count=4, concurrency=concurrency, deadline_concurrency=1, window_count=40)
    bench.bucket = lambda value: Size(64 if value == 4 else 8, 1, 1)
    await bench.run(range(4), range(4, 200))
    assert bench.calls[0] == [0, 1, 2, 3]
    assert [4] in bench.calls[1:9]


async def test_the_end_of_the_feed_drains_without_waiting_for_the_deadline() -> None:
    bench = Bench(batch_deadline_seconds=3600.0)
    await bench.run([1, 2, 3])
    assert bench.calls == [[1, 2, 3]]
    assert bench.runner.batcher.figures.batches[CloseReason.DRAIN] == 1


async def test_no_deliveries_no_calls() -> None:
    bench = Bench()
    await bench.run()
    assert bench.calls == []


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    groups=st.lists(st.integers(1, 20), max_size=12),
    concurrency=st.integers(1, 4),
    batch_count=st.integers(1, 16),
    window=st.integers(1, 40),
    poison=st.sets(st.integers(0, 240), max_size=12),
    seed=st.integers(0, 2**32),
)
def test_whatever_happens_each_value_is_answered_once_in_order(
    groups: list[int], concurrency: int, batch_count: int, window: int, poison: set[int], seed: int
) -> None:
    dice = random.Random(seed)

    async def work(values: Sequence[int]) -> Sequence[str]:
        for _ in range(dice.randrange(4)):
            await asyncio.sleep(0)
        if dice.random() < 0.2:
            raise ModelUnavailable("flickering")
        return await failing(poison, UntaggablePost)(values)

    async def scenario() -> None:
        bench = Bench(
            work, concurrency=concurrency, batch_count=batch_count, window_count=window, batch_deadline_seconds=0.0
        )
        bench.bucket = lambda value: Size(8 * (value % 3), value % 2, 1)
        starts = [sum(groups[:place]) for place in range(len(groups) + 1)]
        await bench.run(*[range(start, end) for start, end in pairwise(starts)])
        total = sum(groups)
        assert bench.acknowledged == list(range(total))
        assert bench.handed_over == [f"dead{v}" if v in poison else f"r{v}" for v in range(total)]
        assert sorted(value for value, _ in bench.dead_lettered) == sorted(v for v in poison if v < total)

    asyncio.run(scenario())
