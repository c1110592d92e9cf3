"""The stage that publishes mentions: what is new in the index, in the order of its partition, with the watermark.

::

    Indexed ─▶ MentionFeed of its partition ─▶ MentionBatch ─▶ mentions, then the feed's clock ─▶ detectors

Which posts are late is decided here, by the order of one partition of `posts.tagged`. The clock is saved behind the
mentions that it stands for: so a restart, which reads records again, neither publishes others than before nor judges
them anew. A post of which our code can make no mentions is passed over, and the feed goes on. Keeps invariants 2, 3
and 11.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import datetime

from search.detection.mention_feed import MentionFeed
from search.events.subjects import mentions_of
from search.index import Indexable
from tagstream.detections import PostMentions
from tagstream.errors import CorruptState, Fatal, Retryable
from tagstream.kafka.topics import Topics
from tagstream.posts import Deletion
from workers.faust.detector_states import DetectorStates, OwnSlots
from workers.faust.index_step import Indexed, Publish
from workers.faust.mentions import mention_records
from workers.faust.records import Outgoing
from workers.pipeline.runner import Size, Stage, StageLimits
from workers.pipeline.steps import explain


@dataclass(slots=True)
class _Partition:
    """A feed, what it has `taken`, what of it was `said`, and the snapshot of then, which is in one of its `slots`."""

    feed: MentionFeed
    slots: OwnSlots
    taken: int
    said: int
    saved: bytes
    told: datetime | None = None
    unsaid: list[Outgoing] = field(default_factory=list)


class MentionPublisher:
    """The feeds of the partitions of `posts.tagged` that this worker holds.

    `late` counts posts that came too late, `failed` those that could not be mentioned: they are in the index, and no
    single post may stop the others from being counted.
    """

    def __init__(
        self,
        publish: Publish,
        names: Topics,
        states: DetectorStates,
        generation: Callable[[], int],
        executor: Executor,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.late = 0
        self.failed = 0
        self._publish = publish
        self._names = names
        self._states = states
        self._generation = generation
        self._executor = executor
        self._say_of = say
        self._of_generation: int | None = None
        self._partitions: dict[int, _Partition] = {}

    def stage(self, limits: StageLimits) -> Stage[Indexed, None]:
        """Returns the stage. Nothing is checked by canaries: published ones would count, and no failure stops it."""

        async def dead_letter(_: Indexed, error: Exception) -> None:
            self._pass_over(error)  # the post is in the index

        def size(value: Indexed) -> Size:
            return Size(size_bytes=value.size_bytes)

        return Stage("mention", self._work, dead_letter, size, replace(limits, concurrency=1))

    async def _work(self, values: Sequence[Indexed]) -> list[None]:
        if self._generation() != self._of_generation:
            self._of_generation = self._generation()
            self._partitions.clear()
        for number in dict.fromkeys(value.partition for value in values):
            partition = await self._partition(number)
            mine = [value for value in values if value.partition == number]
            try:
                await asyncio.get_running_loop().run_in_executor(self._executor, self._take, partition, mine)
                await self._say(partition)
            except (Retryable, Fatal):
                raise
            except Exception:  # the runner tries the values in parts: each must find the feed as it was
                partition.feed, partition.taken = MentionFeed.restore(partition.saved), partition.said
                partition.told, partition.unsaid = None, []
                raise
            partition.said = partition.taken
        return [None] * len(values)

    def _pass_over(self, error: Exception) -> None:
        if not self.failed:
            self._say_of(f"a post is passed over by trends and events, the feed goes on: {explain(error)}")
        self.failed += 1

    async def _partition(self, number: int) -> _Partition:
        partition = self._partitions.get(number)
        if partition is None:
            saved = await self._states.load(self._name(number))
            slots = OwnSlots(self._name(number), self._names, saved)
            feed = MentionFeed(number) if saved is None else _restored(number, saved.snapshot)
            offset = -1 if saved is None else saved.offset
            partition = _Partition(feed, slots, offset, offset, feed.snapshot())
            self._partitions[number] = partition
        return partition

    def _take(self, partition: _Partition, values: Sequence[Indexed]) -> None:
        fresh = [value for value in values if value.offset > partition.taken]
        if not fresh:
            return
        feed, late = partition.feed, partition.feed.late
        batch = feed.take(self._items(fresh))
        self.late += feed.late - late
        partition.taken = fresh[-1].offset
        moved = batch.watermark != partition.told
        partition.told = batch.watermark
        partition.unsaid += mention_records(batch, self._names, to_all=moved)

    def _items(self, values: Sequence[Indexed]) -> Iterator[PostMentions | str]:
        for value in values:
            if value.told is None:
                continue
            if isinstance(value.told, frozenset):
                yield from sorted(value.told)
                continue
            try:
                item = _item(value.told)
            except Exception as error:  # the boundary to the reading of subjects: a defect of ours is not the feed's
                self._pass_over(error)
                continue
            yield item

    async def _say(self, partition: _Partition) -> None:
        if partition.unsaid:
            await self._publish(partition.unsaid)
            partition.unsaid = []
        snapshot = partition.feed.snapshot()
        if snapshot == partition.saved:
            return  # from the offset of the saved one on, the same clock judges the same
        await partition.slots.save(self._publish, partition.taken, snapshot)
        partition.saved = snapshot

    def _name(self, number: int) -> str:
        return f"feed/{number}"


def _restored(number: int, snapshot: bytes) -> MentionFeed:
    """Returns the feed of a snapshot; one that begins anew where an upgrade has changed what it holds."""
    try:
        return MentionFeed.restore(snapshot)
    except CorruptState:
        return MentionFeed(number)


def _item(told: Indexable | Deletion) -> PostMentions | str:
    return told.id if isinstance(told, Deletion) else mentions_of(told.post, told.observed_at)
