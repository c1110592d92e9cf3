"""Snapshots: the state of a detector as bytes, the same bytes for the same state.

A snapshot is MessagePack, compressed, after a name and a version. Anything else is `CorruptState`: a detector that
went on from a guess would tell another story than an undisturbed run.
"""

import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import msgpack

from tagstream.errors import CorruptState

_LEVEL = 1  # a higher level is slower by far and saves little

State = TypeVar("State")


def pack(kind: str, version: int, state: Any) -> bytes:
    """Returns the snapshot of a state of plain values."""
    body: bytes = msgpack.packb(state)
    return f"{kind} {version}\n".encode() + zlib.compress(body, _LEVEL)


def unpack(kind: str, version: int, snapshot: bytes, read: Callable[[Any], State]) -> State:
    """Returns what `read` makes of the state in a snapshot.

    Raises:
        CorruptState: the bytes are no snapshot of this kind and version.
    """
    header = f"{kind} {version}\n".encode()
    if not snapshot.startswith(header):
        found = bytes(snapshot[:40].split(b"\n")[0])
        raise CorruptState(
            f"snapshot of {kind!r}: begins with {found!r}, not {header[:-1]!r}; delete it and rebuild the events"
        )
    try:
        body = msgpack.unpackb(zlib.decompress(snapshot[len(header) :]), strict_map_key=False)
        return read(body)
    except Exception as error:
        # msgpack and zlib raise many kinds; so does reading a state of another shape.
        raise CorruptState(
            f"snapshot of {kind!r}: cannot be read ({error!r}); delete it and rebuild the events"
        ) from error
