"""Bytes into the documents of a file that is not made of lines, in memory that no input can exhaust.

Such a file is an array of JSON, however it is broken into lines, or objects that are, one after the other. Owns where
a document begins and ends: at its brackets, outside of strings. Knows nothing of what one says, and gives it as a
`Line`, with the place after it in the file, where reading can go on. What stands between documents and is neither
space nor a comma is given as a document, too: its reader says that it is none.
"""

import re
from dataclasses import replace

from ingest.sources.formats.lines import FINGERPRINT_BYTES, MAX_LINE_BYTES, Held, Line, fingerprint

IN_ARRAY, BETWEEN_VALUES = "a", "v"
"""The contexts of a place in such a file."""

_BETWEEN = b" \t\r\n,;"
# What brackets do not count in: whole strings, and all that is no bracket.
_PLAIN = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_REST_OF_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_OPENING, _CLOSING = re.compile(rb"[{\[]++"), re.compile(rb"[}\]]++")


class DocumentSplitter:
    """Give it the bytes in any pieces: the documents do not depend on how they were cut."""

    def __init__(
        self,
        *,
        offset: int = 0,
        number: int = 0,
        before: bytes = b"",
        context: str = BETWEEN_VALUES,
        max_bytes: int = MAX_LINE_BYTES,
    ) -> None:
        """Starts after `offset` bytes and `number` documents; `before` are the last bytes before that place."""
        self._in_array = context == IN_ARRAY
        self._offset = offset
        self._number = number
        self._before = before[-FINGERPRINT_BYTES:]
        self._max_bytes = max_bytes
        self._held: Held | None = None
        self._depth = 0
        self._quoted = self._escaped = False
        self._data = self._seen = b""
        self._from: int | None = None  # where, in these bytes, those of the document begin that are not held yet
        self._lines: list[Line] = []

    def feed(self, data: bytes) -> list[Line]:
        """The documents that `data` completes."""
        self._lines, self._data, self._seen = [], data, self._before + data
        self._from = None if self._held is None else 0
        at = 0
        while at < len(data):
            at = self._through_string(at) if self._quoted else self._through_plain(at)
        if self._from is not None:
            self._hold(len(data))
        self._offset += len(data)
        self._before = self._seen[-FINGERPRINT_BYTES:]
        return self._lines

    def finish(self) -> list[Line]:
        """The last document, if the input ended in the middle of it."""
        if self._held is None:
            return []
        return [replace(self._line(self._offset, fingerprint(self._before)), unfinished=True)]

    def _through_plain(self, at: int) -> int:
        """Reads on to the next bracket, and through it."""
        end = _end(_PLAIN, self._data, at)
        self._begin_with_text(at, end)
        sign = self._data[end : end + 1]
        if sign == b'"':  # a string that ends beyond these bytes
            self._quoted = True
            self._from = end if self._from is None else self._from
            return end + 1
        if self._depth and (run := _end(_OPENING, self._data, end)) > end:
            self._depth += run - end
            return run
        if self._depth > 1 and (run := _end(_CLOSING, self._data, end)) > end:
            run = min(run, end + self._depth - 1)
            self._depth -= run - end
            return run
        if sign:
            self._bracket(sign, end)
        return end + len(sign)

    def _through_string(self, at: int) -> int:
        end = at + 1 if self._escaped else at
        end = _end(_REST_OF_STRING, self._data, end)
        sign = self._data[end : end + 1]
        self._escaped = sign == b"\\"  # one that ends these bytes
        self._quoted = sign != b'"'
        return end + len(sign)

    def _begin_with_text(self, at: int, end: int) -> None:
        """Between documents: what is neither space nor a comma begins one, which cannot be read."""
        if self._from is None:
            text = self._data[at:end].lstrip(_BETWEEN)
            self._from = end - len(text) if text else None

    def _bracket(self, sign: bytes, at: int) -> None:
        """One between documents, or the last of one."""
        if self._depth:
            self._depth -= 1
            self._complete(at + 1)
            return
        ends_array = sign == b"]" and self._in_array
        if sign in b"}]" and not ends_array:  # one of nothing: as any text that stands here
            self._from = at if self._from is None else self._from
            return
        if self._from is not None:
            self._complete(at)
        if ends_array:
            self._in_array = False
        elif sign == b"[" and not self._in_array:
            self._in_array = True
        else:
            self._from, self._depth = at, 1

    def _hold(self, end: int) -> None:
        self._held = self._held or Held(self._max_bytes)
        self._held.add(self._data[self._from : end])
        self._from = None

    def _complete(self, end: int) -> None:
        """Ends the document after so many of these bytes."""
        self._hold(end)
        end_seen = len(self._before) + end
        place = fingerprint(self._seen[max(0, end_seen - FINGERPRINT_BYTES) : end_seen])
        self._lines.append(self._line(self._offset + end, place))

    def _line(self, end: int, place: str) -> Line:
        self._number += 1
        held, self._held = self._held or Held(self._max_bytes), None
        return held.line(self._number, end, place, IN_ARRAY if self._in_array else BETWEEN_VALUES)


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Where the match that begins there ends."""
    match = pattern.match(data, at)
    return match.end() if match else at
