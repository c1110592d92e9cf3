"""The stages of a worker: those that the agents of `workers/faust/app.py` run, with their threads and counters.

::

    tagged post ─▶ thumbnails ─▶ media store, then the post without them ─▶ posts.tagged ─▶ index, which thumbnails stay

Owns that order. A thumbnail is stored before its post is published, and the record is acknowledged only after both: so
wherever the work is cut off, the post comes again, and the index decides about its thumbnails again. A thumbnail whose
post cannot be published is removed before the post's dead letter is published.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from search.index import EntityIndex, Indexable
from tagstream.kafka.topics import Topics
from tagstream.runtime.daemon_thread_pool import DaemonThreadPool
from tagstream.runtime.feed_lag import FeedLag
from tagstream.runtime.metrics import EventOutcome
from tagstream.settings import Settings
from workers.faust import index_step
from workers.faust.detection import WorkerDetection
from workers.faust.records import Indexing, outgoing
from workers.images.interface import ImageModel
from workers.images.step import see
from workers.pipeline import steps
from workers.pipeline.counters import Counters
from workers.pipeline.runner import Stage, StageLimits
from workers.pipeline.settings import worker_stage_settings
from workers.pipeline.steps import Arrival, PreparedArrival, Tagged
from workers.tagger.interface import Tagger


@dataclass(frozen=True, slots=True)
class WorkerThreads:
    """The threads of a worker: one for records and preparing, some that tag, some for photos, one for detectors."""

    records: DaemonThreadPool
    tag: DaemonThreadPool
    see: DaemonThreadPool
    detect: DaemonThreadPool

    def shutdown(self) -> None:
        """Ends the threads after what they compute at the moment; nobody waits for it."""
        for pool in (self.records, self.tag, self.see, self.detect):
            pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class WorkerStages:
    """The stages, in the order of the pipeline; `see` has none where there is no image model.

    `tag_counters` and `index_counters` count what became of records, `distance` how old posts are in the index.
    """

    see: tuple[Stage[Arrival, Arrival], ...]
    prepare: Stage[Arrival, PreparedArrival]
    tag: Stage[PreparedArrival, Tagged]
    publish: Stage[Tagged, Tagged]
    index: Stage[Indexing, index_step.Indexed]
    detection: WorkerDetection | None
    tag_counters: Counters
    index_counters: Counters
    distance: FeedLag


def open_pools(settings: Settings) -> WorkerThreads:
    """Starts the threads that the settings allow. One for photos is spare: captions wait there."""
    limits = worker_stage_settings(settings)
    return WorkerThreads(
        DaemonThreadPool(1, "records"),
        DaemonThreadPool(limits.tag_threads, "tag"),
        DaemonThreadPool(limits.image_threads + 1, "see"),
        DaemonThreadPool(1, "detect"),
    )


def open_steps(
    settings: Settings,
    image_model: ImageModel | None,
    tagger: Tagger,
    index: EntityIndex,
    publish: index_step.Publish,
    topics: Topics,
    pools: WorkerThreads,
    detection: WorkerDetection | None = None,
) -> WorkerStages:
    """Makes the stages of a worker with this image model, this tagger, this index and these detectors, if any."""
    limits = worker_stage_settings(settings)
    tag_counters, index_counters, distance = Counters(), Counters(), FeedLag()
    return WorkerStages(
        see=() if image_model is None else (see(image_model, pools.see, limits.image_limits),),
        prepare=steps.prepare(tagger, pools.records, limits.prepare_limits),
        tag=steps.tag(tagger, pools.tag, limits.tag_limits),
        publish=publish_stage(index, publish, topics, tag_counters, pools.records, limits.publish_limits),
        index=index_step.index(index, publish, topics, index_counters, limits.index_limits, distance=distance),
        detection=detection,
        tag_counters=tag_counters,
        index_counters=index_counters,
        distance=distance,
    )


def publish_stage(
    index: EntityIndex,
    publish: index_step.Publish,
    topics: Topics,
    counters: Counters,
    executor: DaemonThreadPool,
    limits: StageLimits,
) -> Stage[Tagged, Tagged]:
    """Makes the stage that stores thumbnails, then publishes tagged posts without them."""

    async def publish_tagged(values: Sequence[Tagged]) -> None:
        records = await asyncio.get_running_loop().run_in_executor(
            executor, lambda: [record for value in values if (record := outgoing(value, topics))]
        )
        changes = [value.change for value in values if isinstance(value.change, Indexable)]
        if illustrated := [change for change in changes if change.thumbnails]:
            counters.add(EventOutcome.THUMBNAIL_REFUSED, await index.keep_thumbnails(illustrated))
        await publish(records)
        for value in values:
            counters.count_change(value.change)

    async def rehearse(values: Sequence[Tagged]) -> Mapping[int, Exception]:
        return await asyncio.get_running_loop().run_in_executor(
            executor, lambda: steps.failures(lambda value: outgoing(value, topics), values)
        )

    stage = steps.index(publish_tagged, rehearse, limits, name="publish")

    async def dead_letter(value: Tagged, error: Exception) -> Tagged:
        if isinstance(value.change, Indexable) and value.change.thumbnails:
            await index.discard_thumbnails([value.change])
        return await stage.dead_letter(value, error)

    return replace(stage, dead_letter=dead_letter)
