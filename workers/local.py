"""The whole pipeline in one process.

::

    source ─▶ see ─▶ prepare ─▶ tag (a batch of one length at a time) ─▶ index, with the source's cursor
              └──────── in executors ────────┘                             └─▶ detectors of trends and events

Owns the order of the stages, and how a run ends. The stages are those of the distributed shape
(`workers/pipeline/steps.py`), joined into one chain (`workers/pipeline/chain.py`) within the same limits
(`workers/pipeline/settings.py`). Keeps invariant 1: the index stores each batch together with the cursor after its last
event, in one transaction, so a killed run goes on exactly there.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from search.index import EntityIndex, SourceCursor, WriteReport
from tagstream.errors import Fatal
from tagstream.runtime.daemon_thread_pool import DaemonThreadPool, unless_stopped
from tagstream.runtime.feed_lag import is_live
from tagstream.runtime.metrics import PipelineProgress
from tagstream.runtime.wall_clock import WallClock, installed_at, utc_now
from tagstream.source import Received, Source
from workers.detection.figures import DetectionFigures
from workers.detection.runner import DetectionRunner
from workers.images.interface import ImageModel
from workers.images.step import see
from workers.pipeline import steps
from workers.pipeline.chain import run_chain
from workers.pipeline.microbatch import BatchFigures
from workers.pipeline.retry import RetryGate
from workers.pipeline.runner import Delivery, Stage, StageRunner, acknowledge, worst
from workers.pipeline.settings import StageSettings
from workers.pipeline.steps import Arrival, Tagged
from workers.pipeline.tracker import Tracker
from workers.tagger.interface import Tagger

Value = TypeVar("Value")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class RunReport:
    """The result of a run.

    `ended`: the feed has ended, and all of it is in the index. `cursor`: where the next run goes on, None if nothing
    was ever read. `abandoned` events were in flight when the time to stop ran out. Latencies are from the arrival of
    an event to its acknowledgement; `batches` are the figures of the tag stage's micro-batches,
    `detection` those of trends and events: None where none are detected.
    """

    progress: PipelineProgress
    ended: bool
    cursor: str | None
    abandoned: int
    p50_seconds: float
    p95_seconds: float
    batches: BatchFigures
    detection: DetectionFigures | None = None


async def run_pipeline(
    source: Source,
    tagger: Tagger,
    index: EntityIndex,
    *,
    image_model: ImageModel | None = None,
    settings: StageSettings | None = None,
    stop: asyncio.Event | None = None,
    progress: Callable[[PipelineProgress], None] | None = None,
    now: Callable[[], datetime] = utc_now,
    clock: Callable[[], float] = time.monotonic,
    detection: DetectionRunner | None = None,
) -> RunReport:
    """Reads the source from its saved cursor until it ends or `stop` is set; what was read by then is indexed.

    A file ends; a live feed runs until stopped. `image_model` looks at the photos, where there is one. `progress` is
    called on the event loop every `settings.progress_seconds` and once at the end. `detection` finds trends and events.
    Opens and closes the source, not the index.
    May be cancelled at any moment: the next run goes on from the saved cursor.

    Raises:
        Fatal: from the source (after all that it gave is indexed), the tagger or the index.
    """
    # The models and word lists live as long as the process: a collector that walks them again and again costs 3 %.
    gc.collect()
    gc.freeze()
    pipeline = _Pipeline(source, image_model, tagger, index, settings or StageSettings(), now, clock, detection)
    return await pipeline.run(stop or asyncio.Event(), progress or (lambda _: None))


class _Pipeline:
    """One run: the stages, joined into a chain, and the ways it ends."""

    def __init__(
        self,
        source: Source,
        image_model: ImageModel | None,
        tagger: Tagger,
        index: EntityIndex,
        settings: StageSettings,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        detection: DetectionRunner | None,
    ) -> None:
        self._source = source
        self._detection = detection
        self._index = index
        self._settings = settings
        self._clock = clock
        live = is_live(source.name)
        # A clock that was given is obeyed.
        wall = WallClock(now, live=live, installed=installed_at() if now is utc_now else None)
        self._tracker = Tracker(clock, wall, live=live)
        self._ended = False
        self._source_failure: Fatal | None = None
        self._superseded: dict[str, str] = {}  # by cursor: the first event after a restart, if any
        self._source_gate = RetryGate(settings.back_off)
        self._pools = (
            DaemonThreadPool(1, "prepare"),
            DaemonThreadPool(settings.tag_threads, "tag"),
            DaemonThreadPool(settings.image_threads + 1, "see"),
        )
        self._see = (
            None if image_model is None else self._runner(see(image_model, self._pools[2], settings.image_limits))
        )
        self._prepare = self._runner(steps.prepare(tagger, self._pools[0], settings.prepare_limits))
        self._tag = self._runner(steps.tag(tagger, self._pools[1], settings.tag_limits))
        self._write = self._runner(steps.index(self._apply, self._rehearse, settings.index_limits))

    def _runner(self, stage: Stage[Value, Result]) -> StageRunner[Value, Result]:
        return StageRunner(stage, gate=RetryGate(self._settings.back_off), clock=self._clock)

    async def run(self, stop: asyncio.Event, progress: Callable[[PipelineProgress], None]) -> RunReport:
        """Opens the source where the index says, runs the stages to the end, closes the source."""
        try:
            async with asyncio.TaskGroup() as background:
                reporter = background.create_task(self._report(progress))
                notifying = background.create_task(self._notify())
                try:
                    if await unless_stopped(stop, self._open()):
                        await self._run_stages(stop)
                finally:
                    reporter.cancel()
                    notifying.cancel()
        except BaseExceptionGroup as group:
            error = worst(group)
            raise error from error.__cause__
        finally:
            await self._source.close()
            for pool in self._pools:
                pool.shutdown(wait=False, cancel_futures=True)
            progress(self._snapshot())
        if self._source_failure is not None:
            raise self._source_failure
        tracker = self._tracker
        return RunReport(
            progress=self._snapshot(),
            ended=self._ended and not tracker.in_flight,
            cursor=tracker.cursor,
            abandoned=tracker.in_flight,
            p50_seconds=tracker.latencies.quantile(0.5),
            p95_seconds=tracker.latencies.quantile(0.95),
            batches=self._tag.batcher.figures,
            detection=None if self._detection is None else self._detection.figures(),
        )

    async def _open(self) -> bool:
        """Opens the source at the cursor that the index holds; always true, as a stop may come first."""
        if self._detection is not None:
            await self._detection.open()
        cursor = await self._write.gate.run(lambda: self._index.cursor(self._source.name))
        self._tracker.cursor = cursor
        await self._source_gate.run(lambda: self._source.open(cursor))
        return True

    async def _run_stages(self, stop: asyncio.Event) -> None:
        """Runs the stages until the last one has acknowledged all, or the time to stop has run out."""
        runners: list[StageRunner[Any, Any]] = [self._prepare, self._tag, self._write]
        if self._see is not None:
            runners.insert(0, self._see)
        try:
            async with asyncio.timeout(None) as limit:
                limiter = asyncio.create_task(self._limit_stop(stop, limit))
                try:
                    await self._run_chain(stop, runners)
                finally:
                    limiter.cancel()
        except TimeoutError:
            if not stop.is_set():
                raise

    async def _run_chain(self, stop: asyncio.Event, runners: Sequence[StageRunner[Any, Any]]) -> None:
        """Runs the stages, and beside them the detectors, until both are done."""
        detection = self._detection
        if detection is None:
            await run_chain(self._arrivals(stop), runners, self._finish)
            return
        async with asyncio.TaskGroup() as tasks:
            detecting = tasks.create_task(detection.run())
            await run_chain(self._arrivals(stop), runners, self._finish)
            detection.no_more()
            await detecting
            await detection.close_feed(ended=self._ended)

    async def _notify(self) -> None:
        if self._detection is not None:
            await self._detection.writer.notify()

    async def _limit_stop(self, stop: asyncio.Event, limit: asyncio.Timeout) -> None:
        await stop.wait()
        limit.reschedule(asyncio.get_running_loop().time() + self._settings.stop_seconds)

    async def _arrivals(self, stop: asyncio.Event) -> AsyncIterator[Sequence[Delivery[Arrival]]]:
        """Yields what the source gives, until it ends, fails or `stop` is set."""
        name = self._source.name
        acknowledge_one = self._tracker.acknowledge
        while not stop.is_set():
            received = await self._read(stop)
            if not received:
                return
            observed_at = self._tracker.arrived([item.event for item in received])
            self._superseded.update((item.cursor, item.supersedes) for item in received if item.supersedes is not None)
            yield [
                Delivery(Arrival(item.event, f"{name}@{item.cursor}", item.cursor, observed_at), acknowledge_one)
                for item in received
            ]

    async def _read(self, stop: asyncio.Event) -> Sequence[Received]:
        """Reads the next events; none if the feed has ended, has failed, or `stop` comes first."""
        try:
            received = await unless_stopped(
                stop, self._source_gate.run(lambda: self._source.next_batch(self._settings.read_posts))
            )
        except Fatal as failure:
            # What the source gave before is safe to finish; the failure is raised after that.
            self._source_failure = failure
            return ()
        if received is None:
            return ()
        self._ended = not received
        return received

    async def _apply(self, values: Sequence[Tagged]) -> WriteReport:
        """Writes a batch, with the cursor after its last event.

        Dead letters that the batch supersedes go first: after a kill in between, the source, whose cursor has not
        moved, gives the same event again. The other way round such a dead letter would stay for ever.
        """
        cursors = (value.arrival.cursor for value in values) if self._superseded else ()
        if superseded := [self._superseded[item] for item in cursors if item in self._superseded]:
            await self._index.drop_dead_letters(superseded)
        cursor = SourceCursor(self._source.name, values[-1].arrival.cursor)
        changes = [value.change for value in values]
        writer = self._index if self._detection is None else self._detection
        report = await writer.write(changes, cursor)
        self._tracker.counters.fold(report)
        return report

    async def _rehearse(self, values: Sequence[Tagged]) -> Mapping[int, Exception]:
        return await self._index.rehearse([value.change for value in values])

    async def _finish(self, deliveries: Sequence[Delivery[Tagged]]) -> None:
        for delivery in deliveries:
            self._tracker.finished(delivery.value)
        await acknowledge(deliveries)

    async def _report(self, progress: Callable[[PipelineProgress], None]) -> None:
        while True:
            await asyncio.sleep(self._settings.progress_seconds)
            progress(self._snapshot())

    def _snapshot(self) -> PipelineProgress:
        gates = (self._source_gate, self._prepare.gate, self._tag.gate, self._write.gate)
        waiting_for = next((wait for wait in (one.waiting_for for one in gates) if wait), None)
        return self._tracker.snapshot(waiting_for, self._source.counts())
