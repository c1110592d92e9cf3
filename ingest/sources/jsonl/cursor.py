"""Where reading goes on, as text: the cursors of `JsonlSource`. Pure."""

import re
from dataclasses import dataclass

from ingest.sources.formats.documents import BETWEEN_VALUES, IN_ARRAY
from tagstream.errors import CorruptState

_FORM = re.compile(
    rf"([0-9]{{1,18}}):([0-9]{{1,18}}):([0-9a-f]*)(?::([{IN_ARRAY}{BETWEEN_VALUES}])(?:\+([0-9]{{1,18}}))?)?"
)
_OF_A_STREAM = re.compile(r"lines:([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """After `offset` bytes (None: of a stream) and `number` lines or documents.

    `mark` is the fingerprint of what lies before, `context` that of a place between documents, empty between lines.
    `half`: how many bytes of a document that was not whole were read after the place.
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


def parse_cursor(cursor: str) -> Cursor:
    """The place that the text names.

    Raises:
        CorruptState: it is none that `JsonlSource` gave.
    """
    if parts := _OF_A_STREAM.fullmatch(cursor):
        return Cursor(None, int(parts[1]))
    if parts := _FORM.fullmatch(cursor):
        return Cursor(int(parts[1]), int(parts[2]), parts[3], parts[4] or "", int(parts[5] or 0))
    raise CorruptState(f"the saved place {cursor[:80]!r} is not one of a file of JSON lines")


def is_of_a_stream(cursor: str) -> bool:
    """Whether the cursor only counts the lines of a stream, which is another one at every start."""
    return _OF_A_STREAM.fullmatch(cursor) is not None
