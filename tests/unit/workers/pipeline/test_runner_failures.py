"""The stage runner when its work fails: outages wait, the poison are found, defects stop it."""

import asyncio
import math
import random
from collections.abc import Sequence

import pytest
from stage_bench import Bench, failing, until

from tagstream.errors import CorruptState, Fatal, ModelUnavailable, Poison, Retryable, UntaggablePost
from tagstream.runtime.backoff import BackOff


async def test_an_outage_waits_with_back_off_and_dead_letters_nobody() -> None:
    failures = 12

    async def work(values: Sequence[int]) -> Sequence[str]:
        nonlocal failures
        await asyncio.sleep(0)
        if failures:
            failures -= 1
            raise ModelUnavailable("down")
        return [f"r{value}" for value in values]

    bench = Bench(work, concurrency=3)
    await bench.run(range(40))
    assert bench.handed_over == [f"r{value}" for value in range(40)]
    assert bench.dead_lettered == []
    assert all(len(call) == 8 for call in bench.calls)  # an outage never splits a batch
    assert bench.slept[-1] == 8.0  # up to the longest, and no further
    assert bench.gate.waiting_for is None
    assert bench.gate.outages == 1


async def test_while_a_dependency_is_down_only_one_batch_asks() -> None:
    asking = most_asking = 0
    down = True

    async def work(values: Sequence[int]) -> Sequence[str]:
        nonlocal asking, most_asking
        asking += 1
        if bench.gate.waiting_for:
            most_asking = max(most_asking, asking)
        await asyncio.sleep(0.0005)
        asking -= 1
        if down:
            raise ModelUnavailable("no answer from a test")
        return [f"r{value}" for value in values]

    bench = Bench(work, concurrency=4)
    task = asyncio.create_task(bench.run(range(64)))
    await until(lambda: bench.gate.retries >= 20)
    assert bench.gate.waiting_for == "ModelUnavailable: no answer from a test"
    down = False
    await task
    assert most_asking == 1
    assert len(bench.acknowledged) == 64


def test_back_off_doubles_to_its_limit_with_jitter() -> None:
    back_off = BackOff(0.1, 10.0)
    assert [back_off.delay(failures, 1.0) for failures in (1, 2, 3, 8, 9)] == pytest.approx([0.1, 0.2, 0.4, 10, 10])
    assert back_off.delay(3, 0.0) == pytest.approx(0.2)
    assert back_off.delay(10**9, 1.0) == 10.0


@pytest.mark.parametrize("poison", [{0}, {63}, {17}, {5, 6}, {0, 31, 32, 63}])
async def test_poison_values_are_found_with_few_calls_and_only_they_are_dead_lettered(poison: set[int]) -> None:
    bench = Bench(failing(poison, UntaggablePost), batch_count=64)
    await bench.run(range(64))
    assert {value for value, _ in bench.dead_lettered} == poison
    assert all(isinstance(error, Poison) for _, error in bench.dead_lettered)
    assert bench.handed_over == [f"dead{value}" if value in poison else f"r{value}" for value in range(64)]
    assert bench.acknowledged == list(range(64))
    assert len(bench.calls) <= 1 + len(poison) * 2 * math.log2(64)


async def test_an_outage_in_the_middle_of_splitting_accuses_nobody_else() -> None:
    dice = random.Random(1)

    async def work(values: Sequence[int]) -> Sequence[str]:
        if dice.random() < 0.5:
            raise ModelUnavailable("flickering")
        return await failing({11}, UntaggablePost)(values)

    bench = Bench(work, batch_count=32, concurrency=2)
    await bench.run(range(128))
    assert [value for value, _ in bench.dead_lettered] == [11]
    assert len(bench.acknowledged) == 128


async def test_a_value_that_meets_a_defect_is_dead_lettered() -> None:
    bench = Bench(failing({5}, ZeroDivisionError))
    await bench.run(range(40))
    assert [(value, type(error)) for value, error in bench.dead_lettered] == [(5, ZeroDivisionError)]
    assert len(bench.acknowledged) == 40


async def test_fatal_stops_and_acknowledges_nothing_from_there_on() -> None:
    async def work(values: Sequence[int]) -> Sequence[str]:
        await asyncio.sleep(0.001)
        if 40 in values:
            raise CorruptState("says a test")
        return [f"r{value}" for value in values]

    bench = Bench(work, concurrency=3)
    with pytest.raises(CorruptState, match="says a test"):
        await bench.run(*[range(start, start + 4) for start in range(0, 200, 4)])
    assert bench.acknowledged == list(range(len(bench.acknowledged)))
    assert len(bench.acknowledged) <= 40
    acknowledged = len(bench.acknowledged)
    await asyncio.sleep(0.02)
    assert len(bench.acknowledged) == acknowledged
    assert bench.dead_lettered == []


@pytest.mark.parametrize("refusal", [UntaggablePost, ZeroDivisionError])
async def test_a_dead_letter_that_cannot_be_kept_is_fatal(refusal: type[Exception]) -> None:
    bench = Bench(failing({3}, UntaggablePost))

    async def refuse(value: int, error: Exception) -> str:
        raise refusal(f"not even the letter of {value}") from error

    bench.use(refuse)
    with pytest.raises(Fatal, match="cannot keep a dead letter"):
        await bench.run(range(8))
    assert bench.acknowledged == []


async def test_a_dead_letter_waits_for_an_outage_too() -> None:
    bench = Bench(failing({3}, UntaggablePost))
    outages = 3

    async def dead_letter(value: int, error: Exception) -> str:
        nonlocal outages
        if outages:
            outages -= 1
            raise Retryable("down") from error
        return f"dead{value}"

    bench.use(dead_letter)
    await bench.run(range(8))
    assert bench.handed_over[3] == "dead3"
    assert outages == 0


async def test_a_stage_that_answers_too_little_is_fatal() -> None:
    async def work(values: Sequence[int]) -> Sequence[str]:
        return ["r"] * (len(values) - 1)

    bench = Bench(work)
    with pytest.raises(Fatal, match="7 of 8"):
        await bench.run(range(8))
    assert bench.acknowledged == []
