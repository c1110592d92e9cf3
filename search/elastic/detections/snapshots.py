"""Snapshots of detectors in Elasticsearch: parts of bounded size, and a head that names the whole ones.

::

    d:NAME          {"name": …, "slot": 1, "parts": 2, "digest": …}
    d:NAME/1/0      {"part": base64}    the newest snapshot
    d:NAME/1/1      {"part": base64}
    d:NAME/0/0      {"part": base64}    the one before, which the next one replaces

The parts go first, into the slot that the head does not name: a write that is cut off leaves the head and its snapshot
as they were. A reader knows by the digest whether it has read parts of one snapshot.
"""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from search.elastic.bulk import Action, send
from search.elastic.client import ElasticClient
from search.elastic.documents import document_id, to_json
from search.elastic.reads import many
from tagstream.errors import CorruptState

_PART_BYTES = 384 * 1024  # so that a request of one part stays below what holds up the event loop
_PARTS_AT_ONCE = 16
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class _Head:
    slot: int
    parts: int
    digest: str


async def write(client: ElasticClient, state: Mapping[str, bytes]) -> None:
    """Stores the snapshots; each replaces the one of its name. Called by one writer at a time for a name."""
    for name, content in state.items():
        before = await _head(client, name)
        digest = blake2b(content, digest_size=16).hexdigest()
        if before is not None and before.digest == digest:
            continue
        slot = 0 if before is None else 1 - before.slot
        parts = -(-len(content) // _PART_BYTES)
        for first in range(0, parts, _PARTS_AT_ONCE):
            numbers = range(first, min(first + _PARTS_AT_ONCE, parts))
            await send(client, await asyncio.to_thread(_parts, client, name, slot, content, numbers))
        head = {"name": name, "slot": slot, "parts": parts, "digest": digest}
        await send(client, [Action("index", client.names.detectors, document_id("d", name), to_json(head))])


async def read(client: ElasticClient, name: str) -> bytes | None:
    """Returns the newest snapshot of that name, None if there is none.

    Raises:
        CorruptState: a part of it is missing.
    """
    for _ in range(_ROUNDS):
        head = await _head(client, name)
        if head is None:
            return None
        content = await _content(client, name, head)
        if blake2b(content, digest_size=16).hexdigest() == head.digest:
            return content
    raise CorruptState(
        f"The snapshot {name!r} of a detector at {client.address} is not whole. Make it anew: tagstream events "
        "--rebuild."
    )


async def _head(client: ElasticClient, name: str) -> _Head | None:
    async for hit in many(client, [(client.names.detectors, document_id("d", name))]):
        source = hit["_source"]
        return _Head(source["slot"], source["parts"], source["digest"])
    return None


async def _content(client: ElasticClient, name: str, head: _Head) -> bytes:
    content = bytearray()
    for first in range(0, head.parts, _PARTS_AT_ONCE):
        numbers = range(first, min(first + _PARTS_AT_ONCE, head.parts))
        wanted = [(client.names.detectors, _part_id(name, head.slot, number)) for number in numbers]
        found: dict[str, Any] = {hit["_id"]: hit["_source"]["part"] async for hit in many(client, wanted)}
        for _, part in wanted:
            content += base64.b64decode(found.get(part, ""))
    return bytes(content)


def _parts(client: ElasticClient, name: str, slot: int, content: bytes, numbers: range) -> list[Action]:
    return [
        Action(
            "index",
            client.names.detectors,
            _part_id(name, slot, number),
            to_json({"part": base64.b64encode(content[number * _PART_BYTES : (number + 1) * _PART_BYTES]).decode()}),
        )
        for number in numbers
    ]


def _part_id(name: str, slot: int, number: int) -> str:
    return document_id("d", f"{name}/{slot}/{number}")
