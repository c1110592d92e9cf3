"""The detectors' snapshots on the broker: a compacted topic, in chunks, each with the offset that it stands for.

::

    save  snapshot up to offset n ─▶ chunks under NAME/SLOT/INDEX ─▶ `detectors` (compacted)
    load  the whole topic ─▶ the whole snapshot with the highest offset, of each name

Two slots are written in turn, so that a kill in the middle of one leaves the other whole. Who takes over has two slots
of its own, and ends what was in others when both are written. So a worker that was given up by its group and does not
know it yet may write what it likes: it replaces nothing of the new owner's, and of snapshots the offset decides.
"""

import asyncio
import secrets
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
from workers.faust.index_step import Publish
from workers.faust.records import Outgoing

CHUNK_BYTES = 512 * 1024
_SLOTS = 2
_POLL_MS = 500


class SavedState(NamedTuple):
    """A snapshot of everything up to an offset, the offset included, and the keys of all snapshots of its name."""

    offset: int
    snapshot: bytes
    keys: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class _Chunk:
    name: str
    offset: int
    number: int
    chunks: int
    data: bytes


class OwnSlots:
    """The two slots of one owner of the snapshots of a name."""

    def __init__(self, name: str, topics: Topics, found: SavedState | None) -> None:
        self._name = name
        self._topics = topics
        self._first = _SLOTS * secrets.randbelow(2**32)
        self._saves = 0
        self._of_others = frozenset() if found is None else found.keys

    async def save(self, publish: Publish, offset: int, snapshot: bytes) -> None:
        """Publishes a snapshot; durable on return.

        Raises:
            BrokerUnavailable: it may be there or not, and the one before is; save again.
        """
        await publish(self.chunks(offset, snapshot))
        # Only now: what is repeated after an outage must not go into the slot of the last whole snapshot.
        self._saves += 1
        if self._of_others and self._saves >= _SLOTS:
            topic = self._topics.detectors.name
            await publish([Outgoing(topic, key, None, []) for key in sorted(self._of_others)])
            self._of_others = frozenset()

    def chunks(self, offset: int, snapshot: bytes) -> list[Outgoing]:
        """Returns the records that save a snapshot in the slot whose turn it is."""
        parts = [snapshot[begin : begin + CHUNK_BYTES] for begin in range(0, len(snapshot), CHUNK_BYTES)] or [b""]
        slot = self._first + self._saves % _SLOTS
        return [
            Outgoing(
                self._topics.detectors.name,
                f"{self._name}/{slot}/{index}".encode(),
                msgpack.packb([self._name, offset, index, len(parts), part]),
                [],
            )
            for index, part in enumerate(parts)
        ]


def newest_states(records: Iterable[tuple[bytes, bytes | None]]) -> dict[str, SavedState]:
    """Returns of each name the whole snapshot with the highest offset.

    `records` are the keys and values of chunks, in the order of the topic; a null ends a chunk.
    """
    parts: dict[tuple[str, int, int], dict[int, bytes]] = {}
    newest: dict[str, SavedState] = {}
    names: dict[bytes, str] = {}
    for key, value in records:
        if value is None:
            names.pop(key, None)
            continue
        slot, chunk = _read(key, value)
        names[key] = chunk.name
        if chunk.name in newest and chunk.offset <= newest[chunk.name].offset:
            continue
        found = parts.setdefault((chunk.name, chunk.offset, slot), {})
        found[chunk.number] = chunk.data
        if len(found) == chunk.chunks:
            snapshot = b"".join(found[index] for index in range(chunk.chunks))
            newest[chunk.name] = SavedState(chunk.offset, snapshot)
            for name, offset, other in list(parts):
                if name == chunk.name and offset <= chunk.offset:
                    del parts[name, offset, other]
    keys: dict[str, set[bytes]] = {}
    for key, name in names.items():
        keys.setdefault(name, set()).add(key)
    return {name: state._replace(keys=frozenset(keys.get(name, ()))) for name, state in newest.items()}


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

    def _records(self) -> Iterator[tuple[bytes, bytes | None]]:
        partition = TopicPartition(self.topics.detectors.name, 0)
        with closing(open_reader(self._settings, self.topics.detectors.name, committed=False)) as reader:
            end = reader.end_offsets([partition], timeout_ms=REQUEST_TIMEOUT_MS)[partition]
            while reader.position(partition, timeout_ms=REQUEST_TIMEOUT_MS) < end:
                for record in reader.poll(timeout_ms=_POLL_MS).get(partition, ()):
                    yield record.key or b"", record.value
