"""The stages of a worker: what the agents of `workers/faust/app.py` are made of, with their limits and counters.

::

    tagged post ─▶ thumbnails ─▶ media store, then the post without them ─▶ posts.tagged ─▶ index, which thumbnails stay

Owns that order. A thumbnail is stored before its post is published, and its record acknowledged only after both: so
whatever is cut off in between, the post comes again, and the index decides about its thumbnails again. One whose post
cannot be published is removed before its dead letter is.
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
from workers.faust.deliveries import GROUP_RECORDS
from workers.faust.records import Indexing, outgoing
from workers.images.interface import ImageModel
from workers.images.step import see
from workers.pipeline import steps
from workers.pipeline.counters import Counters
from workers.pipeline.runner import Limits, Stage
from workers.pipeline.steps import Arrival, Prepared, Tagged
from workers.tagger.interface import Tagger

_INDEX_POSTS = 256
_PHOTOS = 32
# Records come one at a time, and a hop to a thread and back costs as much as preparing ten posts.
_GATHER_SECONDS = 0.01
_INDEX_DEADLINE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Pools:
    """The threads of a worker: one that reads and writes records and prepares posts, some that tag, one for photos."""

    records: DaemonThreadPool
    tag: DaemonThreadPool
    see: DaemonThreadPool

    def shutdown(self) -> None:
        """Ends them after what they compute at the moment; nobody waits for it."""
        for pool in (self.records, self.tag, self.see):
            pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Steps:
    """The stages, in the order of the pipeline; `see` has none where there is no image model.

    `tag_counters` and `index_counters` say what became of records, `distance` how old posts are in the index.
    """

    see: tuple[Stage[Arrival, Arrival], ...]
    prepare: Stage[Arrival, Prepared]
    tag: Stage[Prepared, Tagged]
    publish: Stage[Tagged, Tagged]
    index: Stage[Indexing, index_step.Indexed]
    mention: Stage[index_step.Indexed, None]
    tag_counters: Counters
    index_counters: Counters
    distance: FeedLag


def open_pools(settings: Settings) -> Pools:
    """The threads that the settings allow. Twice as many as cores tag: while one decodes, another computes."""
    return Pools(
        DaemonThreadPool(1, "records"),
        DaemonThreadPool(2 * settings.threads, "tag"),
        DaemonThreadPool(settings.threads + 1, "see"),
    )


def open_steps(
    settings: Settings,
    image_model: ImageModel | None,
    tagger: Tagger,
    index: EntityIndex,
    publish: index_step.Publish,
    topics: Topics,
    pools: Pools,
) -> Steps:
    """The stages of a worker with this image model, this tagger and this index."""
    tag_counters, index_counters, distance = Counters(), Counters(), FeedLag()
    limits = Limits(
        batch_count=GROUP_RECORDS,
        batch_tokens=settings.token_budget,
        window_count=4 * GROUP_RECORDS,
        window_weight=settings.in_flight_bytes,
    )
    tag_limits = replace(
        limits,
        batch_count=settings.batch_posts,
        batch_deadline_seconds=settings.batch_deadline_ms / 1000,
        concurrency=2 * settings.threads + 1,
        deadline_concurrency=settings.threads,
        window_count=settings.in_flight_posts,
    )
    effect_limits = replace(limits, batch_count=_INDEX_POSTS, window_count=4 * _INDEX_POSTS)
    index_limits = replace(effect_limits, batch_deadline_seconds=_INDEX_DEADLINE_SECONDS)

    async def publish_tagged(values: Sequence[Tagged]) -> None:
        records = await asyncio.get_running_loop().run_in_executor(
            pools.records, lambda: [record for value in values if (record := outgoing(value, topics))]
        )
        changes = [value.change for value in values if isinstance(value.change, Indexable)]
        if illustrated := [change for change in changes if change.thumbnails]:
            tag_counters.add(EventOutcome.THUMBNAIL_REFUSED, await index.keep_thumbnails(illustrated))
        await publish(records)
        for value in values:
            tag_counters.count_change(value.change)

    async def rehearse_tagged(values: Sequence[Tagged]) -> Mapping[int, Exception]:
        return await asyncio.get_running_loop().run_in_executor(
            pools.records, lambda: steps.failures(lambda value: outgoing(value, topics), values)
        )

    publishing = steps.index(publish_tagged, rehearse_tagged, effect_limits, name="publish")

    async def bury_unpublished(value: Tagged, error: Exception) -> Tagged:
        if isinstance(value.change, Indexable) and value.change.thumbnails:
            await index.discard_thumbnails([value.change])
        return await publishing.bury(value, error)

    gathered = replace(limits, batch_deadline_seconds=_GATHER_SECONDS)
    see_limits = replace(gathered, batch_tokens=_PHOTOS, concurrency=settings.threads)
    return Steps(
        see=() if image_model is None else (see(image_model, pools.see, see_limits),),
        prepare=steps.prepare(tagger, pools.records, gathered),
        tag=steps.tag(tagger, pools.tag, tag_limits),
        publish=replace(publishing, bury=bury_unpublished),
        index=index_step.index(index, publish, topics, index_counters, index_limits, distance=distance),
        mention=index_step.mention(publish, effect_limits),
        tag_counters=tag_counters,
        index_counters=index_counters,
        distance=distance,
    )
