"""The worker process: starts the agents, watches them, and ends them so that nothing is lost and little repeated.

::

    start:  broker there? topics there? ─▶ health page ─▶ agents join the group
    stop:   take nothing more ─▶ finish what is in flight (at most `stop_seconds`) ─▶ commit ─▶ leave the group

Owns the life of the process. What was finished is committed before the group is left, so the next owner does not repeat
it; the rest is read again. Keeps invariants 2, 3 and 7.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from search.index import EntityIndex
from tagstream.errors import BrokerUnavailable, Fatal
from tagstream.kafka.dead_letters import BrokerDeadLetters
from tagstream.kafka.topics import open_topics
from tagstream.runtime.exposition import MetricFamily
from tagstream.runtime.health_page import HealthPage
from tagstream.settings import Settings
from workers.detection.writer import DetectionWriter
from workers.faust.agents import WorkerAgents
from workers.faust.app import create_app
from workers.faust.app_settings import WorkerApp, group_of, quiet_libraries
from workers.faust.committed_offsets import CommittedOffsets
from workers.faust.dead_letter_sweep import keep_swept
from workers.faust.detection import WorkerDetection
from workers.faust.liveness import LagMonitor, Partition
from workers.faust.metrics import worker_metrics
from workers.faust.publisher import TopicPublisher
from workers.faust.steps import WorkerStages, open_pools, open_steps
from workers.faust.transport import consumer_of
from workers.images.interface import ImageModel
from workers.notifications.notifier import open_notifier
from workers.tagger.interface import Tagger

# A commit and the leaving of a group are one round trip each; a broker that is down is not waited for.
LAST_COMMIT_SECONDS = 1.0
LEAVE_SECONDS = 1.0
_LOOKS_A_LIMIT = 10


async def run_worker(
    settings: Settings,
    image_model: ImageModel | None,
    tagger: Tagger,
    index: EntityIndex,
    *,
    stop: asyncio.Event,
    say: Callable[[str], None] = lambda _: None,
) -> int:
    """Works until `stop` is set; returns how many records were in flight then and were not finished in time.

    Raises:
        ServiceUnavailable: Kafka does not answer at the start, or lacks a topic.
        Fatal: from a stage, or because the worker is stuck or its client broken; nothing unfinished was acknowledged.
    """
    quiet_libraries()
    topics = open_topics(settings)
    committed_offsets = CommittedOffsets(settings.kafka, group_of(settings), (topics.posts.name, topics.tagged.name))
    await committed_offsets.open()
    pools = open_pools(settings)
    letters = BrokerDeadLetters(settings, topics)
    try:
        agents = WorkerAgents(pools.records)
        publish = _LatePublisher()
        writer = None
        if settings.detect_events and hasattr(index, "write_detections"):
            writer = DetectionWriter(index, await open_notifier(index, settings, say))
        detection = None
        if writer is not None:
            detection = WorkerDetection(
                settings,
                topics,
                publish,
                writer,
                pools.detect,
                generation=lambda: publish.publisher.generation,
                lags=lambda: committed_offsets.lags(()),
                say=say,
            )
        steps = open_steps(settings, image_model, tagger, index, publish, topics, pools, detection)
        app = create_app(settings, steps, agents)
        publish.publisher = TopicPublisher(app)
        agents.attach(lambda: consumer_of(app))
        worker = _Worker(settings, app, agents, steps, publish.publisher, committed_offsets, say)
        sweeping = asyncio.create_task(
            keep_swept(
                letters,
                index,
                settings.dead_letter_sweep_seconds,
                is_due=lambda: (topics.posts.name, 0) in worker.held(),
                say=say,
            )
        )
        notifying = asyncio.create_task(writer.notify() if writer else asyncio.sleep(0))
        try:
            return await worker.run(stop)
        finally:
            for task in (sweeping, notifying):
                task.cancel()
            await asyncio.gather(sweeping, notifying, return_exceptions=True)
    finally:
        pools.shutdown()
        await letters.close()
        await committed_offsets.close()


async def _within(seconds: float, work: Awaitable[Any]) -> bool:
    """Says whether the work ended in time. Work that did not is left alone: Faust's services swallow a cancellation."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait((task,), timeout=seconds)
    for ended in done:
        if not ended.cancelled() and (error := ended.exception()) is not None:
            raise Fatal(f"the worker could not end in order: {error!r}") from error
    return bool(done)


class _LatePublisher:
    """A publisher whose producer comes later: the stages are made before the app whose producer they use."""

    publisher: TopicPublisher

    def __call__(self, records: Any) -> Awaitable[None]:
        return self.publisher(records)


class _Worker:
    def __init__(
        self,
        settings: Settings,
        app: WorkerApp,
        agents: WorkerAgents,
        steps: WorkerStages,
        publisher: TopicPublisher,
        committed_offsets: CommittedOffsets,
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._app = app
        self._agents = agents
        self._steps = steps
        self._publisher = publisher
        self._committed_offsets = committed_offsets
        self._say = say
        self._started = False
        self._lag_monitor = LagMonitor(float(settings.worker_stuck_seconds))
        self._page = HealthPage(self._not_live, self._not_ready, self._metrics)

    async def run(self, stop: asyncio.Event) -> int:
        address = await self._page.open(self._settings.worker_http)
        try:
            self._say(f"working on {', '.join(self._settings.kafka)}; health at {address}/health/ready")
            await self._live(stop)
            return self._agents.in_flight
        finally:
            await self._page.close()

    async def _live(self, stop: asyncio.Event) -> None:
        """Starts the app, and returns when a stop, a crash, a failure or a stuck partition has ended it."""
        app = self._app
        ends: list[asyncio.Future[Any]] = []
        try:
            starting = asyncio.ensure_future(app.start())
            stopping = asyncio.ensure_future(stop.wait())
            crashing = asyncio.ensure_future(app._crashed.wait())
            detection = self._steps.detection
            keeping = asyncio.ensure_future(detection.keep() if detection else asyncio.Event().wait())
            watching = asyncio.ensure_future(self._watching())
            ends += [starting, stopping, crashing, self._agents.failure, keeping, watching]
            await asyncio.wait((starting, *ends[1:]), return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                self._started = True
                await asyncio.wait(ends[1:], return_when=asyncio.FIRST_COMPLETED)
            for end in (self._agents.failure, keeping, watching):
                if end.done():
                    end.result()
            if crashing.done():
                raise Fatal(f"the Kafka client broke: {app.crash_reason!r}; what was in flight was not acknowledged")
        finally:
            await self._end()
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    async def _end(self) -> None:
        """Finishes what is in flight, commits, leaves the group; each within its time."""
        self._agents.stop.set()
        if self._started:
            if not self._agents.failure.done():
                await _within(self._settings.stop_seconds, self._agents.drained())
            await _within(LAST_COMMIT_SECONDS, self._app.consumer.commit())
        if not await _within(LEAVE_SECONDS, self._app.stop()):
            self._say("the group could not be left in time: it will find out by itself")

    async def _watching(self) -> None:
        """Watches the partitions; ends with an error when one of them is stuck."""
        pause = self._settings.worker_stuck_seconds / _LOOKS_A_LIMIT
        while True:
            await asyncio.sleep(pause)
            try:
                lags = await self._committed_offsets.lags(self.held())
            except BrokerUnavailable:
                self._lag_monitor.excuse()
                continue
            ended = self._steps.detection.ended_topics() if self._steps.detection else ()
            self._lag_monitor.observe(lags, excused=self._agents.waiting_for is not None, ended=ended)
            if problem := self._not_live():
                raise Fatal(f"{problem}: a supervisor should start this worker again")

    def held(self) -> list[Partition]:
        """Returns the partitions that this worker holds at the moment."""
        if not self._started:
            return []
        return [(partition.topic, partition.partition) for partition in self._app.consumer.assignment()]

    def _not_live(self) -> str | None:
        if not self._lag_monitor.stuck:
            return None
        names = ", ".join(f"{topic}-{number}" for topic, number in sorted(self._lag_monitor.stuck))
        return f"stuck: {names} had work, and no commit for {self._settings.worker_stuck_seconds} s"

    def _not_ready(self) -> str | None:
        if self._agents.stop.is_set():
            return "stopping"
        if not self._started or self._app.rebalancing:
            return "joining the group"
        if waiting_for := self._agents.waiting_for:
            return f"waiting for {waiting_for}"
        return None

    def _metrics(self) -> Iterator[MetricFamily]:
        detection = self._steps.detection
        return worker_metrics(
            {"tag": self._steps.tag_counters, "index": self._steps.index_counters},
            self._agents.runners,
            published=self._publisher.published,
            behind_seconds=self._steps.distance.seconds(),
            lags={partition: offsets.lag for partition, offsets in self._lag_monitor.lags.items()},
            detection=None if detection is None else detection.figures(),
        )
