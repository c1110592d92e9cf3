"""Splitting of bytes into lines, in memory that no input can exhaust.

Owns where a line begins and ends, and the fingerprint by which a reader recognises the position at which it stopped.
Knows nothing of a line's meaning. Of a line over the limit only the first `DEAD_LETTER_BODY_BYTES` are kept; its length
and SHA-256 are still those of the whole line.
"""

import hashlib
from dataclasses import dataclass

from tagstream.posts import DEAD_LETTER_BODY_BYTES

# Every reader of lines takes at least so many bytes, so our own lines may have as many.
MAX_LINE_BYTES = 1024 * 1024
FINGERPRINT_BYTES = 1024


def fingerprint(before: bytes) -> str:
    """Returns a name for a position in a file, made of the (at most 1,024) bytes before it."""
    return hashlib.blake2b(before[-FINGERPRINT_BYTES:], digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its newline. `number` counts from 1; `end` is the offset of the byte after its newline.

    `sha256` is set exactly when the line was too long to be kept: then `body` is its beginning and `size` its length.
    `fingerprint` names the position `end`. For a document that is no line, `context` tells the next reader what that
    position lies in, and `unfinished` says that the input ended before the document did.
    """

    number: int
    end: int
    body: bytes
    size: int
    sha256: str | None
    fingerprint: str
    context: str = ""
    unfinished: bool = False


class Held:
    """The bytes of one line so far: all of them, or the summary of a line that is too long to be held."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._beginning = b""
        self._digest: hashlib._Hash | None = None
        self.size = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self._digest is not None:
            self._digest.update(piece)
            return
        self._pieces.append(piece)
        if self.size > self._max_bytes:
            whole = b"".join(self._pieces)
            self._beginning, self._pieces = whole[:DEAD_LETTER_BODY_BYTES], []
            self._digest = hashlib.sha256(whole)

    def line(self, number: int, end: int, mark: str, context: str = "") -> Line:
        if self._digest is not None:
            return Line(number, end, self._beginning, self.size, self._digest.hexdigest(), mark, context)
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        return Line(number, end, body, self.size, None, mark, context)


class LineSplitter:
    """Give it the bytes in any pieces: the lines do not depend on how they were cut."""

    def __init__(
        self, *, offset: int = 0, number: int = 0, before: bytes = b"", max_bytes: int = MAX_LINE_BYTES
    ) -> None:
        """Starts after `offset` bytes and `number` lines; `before` are the last bytes before that position."""
        self._offset = offset
        self._number = number
        self._before = before[-FINGERPRINT_BYTES:]
        self._max_bytes = max_bytes
        self._held: Held | None = None

    def feed(self, data: bytes) -> list[Line]:
        """The lines that `data` completes."""
        *ended, rest = data.split(b"\n")
        lines = []
        seen = self._before + data
        end = len(self._before)
        for piece in ended:
            end += len(piece) + 1
            self._hold(piece)
            mark = fingerprint(seen[max(0, end - FINGERPRINT_BYTES) : end])
            lines.append(self._complete(self._offset + end - len(self._before), mark))
        if rest:
            self._hold(rest)
        self._offset += len(data)
        self._before = seen[-FINGERPRINT_BYTES:]
        return lines

    def finish(self) -> list[Line]:
        """The last line, if the input did not end with a newline."""
        return [] if self._held is None else [self._complete(self._offset, fingerprint(self._before))]

    def _hold(self, piece: bytes) -> None:
        self._held = self._held or Held(self._max_bytes)
        self._held.add(piece)

    def _complete(self, end: int, mark: str) -> Line:
        self._number += 1
        held, self._held = self._held or Held(self._max_bytes), None
        return held.line(self._number, end, mark)
