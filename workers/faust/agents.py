"""The agents of a worker: each runs its chain of stages over its stream, and ends when the worker does.

::

    stream ─▶ deliveries ─▶ read (executor) ─▶ stage ─▶ channel ─▶ stage ─▶ … ─▶ acknowledge
               ▲ stop                             └─ records whose partition has another owner are left out at every ─▶

Owns how the chains end: on `stop` nothing more is taken, and what was taken is finished. No error leaves an agent,
because Faust would start the agent again over the same stream, whose events in flight are then never acknowledged.
`failure` holds the error instead, and the worker ends.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Executor
from typing import Any

from tagstream.runtime.backoff import BackOff
from workers.faust.deliveries import ConsumedRecord, OffsetConsumer, current_only, deliveries
from workers.pipeline.chain import run_chain
from workers.pipeline.retry import RetryGate
from workers.pipeline.runner import Delivery, HandOver, Stage, StageRunner, acknowledge

Read = Callable[[Sequence[ConsumedRecord]], Sequence[Any]]


class WorkerAgents:
    """All agents of a worker. The public fields may be read at any time, for health and metrics."""

    def __init__(self, executor: Executor, back_off: BackOff | None = None) -> None:
        self.runners: dict[str, StageRunner[Any, Any]] = {}
        self.stop = asyncio.Event()
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._consumer: Callable[[], OffsetConsumer] | None = None
        self._executor = executor
        self._back_off = back_off
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def attach(self, consumer: Callable[[], OffsetConsumer]) -> None:
        """Names the consumer that is told what is finished. Called once, before the app starts."""
        self._consumer = consumer

    @property
    def in_flight(self) -> int:
        """The records that were taken and not acknowledged; a record between two stages counts where it was last."""
        return sum(runner.in_flight for runner in self.runners.values())

    @property
    def waiting_for(self) -> str | None:
        """The last answer of a dependency that is down; None while all work."""
        return next((wait for runner in self.runners.values() if (wait := runner.gate.waiting_for)), None)

    async def drained(self) -> None:
        """Returns when all that was taken is acknowledged, which happens only after `stop`."""
        await self._idle.wait()

    async def run(
        self,
        stream: Any,
        read: Read,
        *stages: Stage[Any, Any],
        to: HandOver = acknowledge,
        finish: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Works off the stream until it is cancelled; after `stop` there is nothing left to do.

        What the last stage gives is handed `to`, which acknowledges it at once or later. `finish` is called when all
        that was taken has been handed over.
        """
        assert self._consumer is not None, "attach() comes before the app starts"
        runners = [StageRunner(stage, gate=RetryGate(self._back_off)) for stage in stages]
        self.runners |= {stage.name: runner for stage, runner in zip(stages, runners, strict=True)}
        self._running += 1
        self._idle.clear()
        try:
            source = self._read(deliveries(stream, self._consumer(), self.stop), read)
            await run_chain(source, runners, to, between=current_only)
            if finish is not None:
                await finish()
        except Exception as error:  # the boundary: every error that ends a chain ends the worker
            if not self.failure.done():
                self.failure.set_exception(error)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()
        await asyncio.Event().wait()

    async def _read(
        self, groups: AsyncIterator[Sequence[Delivery[ConsumedRecord]]], read: Read
    ) -> AsyncIterator[Sequence[Delivery[Any]]]:
        """Yields the same deliveries, of the values that the records hold."""
        loop = asyncio.get_running_loop()
        async for group in groups:
            records = [delivery.value for delivery in group]
            values = await loop.run_in_executor(self._executor, read, records)
            yield [Delivery(value, delivery.acknowledge) for value, delivery in zip(values, group, strict=True)]
