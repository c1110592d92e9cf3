"""Splitting of the bytes of a table (CSV) into records, in memory that no input can exhaust.

A record ends at the first line end outside quotes, as RFC 4180 says; a quote opens a value only at the value's
beginning. Owns what happens to a quote that is never closed: once the value is longer than `MAX_QUOTED_BYTES`, the
line that holds the quote is a record of its own, which cannot be read, and reading goes on with the line after it. So a
stray quote costs one record and not the rest of the file. Knows nothing of columns.
"""

import re
from dataclasses import replace

from ingest.sources.formats.lines import FINGERPRINT_BYTES, MAX_LINE_BYTES, Held, Line, fingerprint

IN_TABLE = "t"
"""The context of a position in a table."""
MAX_QUOTED_BYTES = 256 * 1024


class RecordSplitter:
    """Takes bytes in any pieces: the records do not depend on how the input was cut."""

    def __init__(
        self,
        delimiter: bytes,
        *,
        offset: int = 0,
        number: int = 0,
        before: bytes = b"",
        max_bytes: int = MAX_LINE_BYTES,
    ) -> None:
        """Starts after `offset` bytes and `number` records; `before` are the last bytes before that position."""
        self._opening = re.compile(re.escape(delimiter) + rb' *"')
        self._offset = offset
        self._number = number
        self._before = before[-FINGERPRINT_BYTES:]
        self._max_bytes = max_bytes
        self._rest = b""  # the beginning of a line whose end has not come
        self._quoted: list[bytes] = []  # the whole lines of a record whose quotes are open
        self._quoted_bytes = 0
        self._long: Held | None = None  # a line that is too long to be kept

    def feed(self, data: bytes) -> list[Line]:
        """Returns the records that `data` completes."""
        *ended, self._rest = (self._rest + data).split(b"\n")
        records: list[Line] = []
        for line in ended:
            records += self._line(line + b"\n")
        if len(self._rest) > self._max_bytes or (self._long is not None and self._rest):
            while self._quoted:
                records += self._give_up_quotes()
            self._long = self._long or Held(self._max_bytes)
            self._long.add(self._rest)
            self._before = (self._before + self._rest)[-FINGERPRINT_BYTES:]
            self._rest = b""
        return records

    def finish(self) -> list[Line]:
        """Returns the last record, if the input ended in the middle of it."""
        records: list[Line] = []
        if self._rest or self._long is not None:
            records += self._line(self._rest)
        while self._quoted:
            records += self._give_up_quotes()
        if records and not self._before.endswith(b"\n"):
            records[-1] = replace(records[-1], unfinished=True)
        self._rest = b""
        return records

    def _line(self, line: bytes) -> list[Line]:
        """Takes a line with its end; returns the records that it completes."""
        if self._long is not None:
            held, self._long = self._long, None
            held.add(line)
            return [self._record(held, line)]
        if self._quoted and self._quoted_bytes + len(line) > min(MAX_QUOTED_BYTES, self._max_bytes):
            return [*self._give_up_quotes(), *self._line(line)]
        if self._ends_quoted(line):
            self._quoted.append(line)
            self._quoted_bytes += len(line)
            return []
        whole, self._quoted, self._quoted_bytes = b"".join((*self._quoted, line)), [], 0
        held = Held(self._max_bytes)
        held.add(whole)
        return [self._record(held, whole)]

    def _give_up_quotes(self) -> list[Line]:
        """Makes a record of the line whose quotes never closed, and reads the lines after it anew."""
        first, *others = self._quoted
        self._quoted, self._quoted_bytes = [], 0
        held = Held(self._max_bytes)
        held.add(first)
        records = [self._record(held, first)]
        for line in others:
            records += self._line(line)
        return records

    def _ends_quoted(self, line: bytes) -> bool:
        """Says whether a value of the record so far is open behind this line."""
        quoted, at = bool(self._quoted), 0
        if not quoted:
            stripped = line.lstrip(b" ")
            quoted, at = stripped.startswith(b'"'), len(line) - len(stripped) + 1
        while True:
            if quoted:
                at = _closing_quote(line, at)
                if at < 0:
                    return True
                quoted = False
            opening = self._opening.search(line, at)
            if opening is None:
                return False
            quoted, at = True, opening.end()

    def _record(self, held: Held, last: bytes) -> Line:
        self._number += 1
        self._offset += held.size
        self._before = (self._before + last)[-FINGERPRINT_BYTES:]
        return held.line(self._number, self._offset, fingerprint(self._before), IN_TABLE)


def _closing_quote(line: bytes, at: int) -> int:
    """Returns the offset after the quote that closes a value, -1 where none does; a doubled quote is a character."""
    while (at := line.find(b'"', at)) >= 0:
        if line[at + 1 : at + 2] != b'"':
            return at + 1
        at += 2
    return -1
