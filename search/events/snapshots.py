"""Snapshots: the state of a detector as bytes, the same bytes for the same state.

A snapshot is MessagePack, compressed, after a name and a version. Anything else is `CorruptState`: a detector that
went on from a guess would tell another story than an undisturbed run.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgpack

from tagstream.errors import CorruptState

_REMEDY = "`tagstream events --rebuild` makes trends and events anew"
_LEVEL = 1  # a higher level is slower by far and saves little

State = TypeVar("State")


def pack(kind: str, version: int, state: Any) -> bytes:
    """Returns the snapshot of a state of plain values."""
    body = b"".join(_parts(state, msgpack.Packer()))
    return f"{kind} {version}\n".encode() + zlib.compress(body, _LEVEL)


def _parts(state: Any, packer: Any, depth: int = 3) -> Iterator[bytes]:
    """Yields the state in parts, because to pack a large one at once would hold the interpreter's lock for long."""
    if depth and isinstance(state, list) and len(state) > 0:
        yield packer.pack_array_header(len(state))
        for part in state:
            yield from _parts(part, packer, depth - 1)
    else:
        yield packer.pack(state)


def unpack(kind: str, version: int, snapshot: bytes, read: Callable[[Any], State]) -> State:
    """Returns what `read` makes of the state in a snapshot.

    Raises:
        CorruptState: the bytes are no snapshot of this kind and version.
    """
    header = f"{kind} {version}\n".encode()
    if not snapshot.startswith(header):
        found = bytes(snapshot[:40].split(b"\n")[0])
        raise CorruptState(f"snapshot of {kind!r}: begins with {found!r}, not {header[:-1]!r}; {_REMEDY}")
    try:
        body = msgpack.unpackb(zlib.decompress(snapshot[len(header) :]), strict_map_key=False)
        return read(body)
    except Exception as error:
        # msgpack and zlib raise many kinds; so does reading a state of another shape.
        raise CorruptState(f"snapshot of {kind!r}: cannot be read ({error!r}); {_REMEDY}") from error
