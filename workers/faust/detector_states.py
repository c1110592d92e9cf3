"""The detectors' snapshots on the broker: a compacted topic, in chunks, each with the offset that it stands for.

::

    save  snapshot up to offset n ─▶ chunks under NAME/SLOT/INDEX ─▶ `detectors` (compacted)
    load  the whole topic ─▶ the whole snapshot with the highest offset, of each name

Two slots are written in turn, so that a kill in the middle of one leaves the other whole. Who takes over begins with
the slot in which the snapshot that it loaded is not. A worker that was given up by its group and does not know it yet
may still write: its snapshot has a lower offset than that of the new owner.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import msgpack
from kafka import TopicPartition

from tagstream.errors import BrokerUnavailable, CorruptState, ServiceUnavailable
from tagstream.kafka.client import REQUEST_TIMEOUT_MS, at_start, open_reader
from tagstream.kafka.topics import Topics
from tagstream.runtime.daemon_thread import in_daemon_thread
from tagstream.settings import Settings
from workers.faust.records import Outgoing

CHUNK_BYTES = 512 * 1024
_SLOTS = 2
_POLL_MS = 500


class SavedState(NamedTuple):
    """A snapshot of everything up to an offset, the offset included, and the slot that it is in."""

    offset: int
    snapshot: bytes
    slot: int


def other_slot(slot: int) -> int:
    """Returns the slot for the next snapshot, where the newest whole one is in this slot."""
    return (slot + 1) % _SLOTS


@dataclass(frozen=True, slots=True)
class _Chunk:
    name: str
    offset: int
    number: int
    chunks: int
    data: bytes


def chunks_of(name: str, state: SavedState, topics: Topics) -> list[Outgoing]:
    """Returns the records that save a snapshot."""
    data = state.snapshot
    parts = [data[begin : begin + CHUNK_BYTES] for begin in range(0, len(data), CHUNK_BYTES)] or [b""]
    return [
        Outgoing(
            topics.detectors.name,
            f"{name}/{state.slot}/{index}".encode(),
            msgpack.packb([name, state.offset, index, len(parts), part]),
            [],
        )
        for index, part in enumerate(parts)
    ]


def newest_states(records: Iterable[tuple[bytes, bytes]]) -> dict[str, SavedState]:
    """Returns of each name the whole snapshot with the highest offset.

    `records` are the keys and values of chunks, in the order of the topic.
    """
    parts: dict[tuple[str, int, int], dict[int, bytes]] = {}
    newest: dict[str, SavedState] = {}
    for key, value in records:
        slot, chunk = _read(key, value)
        if chunk.name in newest and chunk.offset <= newest[chunk.name].offset:
            continue
        found = parts.setdefault((chunk.name, chunk.offset, slot), {})
        found[chunk.number] = chunk.data
        if len(found) == chunk.chunks:
            snapshot = b"".join(found[index] for index in range(chunk.chunks))
            newest[chunk.name] = SavedState(chunk.offset, snapshot, slot)
            for name, offset, other in list(parts):
                if name == chunk.name and offset <= chunk.offset:
                    del parts[name, offset, other]
    return newest


def _read(key: bytes, value: bytes) -> tuple[int, _Chunk]:
    try:
        return int(key.rsplit(b"/", 2)[-2]), _Chunk(*msgpack.unpackb(value))
    except (ValueError, TypeError, IndexError) as error:
        raise CorruptState(
            f"the topic of the detectors' snapshots holds something else ({error}): delete it"
        ) from error


class DetectorStates:
    """The saved snapshots, read once after each rebalance: until then nobody else can save newer ones of ours."""

    def __init__(self, settings: Settings, topics: Topics, generation: Callable[[], int]) -> None:
        self._settings = settings
        self.topics = topics
        self._generation = generation
        self._read_in: int | None = None
        self._states: dict[str, SavedState] = {}
        self._reading = asyncio.Lock()

    async def load(self, name: str) -> SavedState | None:
        """Returns the newest snapshot of that name; None if there is none.

        Raises:
            BrokerUnavailable: the broker does not answer.
            CorruptState: the topic holds something else.
        """
        async with self._reading:
            generation = self._generation()
            if self._read_in != generation:
                try:
                    self._states = await in_daemon_thread(
                        lambda: at_start(self._settings, lambda: newest_states(self._records())), "detectors-read"
                    )
                except ServiceUnavailable as error:
                    raise BrokerUnavailable(str(error)) from error
                self._read_in = generation
            return self._states.pop(name, None)

    def _records(self) -> Iterator[tuple[bytes, bytes]]:
        partition = TopicPartition(self.topics.detectors.name, 0)
        with closing(open_reader(self._settings, self.topics.detectors.name, committed=False)) as reader:
            end = reader.end_offsets([partition], timeout_ms=REQUEST_TIMEOUT_MS)[partition]
            while reader.position(partition, timeout_ms=REQUEST_TIMEOUT_MS) < end:
                for record in reader.poll(timeout_ms=_POLL_MS).get(partition, ()):
                    if record.value is not None:
                        yield record.key or b"", record.value
