"""Chains of stages: order, back-pressure through every channel, hand-overs that leave out, and failures."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tagstream.errors import Fatal
from workers.pipeline.chain import run_chain
from workers.pipeline.runner import Delivery, HandOver, Size, Stage, StageLimits, StageRunner, acknowledge

LIMITS = StageLimits(batch_count=4, window_count=8)


def stage(name: str, *, fails_on: str = "", gate: asyncio.Event | None = None) -> StageRunner[str, str]:
    async def work(values: Sequence[str]) -> list[str]:
        if gate is not None:
            await gate.wait()
        if fails_on and any(fails_on in value for value in values):
            raise Fatal(f"{name} cannot go on")
        return [value + name for value in values]

    async def dead_letter(value: str, _: Exception) -> str:
        return value

    return StageRunner(Stage(name, work, dead_letter, lambda _: Size(), LIMITS))


class Feed:
    """Groups of four values. `given` counts them, `acknowledged` holds their numbers in order."""

    def __init__(self, count: int) -> None:
        self.given = 0
        self.acknowledged: list[int] = []
        self._count = count

    async def groups(self) -> AsyncIterator[list[Delivery[str]]]:
        for first in range(0, self._count, 4):
            self.given += 4
            yield [
                Delivery(str(number), lambda number=number: self.acknowledged.append(number))  # type: ignore[misc]
                for number in range(first, first + 4)
            ]


async def test_values_pass_all_stages_in_order_and_are_acknowledged_at_the_end() -> None:
    feed = Feed(100)
    results: list[str] = []

    async def take(deliveries: Sequence[Delivery[Any]]) -> None:
        results.extend(delivery.value for delivery in deliveries)
        await acknowledge(deliveries)

    async with asyncio.timeout(10):
        await run_chain(feed.groups(), [stage("a"), stage("b"), stage("c")], take)
    assert results == [f"{number}abc" for number in range(100)]
    assert feed.acknowledged == list(range(100))


async def test_a_chain_of_one_stage_needs_no_channel() -> None:
    feed = Feed(8)
    await run_chain(feed.groups(), [stage("a")], acknowledge)
    assert feed.acknowledged == list(range(8))


async def test_a_slow_last_stage_slows_the_source() -> None:
    feed, gate = Feed(400), asyncio.Event()
    running = asyncio.create_task(run_chain(feed.groups(), [stage("a"), stage("b", gate=gate)], acknowledge))
    for _ in range(500):
        await asyncio.sleep(0)
    assert feed.given <= 40, "two windows, a channel, and what is in the hands of the stages"
    gate.set()
    await asyncio.wait_for(running, 10)
    assert feed.acknowledged == list(range(400))


async def test_a_hand_over_between_stages_may_leave_deliveries_out() -> None:
    feed = Feed(8)

    def only_even(hand_over: HandOver) -> HandOver:
        async def hand_on(deliveries: Sequence[Delivery[Any]]) -> None:
            if even := [delivery for delivery in deliveries if int(delivery.value[0]) % 2 == 0]:
                await hand_over(even)

        return hand_on

    await run_chain(feed.groups(), [stage("a"), stage("b")], acknowledge, between=only_even)
    assert feed.acknowledged == [0, 2, 4, 6]


async def test_a_failure_of_any_stage_ends_the_chain_with_that_failure() -> None:
    feed = Feed(100)
    with pytest.raises(Fatal, match="b cannot go on"):
        await run_chain(feed.groups(), [stage("a"), stage("b", fails_on="50"), stage("c")], acknowledge)
    assert feed.acknowledged == list(range(len(feed.acknowledged)))
    assert 50 not in feed.acknowledged
