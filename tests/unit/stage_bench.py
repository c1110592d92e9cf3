"""One stage over integers, for tests: it fails on command and remembers all that happens."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest

from tagstream.runtime.backoff import BackOff
from workers.pipeline.canaries import CanaryCheck
from workers.pipeline.retry import RetryGate
from workers.pipeline.runner import Delivery, Size, Stage, StageLimits, StageRunner, acknowledge

DEAD = 1_000_000  # added to a value that stands for the dead letter of another
Work = Callable[[Sequence[int]], Awaitable[Sequence[str]]]


class Bench:
    """One stage over integers: result `r5` for 5, `dead5` for its dead letter. Remembers all that happens, in order."""

    def __init__(self, work: Work | None = None, **limits: float) -> None:
        self.calls: list[list[int]] = []
        self.dead_lettered: list[tuple[int, Exception]] = []
        self.handed_over: list[str] = []
        self.acknowledged: list[int] = []
        self.taken = 0
        self.most_in_flight = 0
        self.slept: list[float] = []
        self._work = work
        self.bucket: Callable[[int], Size] = lambda _: Size(8, 1, 1)
        self.gate = RetryGate(BackOff(1.0, 8.0), sleep=self._sleep, chance=lambda: 1.0)
        self._limits = StageLimits(**{"batch_count": 8, "batch_deadline_seconds": 0.001, **limits})  # type: ignore[arg-type]
        self.runner: StageRunner[int, str]
        self.check: CanaryCheck[int] | None = None
        self.asked = 0
        self.use(self._dead_letter)

    def use(self, dead_letter: Callable[[int, Exception], Awaitable[str]]) -> None:
        """Replaces how values are dead-lettered."""
        stage = Stage("bench", self._do, dead_letter, self._size, self._limits, self.check)
        self.runner = StageRunner(stage, gate=self.gate)

    def check_by(self, *canaries: int, examined: bool = False) -> None:
        """Gives the stage these canaries; with `examined` also a way to find the poison values of a batch at once."""

        async def give() -> Sequence[int]:
            self.asked += 1
            return canaries

        async def examine(values: Sequence[int]) -> dict[int, Exception]:
            assert self._work is not None
            failures: dict[int, Exception] = {}
            for place, value in enumerate(values):
                try:
                    await self._work([value])
                except Exception as error:
                    failures[place] = error
            return failures

        def replacement(value: int, error: Exception) -> int:
            self.dead_lettered.append((value, error))
            return value + DEAD

        self.check = CanaryCheck(give, examine, replacement) if examined else CanaryCheck(give)
        self.use(self._dead_letter)

    def _size(self, value: int) -> Size:
        return self.bucket(value)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    async def _do(self, values: Sequence[int]) -> Sequence[str]:
        self.calls.append(list(values))
        results = await self._work(values) if self._work else [f"r{value}" for value in values]
        named = [f"dead{value - DEAD}" if value >= DEAD else None for value in values]
        return [name or result for name, result in zip(named, results, strict=False)]

    async def _dead_letter(self, value: int, error: Exception) -> str:
        self.dead_lettered.append((value, error))
        return f"dead{value}"

    async def _deliveries(self, groups: Sequence[Sequence[int]]) -> AsyncIterator[list[Delivery[int]]]:
        for group in groups:
            self.taken += len(group)
            self.most_in_flight = max(self.most_in_flight, self.taken - len(self.handed_over))
            yield [Delivery(value, lambda value=value: self.acknowledged.append(value)) for value in group]  # type: ignore[misc]
            await asyncio.sleep(0)

    async def _to(self, deliveries: Sequence[Delivery[str]]) -> None:
        await asyncio.sleep(0)
        self.handed_over += [delivery.value for delivery in deliveries]
        await acknowledge(deliveries)

    async def run(self, *groups: Sequence[int]) -> None:
        async with asyncio.timeout(10):
            await self.runner.run(self._deliveries(groups), self._to)


async def until(condition: Callable[[], bool]) -> None:
    """Lets the others run until the condition holds."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    pytest.fail("what the test waits for never came")


def failing(poison: set[int], error: type[Exception]) -> Work:
    async def work(values: Sequence[int]) -> Sequence[str]:
        if poison & set(values):
            raise error(f"one of {len(values)}")
        return [f"r{value}" for value in values]

    return work
