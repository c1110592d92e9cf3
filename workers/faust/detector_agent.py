"""The stage of a detector on Kafka: fed by a topic, saved now and then, acknowledged up to what is saved.

::

    records ─▶ detector of their partition (thread) ─▶ what it says, published or indexed ─▶ held
                  │                                                                            │
                  └── snapshot up to an offset ─▶ `detectors` ─▶ acknowledged up to it ◀───────┘

An offset is committed only when a snapshot holds it. So the next owner of a partition begins with the snapshot, passes
over the records that it holds, and says the same again of those behind it: what is said is idempotent. A defect ends
the detectors of its kind in this worker, and nothing else: their records are passed over, and no offset is committed
any more. Knows nothing of trends or events: `DetectorKind` does. Keeps invariants 2, 3 and 11.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast

from tagstream.errors import CorruptState, Fatal, Retryable, TagstreamError
from workers.faust.agents import Read
from workers.faust.deliveries import ConsumedRecord
from workers.faust.detector_states import DetectorStates, OwnSlots, SavedState
from workers.faust.index_step import Publish
from workers.pipeline.runner import Delivery, Size, Stage, StageLimits
from workers.pipeline.steps import explain

_RECORD_BYTES = 64 * 1024


class Snapshotable(Protocol):
    """A detector whose state can be saved."""

    def snapshot(self) -> bytes: ...


class PartitionRecord(Protocol):
    """A record with its place."""

    @property
    def partition(self) -> int: ...

    @property
    def offset(self) -> int: ...


D = TypeVar("D", bound=Snapshotable)
R = TypeVar("R", bound=PartitionRecord)


@dataclass(frozen=True, slots=True)
class DetectorKind(Generic[D, R]):
    """The parts in which one kind of detector differs from another.

    Attributes:
        name: the beginning of the names of its snapshots, and the name of its stage.
        make: makes the detector of a partition that has none saved.
        restore: makes it of a snapshot.
        take: gives it a record; returns what it says now.
        emit: makes that durable; may raise `Retryable`, and is then called again with the same.
    """

    name: str
    make: Callable[[int], D]
    restore: Callable[[bytes], D]
    take: Callable[[D, R], Sequence[Any]]
    emit: Callable[[Sequence[Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class UnreadRecord:
    """A record that a defect of ours kept from being read."""

    partition: int
    offset: int
    error: Exception


class Place(NamedTuple):
    """The place of a record that its detector has taken."""

    partition: int
    offset: int


@dataclass(slots=True)
class KeptPartition(Generic[D]):
    """The detector of one partition: what it has taken, what is saved (in `slots`), and what is still to be said."""

    detector: D
    slots: OwnSlots
    taken: int
    saved: int
    saved_at: float
    unsaid: list[Any] = field(default_factory=list)
    held: Callable[[], None] | None = None


class DetectorAgent(Generic[D, R]):
    """The detectors of one kind in one worker: one for each partition that it holds.

    `failure` is the defect that ended them. It may be read at any time.
    """

    def __init__(
        self,
        kind: DetectorKind[D, R],
        states: DetectorStates,
        publish: Publish,
        executor: Executor,
        generation: Callable[[], int],
        *,
        snapshot_seconds: float,
        say: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.partitions: dict[int, KeptPartition[D]] = {}
        self.failure: Exception | None = None
        self._kind = kind
        self._states = states
        self._publish = publish
        self._executor = executor
        self._generation = generation
        self._of_generation: int | None = None
        self._snapshot_seconds = snapshot_seconds
        self._say_of = say
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    def reading(self, read: Read) -> Read:
        """Returns `read` for this agent: what breaks it is an `UnreadRecord`, by which the stage ends the detectors."""

        def read_all(records: Sequence[ConsumedRecord]) -> Sequence[Any]:
            try:
                return read(records)
            except TagstreamError:
                raise
            except Exception as error:  # the boundary to our code that reads records
                return [UnreadRecord(record.partition, record.offset, error) for record in records]

        return read_all

    def stage(self, limits: StageLimits) -> Stage[R | UnreadRecord, Place]:
        """Returns the stage that gives records to the detectors. No record of it is poison: it was read before."""

        async def dead_letter(record: R | UnreadRecord, error: Exception) -> Place:
            self._fail(error)
            return Place(record.partition, record.offset)

        def size(_: R | UnreadRecord) -> Size:
            return Size(size_bytes=_RECORD_BYTES)

        return Stage(self._kind.name, self._work, dead_letter, size, limits)

    async def _work(self, records: Sequence[R | UnreadRecord]) -> list[Place]:
        async with self._one_at_a_time, self._boundary():
            if self.failure is None:
                await self._advance(records)
        return [Place(record.partition, record.offset) for record in records]

    async def _advance(self, records: Sequence[R | UnreadRecord]) -> None:
        self._forget_other_generations()
        read: list[R] = []
        for record in records:
            if isinstance(record, UnreadRecord):
                raise record.error
            read.append(record)
        for partition in dict.fromkeys(record.partition for record in read):
            kept = await self._kept(partition)
            fresh = [one for one in read if one.partition == partition and one.offset > kept.taken]
            if fresh:
                kept.unsaid += await self._compute(self._take, kept.detector, fresh)
                kept.taken = fresh[-1].offset
            await self._say(kept)
            if self._clock() - kept.saved_at >= self._snapshot_seconds:
                await self._save(kept)

    @asynccontextmanager
    async def _boundary(self) -> AsyncIterator[None]:
        """The boundary to the detectors: a defect of theirs, or what the index or Kafka refuse, is not the feed's."""
        try:
            yield
        except (Retryable, Fatal):
            raise
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Ends the detectors. What they hold may be half of a record: none of it is saved or acknowledged any more."""
        if self.failure is None:
            self.failure = error
            self.partitions.clear()
            self._say_of(
                f"{self._kind.name} are no longer detected by this worker, the feed goes on: {explain(error)}; "
                "a repaired version goes on from the last snapshot"
            )

    async def hold(self, group: Sequence[Delivery[Place]]) -> None:
        """Acknowledges what is saved of the records that were worked on, and keeps the rest until it is."""
        for place, acknowledge in group:
            kept = self.partitions.get(place.partition)
            if kept is None:
                continue
            if place.offset <= kept.saved:
                acknowledge()
            else:
                kept.held = acknowledge

    async def save_due(self, seconds: float | None = None) -> None:
        """Saves the detectors whose last snapshot is older than that, though no record comes. Called now and then."""
        seconds = self._snapshot_seconds if seconds is None else seconds
        async with self._one_at_a_time, self._boundary():
            self._forget_other_generations()
            for kept in self.partitions.values():
                if kept.taken > kept.saved and not kept.unsaid and self._clock() - kept.saved_at >= seconds:
                    await self._save(kept)

    def _forget_other_generations(self) -> None:
        """Forgets all detectors after a rebalance: another worker may have gone on with them meanwhile."""
        generation = self._generation()
        if generation != self._of_generation:
            self.partitions.clear()
            self._of_generation = generation

    async def _kept(self, partition: int) -> KeptPartition[D]:
        kept = self.partitions.get(partition)
        if kept is None:
            saved = await self._states.load(self._name(partition))
            slots = OwnSlots(self._name(partition), self._states.topics, saved)
            if saved is None:
                kept = KeptPartition(self._kind.make(partition), slots, -1, -1, self._clock())
            else:
                detector = await self._restored(partition, saved)
                kept = KeptPartition(detector, slots, saved.offset, saved.offset, self._clock())
            self.partitions[partition] = kept
        return kept

    async def _restored(self, partition: int, saved: SavedState) -> D:
        """Returns the detector of a snapshot; one that begins anew where an upgrade has changed what they hold."""
        try:
            return cast(D, await self._compute(self._kind.restore, saved.snapshot))
        except CorruptState as error:
            self._say_of(f"{self._name(partition)} begins anew: {error}")
            return self._kind.make(partition)

    def _take(self, detector: D, records: Sequence[R]) -> list[Any]:
        return [said for record in records for said in self._kind.take(detector, record)]

    async def _say(self, kept: KeptPartition[D]) -> None:
        if kept.unsaid:
            await self._kind.emit(kept.unsaid)
            kept.unsaid = []

    async def _save(self, kept: KeptPartition[D]) -> None:
        taken = kept.taken
        snapshot = await self._compute(kept.detector.snapshot)
        await kept.slots.save(self._publish, taken, snapshot)
        kept.saved, kept.saved_at = taken, self._clock()
        if kept.held is not None:
            kept.held()
            kept.held = None

    def _name(self, partition: int) -> str:
        return f"{self._kind.name}/{partition}"

    async def _compute(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
