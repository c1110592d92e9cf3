"""A detector on Kafka: acknowledged when saved, restored after a rebalance, told to say what was not said."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tagstream.errors import BrokerUnavailable, CorruptState, NewerVersion, RejectedDocument
from tagstream.kafka.topics import open_topics
from tagstream.settings import Settings
from workers.faust import detector_states
from workers.faust.deliveries import ConsumedRecord
from workers.faust.detector_agent import DetectorAgent, DetectorKind, Place
from workers.faust.detector_states import OwnSlots, SavedState, newest_states
from workers.faust.records import Outgoing
from workers.pipeline.runner import Delivery, StageLimits

NAMES = open_topics(Settings())


class Adder:
    """A detector that says the sum of all offsets so far."""

    def __init__(self, total: int = 0) -> None:
        self.total = total

    def snapshot(self) -> bytes:
        return b"%d" % self.total


class World:
    """A broker, a clock and a group; the detectors in it may be killed and made again."""

    def __init__(self, snapshot_seconds: float = 10.0) -> None:
        self.now = 0.0
        self.generation = 1
        self.sent: list[Outgoing] = []
        self.taken_by_broker: int | None = None
        self.said: list[int] = []
        self.acknowledged: list[int] = []
        self.away = False
        self.broken: int | None = None
        self.told: list[str] = []
        self.topics = NAMES
        self._snapshot_seconds = snapshot_seconds

    async def publish(self, records: Sequence[Outgoing]) -> None:
        self.sent += records[: self.taken_by_broker]
        if self.taken_by_broker is not None:
            raise BrokerUnavailable("away in the middle, says a test")

    def compact(self) -> None:
        """Keeps of each key the newest record."""
        self.sent = [one for one in {one.key: one for one in self.sent}.values() if one.value is not None]

    def newest(self) -> dict[str, SavedState]:
        return newest_states((one.key, one.value) for one in self.sent)

    def saved(self) -> tuple[int, bytes]:
        """The offset and the state of the newest snapshot."""
        newest = self.newest()["sum/0"]
        return newest.offset, newest.snapshot

    async def emit(self, said: Sequence[int]) -> None:
        if self.away:
            raise BrokerUnavailable("away, says a test")
        self.said += said

    async def load(self, name: str) -> SavedState | None:
        return self.newest().get(name)

    def agent(self) -> "DetectorAgent[Adder, Place]":
        def take(adder: Adder, record: Place) -> list[int]:
            if record.offset == self.broken:
                raise ZeroDivisionError("a defect, says a test")
            adder.total += record.offset
            return [adder.total]

        def restore(saved: bytes) -> Adder:
            if not saved.isdigit():
                raise CorruptState("no number, says a test")
            return Adder(int(saved))

        kind = DetectorKind("sum", lambda _: Adder(), restore, take, self.emit)
        states: Any = self
        return DetectorAgent(
            kind,
            states,
            self.publish,
            ThreadPoolExecutor(1),
            lambda: self.generation,
            snapshot_seconds=self._snapshot_seconds,
            say=self.told.append,
            clock=lambda: self.now,
        )

    async def give(self, agent: "DetectorAgent[Adder, Place]", *offsets: int) -> None:
        places = await agent.stage(StageLimits()).work([Place(0, offset) for offset in offsets])
        await agent.hold([Delivery(place, lambda at=place.offset: self.acknowledged.append(at)) for place in places])  # type: ignore[misc]


async def test_a_record_is_acknowledged_when_a_snapshot_holds_it_and_not_before() -> None:
    world = World()
    agent = world.agent()
    await world.give(agent, 0, 1, 2)
    assert world.said == [0, 1, 3]
    assert world.acknowledged == []
    world.now = 10
    await world.give(agent, 3)
    assert max(world.acknowledged) == 3
    assert world.saved() == (3, b"6")


async def test_a_snapshot_is_saved_though_no_record_comes() -> None:
    world = World()
    agent = world.agent()
    await world.give(agent, 0, 1)
    await agent.save_due()
    assert world.acknowledged == []
    world.now = 10
    await agent.save_due()
    assert world.acknowledged == [1]
    sent = len(world.sent)
    world.now = 20
    await agent.save_due()
    assert len(world.sent) == sent  # nothing is new


async def test_who_takes_over_goes_on_with_the_snapshot_and_passes_over_what_it_holds() -> None:
    world = World()
    first = world.agent()
    await world.give(first, 0, 1, 2)
    await first.save_due(0.0)
    await world.give(first, 3)  # and it is killed: 3 is in no snapshot
    world.said.clear()
    await world.give(world.agent(), 1, 2, 3, 4)  # from an older commit
    assert world.said == [6, 10]


async def test_after_a_rebalance_nothing_in_memory_is_trusted() -> None:
    world = World()
    agent, other = world.agent(), world.agent()
    await world.give(agent, 0, 1)
    await agent.save_due(0.0)
    world.generation = 2
    await world.give(other, 2, 3)
    await other.save_due(0.0)
    world.generation = 3
    world.said.clear()
    await world.give(agent, 4)
    assert world.said == [10]


async def test_what_could_not_be_said_is_said_by_the_next_attempt_and_never_saved_before() -> None:
    world = World()
    agent = world.agent()
    world.away = True
    with pytest.raises(BrokerUnavailable):
        await world.give(agent, 0, 1)
    await agent.save_due(0.0)
    assert world.sent == []
    world.away = False
    await world.give(agent, 0, 1)
    assert world.said == [0, 1]


async def test_a_defect_ends_the_detectors_of_the_worker_and_a_repaired_one_goes_on() -> None:
    world = World()
    agent = world.agent()
    await world.give(agent, 0, 1)
    await agent.save_due(0.0)
    await world.give(agent, 2)
    world.broken = 3
    await world.give(agent, 3)
    world.now = 100
    await world.give(agent, 4)
    await agent.save_due(0.0)
    world.generation += 1
    await world.give(agent, 2, 3, 4)
    assert isinstance(agent.failure, ZeroDivisionError)
    assert len(world.told) == 1
    assert world.acknowledged == [1]
    assert world.saved() == (1, b"1")
    world.broken = None
    await world.give(world.agent(), 2, 3, 4)
    assert world.said == [0, 1, 3, 3, 6, 10]


@pytest.mark.parametrize("breaking", ["read", "emit", "snapshot"])
async def test_no_part_of_a_detector_ends_the_worker_by_a_defect(
    breaking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Any:
        raise RejectedDocument("too large, says a test") if breaking == "emit" else ZeroDivisionError

    world = World(snapshot_seconds=0.0)
    if breaking == "snapshot":
        monkeypatch.setattr(Adder, "snapshot", fail)
    if breaking == "emit":
        monkeypatch.setattr(world, "emit", fail)
    agent = world.agent()
    consumed = [ConsumedRecord("mentions", 0, offset, None, b"", {}, 0) for offset in range(3)]

    def read(records: Sequence[ConsumedRecord]) -> list[Place]:
        return fail() if breaking == "read" else [Place(one.partition, one.offset) for one in records]

    values = agent.reading(read)(consumed)
    places = await agent.stage(StageLimits()).work(values)
    await agent.hold([Delivery(place, lambda at=place.offset: world.acknowledged.append(at)) for place in places])  # type: ignore[misc]
    assert agent.failure is not None
    assert [place.offset for place in places] == [0, 1, 2]
    assert (world.acknowledged, len(world.told)) == ([], 1)


def test_a_newer_record_and_an_outage_are_no_defects() -> None:
    def read(_: Sequence[ConsumedRecord]) -> list[Place]:
        raise NewerVersion("says a test")

    with pytest.raises(NewerVersion):
        World().agent().reading(read)([])


@pytest.mark.parametrize("is_restarted", [True, False])
async def test_a_save_that_is_cut_off_leaves_the_newest_whole_snapshot_on_the_broker(
    *, is_restarted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detector_states, "CHUNK_BYTES", 1)
    world = World()
    agent = world.agent()
    for offset in (10, 20, 30):
        await world.give(agent, offset)
        await agent.save_due(0.0)
    if is_restarted:
        agent = world.agent()
    await world.give(agent, 140)
    world.taken_by_broker = 1
    for _ in range(2):  # and the next attempt is cut off as well
        with pytest.raises(BrokerUnavailable):
            await agent.save_due(0.0)
    world.compact()
    assert world.acknowledged[-1] == 30
    assert world.saved() == (30, b"60")


async def test_a_snapshot_that_cannot_be_read_is_begun_anew_from_its_offset_and_said() -> None:
    world = World()
    world.sent += OwnSlots("sum/0", NAMES, None).chunks(3, b"of another version")
    await world.give(world.agent(), 3, 4)
    assert world.said == [4]
    assert "sum/0 begins anew" in world.told[0]


async def test_a_worker_that_lost_its_partition_replaces_nothing_of_the_new_owners(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(detector_states, "CHUNK_BYTES", 1)
    world = World()
    lost, owner = world.agent(), world.agent()
    await world.give(lost, 10)
    await lost.save_due(0.0)
    await world.give(lost, 11)
    for offset, total in ((20, 30), (30, 60), (40, 100)):
        await world.give(owner, offset)
        await owner.save_due(0.0)
        for passed in (2, 1):  # its group has given it up, and it does not know yet
            await world.give(lost, offset - passed)
            await lost.save_due(0.0)
        world.compact()
        assert world.saved() == (offset, b"%d" % total)


async def test_who_takes_over_ends_the_snapshots_of_before() -> None:
    world = World()
    for owner in range(5):
        agent = world.agent()
        for offset in range(10 * owner, 10 * owner + 3):
            await world.give(agent, offset)
            await agent.save_due(0.0)
        world.compact()
        assert len(world.sent) == 2
