"""The stage of a detector on Kafka: fed by a topic, saved now and then, acknowledged up to what is saved.

::

    records ─▶ detector of their partition (thread) ─▶ what it says, published or indexed ─▶ held
                  │                                                                            │
                  └── snapshot up to an offset ─▶ `detectors` ─▶ acknowledged up to it ◀───────┘

An offset is committed only when a snapshot holds it. So the next owner of a partition begins with the snapshot, passes
over the records that it holds, and says the same again of those behind it: what is said is idempotent. Knows nothing of
trends or events: `DetectorKind` does. Keeps invariants 2 and 3.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast

from tagstream.errors import CorruptState, Fatal
from workers.faust.detector_states import DetectorStates, SavedState, chunks_of, other_slot
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


class Place(NamedTuple):
    """The place of a record that its detector has taken."""

    partition: int
    offset: int


@dataclass(slots=True)
class KeptPartition(Generic[D]):
    """The detector of one partition: what it has taken, what is saved (in `slot`), and what is still to be said."""

    detector: D
    taken: int
    saved: int
    saved_at: float
    slot: int = 0
    unsaid: list[Any] = field(default_factory=list)
    held: Callable[[], None] | None = None


class DetectorAgent(Generic[D, R]):
    """The detectors of one kind in one worker: one for each partition that it holds."""

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

    def stage(self, limits: StageLimits) -> Stage[R, Place]:
        """Returns the stage that gives records to the detectors. No record of it is poison: it was read before."""

        async def dead_letter(record: R, error: Exception) -> Place:
            raise Fatal(f"{self._kind.name}: record {record.offset} breaks the detector: {explain(error)}") from error

        def size(_: R) -> Size:
            return Size(size_bytes=_RECORD_BYTES)

        return Stage(self._kind.name, self._work, dead_letter, size, limits)

    async def _work(self, records: Sequence[R]) -> list[Place]:
        async with self._one_at_a_time:
            self._forget_other_generations()
            for partition in dict.fromkeys(record.partition for record in records):
                kept = await self._kept(partition)
                fresh = [one for one in records if one.partition == partition and one.offset > kept.taken]
                if fresh:
                    kept.unsaid += await self._compute(self._take, kept.detector, fresh)
                    kept.taken = fresh[-1].offset
                await self._say(kept)
                if self._clock() - kept.saved_at >= self._snapshot_seconds:
                    await self._save(partition, kept)
        return [Place(record.partition, record.offset) for record in records]

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
        async with self._one_at_a_time:
            self._forget_other_generations()
            for partition, kept in self.partitions.items():
                if kept.taken > kept.saved and not kept.unsaid and self._clock() - kept.saved_at >= seconds:
                    await self._save(partition, kept)

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
            if saved is None:
                kept = KeptPartition(self._kind.make(partition), -1, -1, self._clock())
            else:
                detector = await self._restored(partition, saved)
                kept = KeptPartition(detector, saved.offset, saved.offset, self._clock(), saved.slot)
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

    async def _save(self, partition: int, kept: KeptPartition[D]) -> None:
        taken = kept.taken
        snapshot = await self._compute(kept.detector.snapshot)
        state = SavedState(taken, snapshot, other_slot(kept.slot))
        await self._publish(chunks_of(self._name(partition), state, self._states.topics))
        # Only now: what is repeated after an outage must not go into the slot of the last whole snapshot.
        kept.saved, kept.saved_at, kept.slot = taken, self._clock(), state.slot
        if kept.held is not None:
            kept.held()
            kept.held = None

    def _name(self, partition: int) -> str:
        return f"{self._kind.name}/{partition}"

    async def _compute(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
