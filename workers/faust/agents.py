"""Runs the stages of an agent over its stream, and ends them when the worker does.

::

    stream ─▶ deliveries ─▶ read (executor) ─▶ runner ─▶ link ─▶ runner ─▶ … ─▶ acknowledge
               ▲ stop                             └─ what has become another's is left out at every ─▶

Owns how stages are chained and how they end: on `stop` nothing more is taken, and what was taken is finished. No error
leaves an agent, because Faust would start it again over the same stream, whose events in flight are then never
acknowledged: `failure` holds it, and the worker ends.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar

from tagstream.runtime.backoff import BackOff
from workers.faust.deliveries import Consumer, Record, current_only, deliveries
from workers.pipeline.chain import Link
from workers.pipeline.retry import RetryGate
from workers.pipeline.runner import Delivery, Stage, StageRunner, acknowledge, worst

Value = TypeVar("Value")


class Pipeline:
    """All agents of a worker. The public fields may be read at any time, for health and metrics."""

    def __init__(self, executor: Executor, back_off: BackOff | None = None) -> None:
        self.runners: dict[str, StageRunner[Any, Any]] = {}
        self.stop = asyncio.Event()
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._consumer: Callable[[], Consumer] | None = None
        self._executor = executor
        self._back_off = back_off
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def attach(self, consumer: Callable[[], Consumer]) -> None:
        """Says whose consumer is told what is finished; once, before the app starts."""
        self._consumer = consumer

    @property
    def in_flight(self) -> int:
        """Records taken and not acknowledged; one between two stages counts where it was last."""
        return sum(runner.in_flight for runner in self.runners.values())

    @property
    def waiting_for(self) -> str | None:
        """What a dependency that is down last answered; None while all work."""
        return next((wait for runner in self.runners.values() if (wait := runner.gate.waiting_for)), None)

    async def drained(self) -> None:
        """Returns when all that was taken is acknowledged, which it only can be after `stop`."""
        await self._idle.wait()

    async def run(
        self, stream: Any, read: Callable[[Sequence[Record]], Sequence[Any]], *stages: Stage[Any, Any]
    ) -> None:
        """Works the stream off, until it is cancelled; after `stop` there is nothing left to do."""
        assert self._consumer is not None, "attach() comes before the app starts"
        runners = [StageRunner(stage, gate=RetryGate(self._back_off)) for stage in stages]
        self.runners |= {stage.name: runner for stage, runner in zip(stages, runners, strict=True)}
        self._running += 1
        self._idle.clear()
        try:
            source = deliveries(stream, self._consumer(), self.stop)
            await _chain(self._read(source, read), runners)
        except Exception as error:  # the boundary: whatever ends a chain ends the worker
            if not self.failure.done():
                self.failure.set_exception(error)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()
        await asyncio.Event().wait()

    async def _read(
        self, groups: AsyncIterator[Sequence[Delivery[Record]]], read: Callable[[Sequence[Record]], Sequence[Any]]
    ) -> AsyncIterator[Sequence[Delivery[Any]]]:
        """The same deliveries, of what the records say."""
        loop = asyncio.get_running_loop()
        async for group in groups:
            records = [one.value for one in group]
            values = await loop.run_in_executor(self._executor, read, records)
            yield [Delivery(value, one.acknowledge) for value, one in zip(values, group, strict=True)]


async def _chain(source: AsyncIterator[Sequence[Delivery[Any]]], runners: Sequence[StageRunner[Any, Any]]) -> None:
    """Runs the stages one behind the other, until the source ends and all that it gave is acknowledged."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for runner in runners[:-1]:
                link: Link[Any] = Link()
                tasks.create_task(_feed(runner, source, link))
                source = link.deliveries()
            await runners[-1].run(source, acknowledge)
    except BaseExceptionGroup as group:
        error = worst(group)
        raise error from error.__cause__


async def _feed(runner: StageRunner[Any, Any], source: AsyncIterator[Sequence[Delivery[Any]]], link: Link[Any]) -> None:
    await runner.run(source, current_only(link.put))
    await link.put(())
