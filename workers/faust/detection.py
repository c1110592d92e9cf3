"""The detectors of a worker: mentions of what it indexes, trends of its partitions, and events where it is the one.

::

    Indexed ─▶ mention ─▶ mentions ─▶ trends (a detector a partition) ─▶ trends ─▶ events (one) ─▶ the index, webhooks

Owns how the three are made and kept: snapshots when they are due, and the partitions in which nothing comes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor

from search.detection.event_timeline import ClosedMinute, EventTimeline
from search.detection.trend_partition import TrendPartition
from tagstream.detections import MentionBatch, MinuteOfTrends
from tagstream.errors import BrokerUnavailable, TagstreamError
from tagstream.kafka.topics import Topics
from tagstream.settings import Settings
from workers.detection.figures import DetectionFigures, figures_of
from workers.detection.writer import DetectionWriter
from workers.faust.detector_agent import DetectorAgent, DetectorKind
from workers.faust.detector_states import DetectorStates
from workers.faust.index_step import Publish
from workers.faust.liveness import Partition, PartitionLag
from workers.faust.mention_step import MentionPublisher
from workers.faust.mentions import ReadMentions, ReadTrends, mention_record, trend_records
from workers.faust.silence import SilenceWatch
from workers.pipeline.settings import worker_stage_settings
from workers.pipeline.steps import explain

_LOOK_SECONDS = 3.0

Lags = Callable[[], Awaitable[Mapping[Partition, PartitionLag]]]


class WorkerDetection:
    """The stages of detection, and the task that keeps them. `passed_over` counts records that are none of ours."""

    def __init__(
        self,
        settings: Settings,
        topics: Topics,
        publish: Publish,
        writer: DetectionWriter,
        executor: Executor,
        generation: Callable[[], int],
        lags: Lags,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.passed_over = 0
        self._say = say
        self._silence_failure: Exception | None = None
        self._unsampled = 0
        self._writer = writer
        self._topics = topics
        self._publish = publish
        self._lags = lags
        self._watches: dict[int, SilenceWatch] = {}
        states = DetectorStates(settings, topics, generation)
        limits = worker_stage_settings(settings).publish_limits
        # Well within the time after which a partition without commits counts as stuck.
        seconds = min(settings.detector_snapshot_seconds, settings.worker_stuck_seconds / 3)
        partitions = topics.mentions.partitions
        self.publisher = MentionPublisher(publish, topics, states, generation, executor, say)
        self.mention = self.publisher.stage(limits)
        self.trends: DetectorAgent[TrendPartition, ReadMentions] = DetectorAgent(
            DetectorKind(
                "trends",
                make=lambda number: TrendPartition(number, partitions),
                restore=TrendPartition.restore,
                take=self._take_mentions,
                emit=self._publish_trends,
            ),
            states,
            publish,
            executor,
            generation,
            snapshot_seconds=seconds,
            say=say,
        )
        self.events: DetectorAgent[EventTimeline, ReadTrends] = DetectorAgent(
            DetectorKind(
                "events",
                make=lambda _: EventTimeline(partitions),
                restore=EventTimeline.restore,
                take=self._take_trends,
                emit=writer.attempt,
            ),
            states,
            publish,
            executor,
            generation,
            snapshot_seconds=seconds,
            say=say,
        )
        self.trends_stage = self.trends.stage(limits)
        self.events_stage = self.events.stage(limits)

    def figures(self) -> DetectionFigures:
        """Returns what was counted since this worker began."""
        return figures_of(
            self._writer,
            late=self.publisher.late,
            passed_over=self._unsampled,
            failures=self.publisher.failed
            + sum(one is not None for one in (self.trends.failure, self.events.failure, self._silence_failure)),
        )

    def ended_topics(self) -> set[str]:
        """Returns the topics whose detectors a defect has ended: of these nothing is acknowledged any more."""
        failures = {self._topics.mentions.name: self.trends.failure, self._topics.trends.name: self.events.failure}
        return {topic for topic, failure in failures.items() if failure is not None}

    async def keep(self) -> None:
        """Saves what is due though nothing comes, and passes partitions that fell silent; until it is cancelled.

        An outage is left to the next look: the stages meet the same, and wait. After a defect silent partitions are
        waited for.
        """
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self.trends.save_due()
                await self.events.save_due()
                if self._silence_failure is None:
                    await self._pass_silent()
            except BrokerUnavailable:
                continue
            except TagstreamError:
                raise
            except Exception as error:  # the boundary to the watch: a defect of ours is not the feed's
                self._silence_failure = error
                self._say(f"partitions without posts now hold up trends and events: {explain(error)}")

    async def _pass_silent(self) -> None:
        watermarks = {number: list(kept.detector.watermarks) for number, kept in self.trends.partitions.items()}
        if not watermarks:
            return
        lags = await self._lags()
        posts, tagged = self._topics.posts.name, self._topics.tagged.name
        for number, known in watermarks.items():
            watch = self._watches.setdefault(number, SilenceWatch(posts, tagged))
            lifted = watch.look(known, lags)
            await self._publish(
                [
                    mention_record(MentionBatch(source_partition=source, watermark=minute), number, self._topics)
                    for source, minute in sorted(lifted.items())
                ]
            )

    def _take_mentions(self, detector: TrendPartition, record: ReadMentions) -> Sequence[MinuteOfTrends]:
        if record.batch is None or record.batch.source_partition >= len(detector.watermarks):
            self.passed_over += 1
            return ()
        before = detector.passed_over
        minutes = detector.take(record.batch)
        self._unsampled += detector.passed_over - before
        return minutes

    def _take_trends(self, detector: EventTimeline, record: ReadTrends) -> Sequence[ClosedMinute]:
        if record.minute is None:
            self.passed_over += 1
            return ()
        return detector.take(record.minute)

    async def _publish_trends(self, minutes: Sequence[MinuteOfTrends]) -> None:
        await self._publish(
            await asyncio.to_thread(
                lambda: [record for minute in minutes for record in trend_records(minute, self._topics)]
            )
        )
