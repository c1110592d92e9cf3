"""The gate before a dependency that may be down: who waits, for how long, and what ends the wait."""

import asyncio

from tagstream.errors import Retryable
from tagstream.runtime.backoff import BackOff
from workers.pipeline.retry import RetryGate


class Away(Retryable):
    """Scripted."""


def gate_that_sleeps_for_ever(slept):
    async def sleep(seconds):
        slept.append(seconds)
        await asyncio.Event().wait()

    return RetryGate(BackOff(1.0, 8.0), sleep=sleep, chance=lambda: 1.0)


async def test_a_call_that_is_answered_after_all_ends_the_wait_of_the_others():
    """Else a batch that missed one answer stands still for seconds while all others pass, and holds up their order."""
    slept = []
    gate = gate_that_sleeps_for_ever(slept)
    answer = asyncio.Event()
    failures = iter([Away("late"), None])

    async def slow():
        await answer.wait()
        return "slow"

    async def fails_once():
        if (error := next(failures)) is not None:
            raise error
        return "again"

    on_its_way = asyncio.create_task(gate.run(slow))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(gate.run(fails_once))
    for _ in range(5):
        await asyncio.sleep(0)
    assert slept == [1.0]
    assert not waiting.done()
    answer.set()
    async with asyncio.timeout(5):
        assert [await on_its_way, await waiting] == ["slow", "again"]


async def test_calls_that_fail_together_are_one_failure():
    slept = []
    gate = gate_that_sleeps_for_ever(slept)
    fail = asyncio.Event()

    async def fails():
        await fail.wait()
        raise Away("all at once")

    calls = [asyncio.create_task(gate.run(fails)) for _ in range(8)]
    await asyncio.sleep(0)
    fail.set()
    for _ in range(20):
        await asyncio.sleep(0)
    assert slept == [1.0]
    assert gate.outages == 1
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
