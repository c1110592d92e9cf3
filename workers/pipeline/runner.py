"""The runner of one stage, in whichever shape: batches, retries, dead letters, and hand-over in order of arrival.

::

    deliveries ─▶ window ─▶ micro-batches ─▶ work (several batches at a time) ─▶ in order ─▶ next stage, or acknowledge
                 (bounded)                    │ Retryable   wait and retry, without limit
                                              │ Poison      find the poison value, dead-letter it alone, go on
                                              │ Fatal       stop, acknowledge nothing more
                                              └ any other   as for Poison; where known good values fail, too: Fatal

Owns the order of effects: a value leaves only when its work and that of every value before it is done, and its
acknowledgement travels with it. So a chain of stages that acknowledges at its end keeps invariant 2, and a stage that
is cancelled at any moment has acknowledged nothing too early. Knows nothing of queues, topics, models, SQL or HTTP:
the work is `Stage.work`, values come from an asynchronous iterator, and results go to a function.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Any, Generic, NamedTuple, TypeVar

from tagstream.errors import Fatal, Poison
from tagstream.runtime.bounded_buffer import Capacity
from workers.pipeline.canaries import CanaryCheck, Judge
from workers.pipeline.microbatch import MicroBatch, MicroBatcher
from workers.pipeline.retry import RetryGate

Value = TypeVar("Value")
Result = TypeVar("Result")


class Delivery(NamedTuple, Generic[Value]):
    """A value, and the function to call once its effect, and that of every value before it, is durable."""

    value: Value
    acknowledge: Callable[[], None]


HandOver = Callable[[Sequence[Delivery[Any]]], Awaitable[None]]


class Size(NamedTuple):
    """The cost of a value: `sequences` of `length` tokens each in a batch, and `size_bytes` of the window."""

    length: int = 0
    sequences: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class StageLimits:
    """The bounds of one stage. The last two bound its window: what it holds in memory.

    `concurrency` batches are worked on at a time. A batch that its deadline closes starts only while fewer than
    `deadline_concurrency` are worked on: a feed that does not fill batches would otherwise be cut into many small ones,
    each of which costs nearly as much as a full one.

    `batch_deadline_seconds` counts from a batch's first value, and is looked at only when a batch could start: while
    all workers are busy an open batch goes on filling, which delays nothing.
    """

    batch_count: int = 256
    batch_tokens: int = 4096
    batch_deadline_seconds: float = 0.0
    concurrency: int = 1
    deadline_concurrency: int = 1
    window_count: int = 1024
    window_bytes: int = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stage(Generic[Value, Result]):
    """The work of a stage, and its limits.

    `work` answers each value of a batch, in order, and may be called again with the same values, or parts of them.
    `dead_letter` makes the dead letter of one poison value its effect. Both may raise `Retryable` and `Fatal`; only
    `work` may raise `Poison`. Without a `check` an unexpected error always counts against the value itself: a stage
    that leaves the check out says why.
    """

    name: str
    work: Callable[[Sequence[Value]], Awaitable[Sequence[Result]]]
    dead_letter: Callable[[Value, Exception], Awaitable[Result]]
    size: Callable[[Value], Size]
    limits: StageLimits
    check: CanaryCheck[Value] | None = None


# Over how many batches the share of poison values is averaged.
_SHARE_BATCHES = 4


class _Slot(Generic[Value, Result]):
    """The place of one value in the order of arrival."""

    __slots__ = ("delivery", "done", "result", "size_bytes")

    result: Result

    def __init__(self, delivery: Delivery[Value], size_bytes: int) -> None:
        self.delivery = delivery
        self.size_bytes = size_bytes
        self.done = False


class StageRunner(Generic[Value, Result]):
    """A runner that runs one stage once. Its public fields may be read at any time, for progress and metrics."""

    def __init__(
        self,
        stage: Stage[Value, Result],
        *,
        gate: RetryGate | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        limits = stage.limits
        self.gate = gate or RetryGate()
        self.batcher: MicroBatcher[_Slot[Value, Result]] = MicroBatcher(
            token_budget=limits.batch_tokens,
            max_count=limits.batch_count,
            deadline_seconds=limits.batch_deadline_seconds,
            clock=clock,
        )
        self.dead_lettered = 0
        self._stage = stage
        self._clock = clock
        self._slots: deque[_Slot[Value, Result]] = deque()  # in order of arrival, until handed over
        self._window = Capacity(limits.window_count, limits.window_bytes)
        self._ready: list[tuple[float, int, MicroBatch[_Slot[Value, Result]]]] = []  # heap, oldest first
        self._numbers = count()
        self._running = 0
        self._ended = False
        self._poison_share = 0.0
        check = stage.check
        self._judge = None if check is None else Judge(stage.name, check, stage.work, self.gate, clock)
        self._arrived = asyncio.Event()
        self._settled = asyncio.Event()
        self._room = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """The number of values that were taken and not yet handed over."""
        return len(self._slots)

    async def run(
        self,
        deliveries: AsyncIterable[Sequence[Delivery[Value]]],
        to: Callable[[Sequence[Delivery[Result]]], Awaitable[None]],
    ) -> None:
        """Works off the deliveries until they end, and hands the results to `to`, in order, one call at a time.

        To stop it in order, end `deliveries`: what was taken is then finished. To cancel it stops it at once, and
        leaves the unfinished unacknowledged.

        Raises:
            Fatal: from `work`, `dead_letter`, `to` or the deliveries; nothing is handed over after it.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._take(deliveries))
                tasks.create_task(self._start_batches(tasks))
                tasks.create_task(self._hand_over(to))
        except BaseExceptionGroup as group:
            error = worst(group)
            raise error from error.__cause__

    async def _take(self, deliveries: AsyncIterable[Sequence[Delivery[Value]]]) -> None:
        """Fills the window and the batches; stands still while the window is full, and so slows its source."""
        size_of, window = self._stage.size, self._window
        async for group in deliveries:
            for delivery in group:
                length, sequences, size_bytes = size_of(delivery.value)
                while not window.fits(size_bytes):
                    self._arrived.set()
                    self._room.clear()
                    await self._room.wait()
                slot: _Slot[Value, Result] = _Slot(delivery, size_bytes)
                self._slots.append(slot)
                window.hold(size_bytes)
                for batch in self.batcher.add(slot, length=length, sequences=sequences):
                    self._enqueue(batch)
            self._arrived.set()
        self._ended = True
        self._arrived.set()
        self._settled.set()

    def _enqueue(self, batch: MicroBatch[_Slot[Value, Result]]) -> None:
        heappush(self._ready, (batch.opened, next(self._numbers), batch))

    async def _start_batches(self, tasks: asyncio.TaskGroup) -> None:
        """Starts the batch that was opened first whenever one of the workers is free."""
        loop = asyncio.get_running_loop()
        while True:
            self._arrived.clear()
            if self._ended:
                for batch in self.batcher.drain():
                    self._enqueue(batch)
                if not self._ready:
                    return
            while self._running < self._stage.limits.concurrency and (next_batch := self._next_batch()) is not None:
                self._running += 1
                tasks.create_task(self._work_off(next_batch))
            alarm = None
            deadline = self.batcher.next_deadline()
            if self._running < self._stage.limits.deadline_concurrency and deadline is not None:
                alarm = loop.call_later(max(0.0, deadline - self._clock()), self._arrived.set)
            await self._arrived.wait()
            if alarm is not None:
                alarm.cancel()

    def _next_batch(self) -> MicroBatch[_Slot[Value, Result]] | None:
        """Takes the batch that was opened first, of those that are full and those whose deadline has come.

        An open batch is closed only for a worker that is free now: batches that wait for a worker go on filling. Full
        ones overtake it only until half of the window waits behind it. Else the window would fill up behind it, the
        source stand still, and everything be handed over at once when nothing else is left to start.
        """
        deadline = self.batcher.next_deadline()
        waits_longest = self._ready and (
            deadline is None or self._ready[0][0] <= deadline - self._stage.limits.batch_deadline_seconds
        )
        limits = self._stage.limits
        holds_up = bool(self._ready) and 2 * len(self._slots) >= limits.window_count
        may_close = not waits_longest and (self._running < limits.deadline_concurrency or holds_up)
        if may_close and (batch := self.batcher.due()) is not None:
            return batch
        return heappop(self._ready)[2] if self._ready else None

    async def _work_off(self, batch: MicroBatch[_Slot[Value, Result]]) -> None:
        before = self.dead_lettered
        results = await self._settle([slot.delivery.value for slot in batch.items])
        self._poison_share += ((self.dead_lettered - before) / len(batch.items) - self._poison_share) / _SHARE_BATCHES
        for slot, result in zip(batch.items, results, strict=True):
            slot.result = result
            slot.done = True
        self._running -= 1
        self._arrived.set()
        self._settled.set()

    async def _settle(self, values: Sequence[Value], *, examined: bool = False) -> list[Result]:
        """Returns the result of every value, in order: the work's, or for a poison value its dead letter's."""
        try:
            return await self._work(values)
        except Fatal:
            raise
        except Exception as error:  # the boundary: every error that a stage's code raises is judged here, and only here
            if len(values) == 1:
                return [await self._dead_letter(values[0], error)]
        if not examined and (without := await self._without_poison(values)) is not None:
            try:
                return await self._work(without)
            except Fatal:
                raise
            except Exception:  # values that fail only together, or only with their effect, are found by splitting
                values = without
        results: list[Result] = []
        step = self._part(len(values))
        for start in range(0, len(values), step):
            results += await self._settle(values[start : start + step], examined=True)
        return results

    async def _work(self, values: Sequence[Value]) -> list[Result]:
        results = await self.gate.run(lambda: self._stage.work(values))
        if len(results) != len(values):
            raise Fatal(f"stage {self._stage.name} answered {len(results)} of {len(values)} values: a defect of it")
        return list(results)

    def _part(self, count: int) -> int:
        """Returns how many values of a failed batch are tried together: half of them, or so few that most may pass."""
        few = round(1 / (1.5 * self._poison_share)) if self._poison_share else count
        return max(1, min((count + 1) // 2, few))

    async def _without_poison(self, values: Sequence[Value]) -> Sequence[Value] | None:
        """Returns the values, each that fails by itself replaced by its dead letter; None if that costs too much."""
        check = self._stage.check
        if check is None or check.examine is None or check.replacement is None:
            return None
        examine, replacement = check.examine, check.replacement
        try:
            errors = await self.gate.run(lambda: examine(values))
        except Fatal:
            raise
        except Exception:  # the value that makes `examine` itself fail is found by splitting
            return None
        if not errors:
            return None
        for error in errors.values():
            await self._refuse_defect(error)
        self.dead_lettered += len(errors)
        return [replacement(value, errors[at]) if at in errors else value for at, value in enumerate(values)]

    async def _refuse_defect(self, error: Exception) -> None:
        """Returns if the error may count against a value; raises `Fatal` if it is a defect of ours."""
        if self._judge is not None and not isinstance(error, Poison):
            await self._judge.judge(error)

    async def _dead_letter(self, value: Value, error: Exception) -> Result:
        await self._refuse_defect(error)
        try:
            result = await self.gate.run(lambda: self._stage.dead_letter(value, error))
        except Fatal:
            raise
        except Exception as refusal:  # the same boundary: there is nothing left to try
            raise Fatal(
                f"stage {self._stage.name} cannot keep a dead letter: {type(refusal).__name__}: {refusal}"
            ) from refusal
        self.dead_lettered += 1
        return result

    async def _hand_over(self, to: Callable[[Sequence[Delivery[Result]]], Awaitable[None]]) -> None:
        """Passes on the results that are done at the head of the order, and only then makes room for more."""
        slots = self._slots
        while not (self._ended and not slots):
            self._settled.clear()
            done: list[Delivery[Result]] = []
            size_bytes = 0
            for slot in slots:
                if not slot.done:
                    break
                done.append(Delivery(slot.result, slot.delivery.acknowledge))
                size_bytes += slot.size_bytes
            if not done:
                await self._settled.wait()
                continue
            await to(done)
            for _ in done:
                slots.popleft()
            self._window.release(size_bytes, len(done))
            self._room.set()


async def acknowledge(deliveries: Sequence[Delivery[Any]]) -> None:
    """Acknowledges each delivery: the end of a chain of stages, where all their effects are durable."""
    for delivery in deliveries:
        delivery.acknowledge()


def worst(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Returns the exception to report of several that were raised together: the first `Fatal`, else the first."""
    leaves = [worst(error) if isinstance(error, BaseExceptionGroup) else error for error in group.exceptions]
    return next((error for error in leaves if isinstance(error, Fatal)), leaves[0])
