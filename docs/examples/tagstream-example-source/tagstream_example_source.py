"""The source `example:FILE`: a chat log, one message a line, as an example of a plug-in for tagstream.

::

    2026-03-01T10:00:00Z ann Angela Merkel lands in #NewYorkCity
    └─ when ──────────┘ └┬┘ └─ text ─────────────────────────┘
                       author

The cursor is the number of lines that were read. A line that is not of this form becomes a dead letter. Ids hold a
digest of the file's path, because the same line of another file is another message.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from tagstream.dead_letter import dead_letter
from tagstream.errors import BadSettings, CorruptState, UnreadableInput
from tagstream.posts import Author, Event, Post, clean_text
from tagstream.settings import Settings
from tagstream.source import Received
from tagstream.text.hashtags import hashtags_of

SOURCE = "example"


def open_example(argument: str, settings: Settings) -> "ChatLog":
    """Returns the source of `example:<argument>`; reads nothing yet.

    Raises:
        BadSettings: no file is named.
    """
    del settings  # a network would find its tokens there
    if not argument:
        raise BadSettings("example: names no file: write example:FILE")
    return ChatLog(Path(argument))


class ChatLog:
    """A chat log as a source."""

    def __init__(self, path: Path) -> None:
        self.name = f"{SOURCE}:{path.resolve()}"
        self._feed = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:12]
        self._path = path
        self._lines: list[bytes] = []
        self._read = 0
        self._empty = 0

    async def open(self, cursor: str | None) -> None:
        """Reads the file; a large one, or a network, would be read piece by piece in `next_batch`."""
        if cursor is not None and not cursor.isdecimal():
            raise CorruptState(f"{self.name}: {cursor!r} is no cursor of this source")
        try:
            self._lines = self._path.read_bytes().splitlines()
        except OSError as error:
            raise UnreadableInput(f"{self._path}: cannot be read: {error.strerror}") from error
        self._read = int(cursor or 0)

    async def next_batch(self, limit: int) -> Sequence[Received]:
        """Returns the next messages, none at the end. Awaits nothing, so that no cancellation can lose one."""
        batch: list[Received] = []
        while len(batch) < limit and self._read < len(self._lines):
            line = self._lines[self._read]
            self._read += 1
            if line.strip():
                batch.append(Received(event_of(line, self._feed, self._read), str(self._read)))
            else:
                self._empty += 1
        return batch

    async def close(self) -> None:
        """Forgets the lines."""
        self._lines = []

    def counts(self) -> Mapping[str, int]:
        """Returns how many lines gave no event."""
        return {"passed_over_empty_line": self._empty}


def event_of(line: bytes, feed: str, number: int) -> Event:
    """Returns the post of a line, or its dead letter; raises nothing, whatever the line holds."""
    native = f"{SOURCE}:{feed}:{number}"
    try:
        when, author, text = line.decode().split(" ", 2)
        text = clean_text(text)
        return Post(
            id=native,
            source=SOURCE,
            author=Author(id=author, handle=author),
            created_at=datetime.fromisoformat(when),
            text=text,
            hashtags=hashtags_of(text),
            position=number,
        )
    except ValueError as error:  # bytes that are not UTF-8, too few words, no date, a field beyond its bounds
        return dead_letter(origin=native, source=SOURCE, cause="malformed", message=str(error), body=line)
