"""The cursors of `JsonlSource`, as text. Pure."""

import re
from dataclasses import dataclass

from ingest.sources.formats.documents import BETWEEN_VALUES, IN_ARRAY
from ingest.sources.formats.records import IN_TABLE
from tagstream.errors import CorruptState

_FORM = re.compile(
    rf"([0-9]{{1,18}}):([0-9]{{1,18}}):([0-9a-f]*)(?::([{IN_ARRAY}{BETWEEN_VALUES}{IN_TABLE}])(?:\+([0-9]{{1,18}}))?)?"
)
_OF_A_STREAM = re.compile(r"lines:([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class JsonlCursor:
    """The position after `offset` bytes (None: in a stream) and `number` lines or documents.

    `mark` is the fingerprint of the bytes before it. `context` says what a position between documents or records lies
    in; it is empty between lines. `half` is the number of bytes after the position that were read of a document or
    record that was not whole.
    """

    offset: int | None
    number: int
    mark: str = ""
    context: str = ""
    half: int = 0

    def __str__(self) -> str:
        if self.offset is None:
            return f"lines:{self.number}"
        context = f":{self.context}" if self.context else ""
        return f"{self.offset}:{self.number}:{self.mark}{context}{f'+{self.half}' if self.half else ''}"


def parse_cursor(cursor: str) -> JsonlCursor:
    """Reads a cursor.

    Raises:
        CorruptState: it is none that `JsonlSource` gave.
    """
    if parts := _OF_A_STREAM.fullmatch(cursor):
        return JsonlCursor(None, int(parts[1]))
    if parts := _FORM.fullmatch(cursor):
        return JsonlCursor(int(parts[1]), int(parts[2]), parts[3], parts[4] or "", int(parts[5] or 0))
    raise CorruptState(f"the saved cursor {cursor[:80]!r} is not one of a file of JSON lines")


def is_of_a_stream(cursor: str) -> bool:
    """Says whether the cursor only counts the lines of a stream, which is another stream at every start."""
    return _OF_A_STREAM.fullmatch(cursor) is not None
