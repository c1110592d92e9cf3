"""States of detectors as the bytes that they hold: every compressed part opened, so that words can be looked for."""

import zlib
from typing import Any

import msgpack


def opened(state: bytes) -> bytes:
    """Returns all bytes that a state holds, at any depth."""
    start = state.find(b"\x78")
    while start >= 0:
        try:
            inner = zlib.decompress(state[start:])
        except zlib.error:
            start = state.find(b"\x78", start + 1)
            continue
        return state[:start] + inner + b"".join(opened(one) for one in _bytes_in(inner))
    return state


def _bytes_in(body: bytes) -> list[bytes]:
    found: list[bytes] = []

    def look(value: Any) -> None:
        if isinstance(value, bytes):
            found.append(value)
        elif isinstance(value, list):
            for one in value:
                look(one)

    try:
        look(msgpack.unpackb(body, strict_map_key=False))
    except (ValueError, msgpack.exceptions.ExtraData):
        return []
    return found
