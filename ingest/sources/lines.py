"""Bytes into lines, in memory that no input can exhaust.

Owns where a line begins and ends, and the fingerprint by which a reader recognises the place it stopped at. Knows
nothing of what a line says. Of a line over `MAX_LINE_BYTES` only the first `DEAD_LETTER_BODY_BYTES` are kept; its
length and SHA-256 are still of the whole.
"""

import hashlib
from dataclasses import dataclass

from tagstream.posts import DEAD_LETTER_BODY_BYTES

MAX_LINE_BYTES = 1024 * 1024
FINGERPRINT_BYTES = 1024


def fingerprint(before: bytes) -> str:
    """Names a place in a file by the (at most 1,024) bytes before it."""
    return hashlib.blake2b(before[-FINGERPRINT_BYTES:], digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its newline. `number` counts from 1; `end` is the offset of the byte after its newline.

    `sha256` is set exactly when the line was too long to be kept: then `body` is its beginning and `size` its length.
    `fingerprint` names the place `end`.
    """

    number: int
    end: int
    body: bytes
    size: int
    sha256: str | None
    fingerprint: str


class _LongLine:
    """What is remembered of a line that is too long to be held."""

    def __init__(self, beginning: bytes) -> None:
        self.body = beginning[:DEAD_LETTER_BODY_BYTES]
        self.size = len(beginning)
        self.digest = hashlib.sha256(beginning)

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        self.digest.update(piece)


class LineSplitter:
    """Give it the bytes in any pieces: the lines do not depend on how they were cut."""

    def __init__(self, *, offset: int = 0, number: int = 0, before: bytes = b"") -> None:
        """Starts after `offset` bytes and `number` lines; `before` are the last bytes before that place."""
        self._offset = offset
        self._number = number
        self._before = before[-FINGERPRINT_BYTES:]
        self._pieces: list[bytes] = []
        self._held = 0
        self._long: _LongLine | None = None

    def feed(self, data: bytes) -> list[Line]:
        """The lines that `data` completes."""
        *ended, rest = data.split(b"\n")
        lines = []
        seen = self._before + data
        end = len(self._before)
        for piece in ended:
            end += len(piece) + 1
            self._hold(piece)
            place = fingerprint(seen[max(0, end - FINGERPRINT_BYTES) : end])
            lines.append(self._complete(self._offset + end - len(self._before), place))
        if rest:
            self._hold(rest)
        self._offset += len(data)
        self._before = seen[-FINGERPRINT_BYTES:]
        return lines

    def finish(self) -> list[Line]:
        """The last line, if the input did not end with a newline."""
        if not self._pieces and self._long is None:
            return []
        return [self._complete(self._offset, fingerprint(self._before))]

    def _hold(self, piece: bytes) -> None:
        if self._long is not None:
            self._long.add(piece)
            return
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held > MAX_LINE_BYTES:
            self._long = _LongLine(b"".join(self._pieces))
            self._pieces = []

    def _complete(self, end: int, place: str) -> Line:
        self._number += 1
        long = self._long
        if long is None:
            body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            line = Line(self._number, end, body, len(body), None, place)
        else:
            line = Line(self._number, end, long.body, long.size, long.digest.hexdigest(), place)
        self._pieces, self._held, self._long = [], 0, None
        return line
