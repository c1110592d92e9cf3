"""Splitting of bytes into JSON documents, for files that are not made of lines, in memory that no input can exhaust.

Such a file is a JSON array, however it is broken into lines, or objects that are, one after the other. Owns where a
document begins and ends: at its brackets, outside strings. Knows nothing of a document's meaning. Each document is a
`Line` with the position after it in the file, where reading can go on. Text between documents that is neither space nor
a comma becomes a document as well: its reader finds that it is none.
"""

import re
from dataclasses import replace

from ingest.sources.formats.lines import FINGERPRINT_BYTES, MAX_LINE_BYTES, Held, Line, fingerprint

IN_ARRAY, BETWEEN_VALUES = "a", "v"
"""The contexts of a position in such a file."""

_BETWEEN = b" \t\r\n,;"
# Bytes in which no bracket counts: whole strings, and everything that is no bracket.
_PLAIN = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_REST_OF_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_OPENING, _CLOSING = re.compile(rb"[{\[]++"), re.compile(rb"[}\]]++")


class DocumentSplitter:
    """Takes bytes in any pieces: the documents do not depend on how the input was cut."""

    def __init__(
        self,
        *,
        offset: int = 0,
        number: int = 0,
        before: bytes = b"",
        context: str = BETWEEN_VALUES,
        max_bytes: int = MAX_LINE_BYTES,
    ) -> None:
        """Starts after `offset` bytes and `number` documents; `before` are the last bytes before that position."""
        self._in_array = context == IN_ARRAY
        self._offset = offset
        self._number = number
        self._before = before[-FINGERPRINT_BYTES:]
        self._max_bytes = max_bytes
        self._held: Held | None = None
        self._depth = 0
        self._quoted = self._escaped = False
        self._data = self._seen = b""
        self._from: int | None = None  # in these bytes, where the part that is not held yet begins
        self._lines: list[Line] = []

    def feed(self, data: bytes) -> list[Line]:
        """Returns the documents that `data` completes."""
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
        """Returns the last document, if the input ended in the middle of it."""
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
        if self._depth and (run_end := _end(_OPENING, self._data, end)) > end:
            self._depth += run_end - end
            return run_end
        if self._depth > 1 and (run_end := _end(_CLOSING, self._data, end)) > end:
            run_end = min(run_end, end + self._depth - 1)
            self._depth -= run_end - end
            return run_end
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
        """Begins a document, which cannot be read, at text between documents that is neither space nor a comma."""
        if self._from is None:
            text = self._data[at:end].lstrip(_BETWEEN)
            self._from = end - len(text) if text else None

    def _bracket(self, sign: bytes, at: int) -> None:
        """Handles a bracket between documents, or the last one of a document."""
        if self._depth:
            self._depth -= 1
            self._complete(at + 1)
            return
        ends_array = sign == b"]" and self._in_array
        if sign in b"}]" and not ends_array:  # a bracket without its partner is treated as any other text here
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
        mark = fingerprint(self._seen[max(0, end_seen - FINGERPRINT_BYTES) : end_seen])
        self._lines.append(self._line(self._offset + end, mark))

    def _line(self, end: int, mark: str) -> Line:
        self._number += 1
        held, self._held = self._held or Held(self._max_bytes), None
        return held.line(self._number, end, mark, IN_ARRAY if self._in_array else BETWEEN_VALUES)


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Returns the end of the match that begins at the offset; the offset itself where there is none."""
    match = pattern.match(data, at)
    return match.end() if match else at
