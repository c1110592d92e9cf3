"""A feed from a file of JSON lines, or from standard input.

A line is of one of the forms of `line.py`, of an archive of X (`x/archive.py`), or of a recording
(`recording.py`). A file may be compressed (`compressed.py`): its offsets are those of the content.

A file (`jsonl:PATH`) resumes exactly: its cursor is `<offset>:<lines>:<fingerprint>`, where reading goes on at that
byte, after that many lines, if the bytes before it still have that fingerprint. A file that was cut, replaced or
edited before that place is refused; one that grew is read on.

Standard input (`-`), a FIFO and any other stream cannot be read again: the cursor `lines:<count>` only counts, so
that positions and the origins of dead letters never repeat over restarts. What a killed run had read is read again
only if it is piped in again.

`Post.position` is the line number, from 1, where the line says no `sequence`. A line of which an earlier run saw only
the half is read again, and supersedes the dead letter of that half. A dead letter's origin is `<absolute path>:<line
number>`, of standard input `-:<line number>`: as the cursor's name, it is the same for a file however its path is
spelled. Of a path that is not UTF-8 the bytes that cannot be decoded stand there as `%E9`. Blank lines count as lines
and say nothing. Of a line that holds several events all but the last have the cursor before the line, so that none of
them is lost, and some are read twice, if a run ends between them.
"""

import asyncio
import os
import stat
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingest.sources.base import Received
from ingest.sources.compressed import FileBytes, PlainBytes, open_bytes
from ingest.sources.jsonl.dump import read_dump_line
from ingest.sources.jsonl.fields import LineFault
from ingest.sources.jsonl.line import DEFAULT_SOURCE, read_event
from ingest.sources.lines import FINGERPRINT_BYTES, MAX_LINE_BYTES, Line, LineSplitter, fingerprint
from ingest.sources.recording import read_recorded_line
from ingest.sources.x.archive import read_archive_line
from tagstream.daemon import in_daemon_thread
from tagstream.errors import CorruptState, UnreadableInput
from tagstream.posts import DeadLetter, Event, path_as_text

READ_BYTES = 128 * 1024
STANDARD_INPUT = "-"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_THREAD = "jsonl-reader"


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What one read gave; `last` if the input ended with it."""

    received: list[Received]
    last: bool


class JsonlSource:
    """The lines of one file or stream, in order. `path` `-` is standard input."""

    def __init__(self, path: str) -> None:
        self._place = path if path == STANDARD_INPUT else path_as_text(os.path.abspath(path))
        self.name = f"jsonl:{self._place}"
        self._path = path
        self._descriptor: int | None = None
        self._bytes: FileBytes | None = None
        self._seekable = False
        self._before = ""  # the cursor before the next line
        self._splitter = LineSplitter()
        self._half_read: int | None = None
        self._ready: deque[Received] = deque()
        self._opening: asyncio.Future[None] | None = None
        self._reading: asyncio.Future[_Chunk] | None = None
        self._ended = False

    async def open(self, cursor: str | None) -> None:
        """Opens the input at `cursor`, from the beginning if None.

        Raises:
            UnreadableInput: it is not there, not readable, or not what it was when the cursor was saved.
            CorruptState: the cursor is not one of ours.
        """
        self._opening = in_daemon_thread(lambda: self._open(cursor), _THREAD)
        await asyncio.shield(self._opening)

    async def next_batch(self, limit: int) -> Sequence[Received]:
        while not self._ready and not self._ended:
            if self._reading is None:
                # A read from a terminal or a FIFO blocks until somebody writes.
                self._reading = in_daemon_thread(self._read, _THREAD)
            # Shielded, and kept: if this call is cancelled, the next one takes up what the thread has read.
            chunk = await asyncio.shield(self._reading)
            self._reading = None
            self._ready.extend(chunk.received)
            self._ended = self._ended or chunk.last
        return [self._ready.popleft() for _ in range(min(limit, len(self._ready)))]

    def counts(self) -> Mapping[str, int]:
        """None: all that is read is an event."""
        return {}

    async def close(self) -> None:
        self._ended = True
        busy = self._reading or self._opening
        if busy is None or busy.done():
            self._close_descriptor()
        else:  # a thread is blocked in the descriptor: closing it now could hand its number to another file
            busy.add_done_callback(self._close_after)

    def _close_after(self, busy: asyncio.Future[_Chunk] | asyncio.Future[None]) -> None:
        if not busy.cancelled():
            busy.exception()  # nobody waits for it any more: seen here, or asyncio would print it
        self._close_descriptor()

    def _close_descriptor(self) -> None:
        if self._descriptor is not None and self._path != STANDARD_INPUT:
            os.close(self._descriptor)
        self._descriptor = None

    def _open(self, cursor: str | None) -> None:
        try:
            self._descriptor = 0 if self._path == STANDARD_INPUT else os.open(self._path, os.O_RDONLY)
            mode = os.fstat(self._descriptor).st_mode
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UnreadableInput(f"cannot open {self._path!r}: {reason}") from error
        if stat.S_ISDIR(mode):
            raise UnreadableInput(f"cannot read {self._path!r}: it is a directory, name a file of JSON lines")
        self._seekable = stat.S_ISREG(mode) and self._path != STANDARD_INPUT
        self._bytes = open_bytes(self._descriptor, self._path) if self._seekable else PlainBytes(self._descriptor)
        self._before = cursor or (f"0:0:{fingerprint(b'')}" if self._seekable else "lines:0")
        if cursor is not None:
            self._resume(self._bytes, cursor)

    def _resume(self, content: FileBytes, cursor: str) -> None:
        offset, number, mark = parse_cursor(cursor)
        if (offset is not None) != self._seekable:
            raise UnreadableInput(
                f"{self._path!r} was a {'file' if offset is not None else 'stream'} when its place {cursor!r} was "
                "saved and is none now: use a new index, or give it under its new name"
            )
        if offset is None:
            self._splitter = LineSplitter(number=number)
            return
        before = content.read_at(max(0, offset - FINGERPRINT_BYTES), min(offset, FINGERPRINT_BYTES))
        reached = content.seek(offset)
        if reached < offset or fingerprint(before) != mark:
            what = f"has only {reached} bytes" if reached < offset else "was changed before that place"
            raise UnreadableInput(
                f"cannot go on reading {self._path!r} after line {number} (byte {offset}): it {what}. "
                "Restore it, or read the new file under another name or into a new index"
            )
        if before and not before.endswith(b"\n"):
            offset, whole = _unfinished_line(content, offset, number)
            self._half_read = number if whole < number else None
            number = whole
            before = content.read_at(max(0, offset - FINGERPRINT_BYTES), min(offset, FINGERPRINT_BYTES))
            content.seek(offset)
            self._before = f"{offset}:{number}:{fingerprint(before)}"
        self._splitter = LineSplitter(offset=offset, number=number, before=before)

    def _read(self) -> _Chunk:
        """The events of the next bytes; reads on until there is one or the input ends. Runs in a thread.

        Only says that the input has ended, and leaves it to `next_batch` to end the feed: if that was cancelled, the
        events of the last bytes still wait to be taken.
        """
        while not self._ended and self._bytes is not None:
            try:
                data = self._bytes.read(READ_BYTES)
            except OSError as error:
                raise UnreadableInput(f"cannot read {self._path!r} any further: {error.strerror}") from error
            if not data:
                self._check_not_cut(self._bytes)
            lines = self._splitter.feed(data) if data else self._splitter.finish()
            received = [one for line in lines for one in self._receive(line)]
            if received or not data:
                return _Chunk(received, last=not data)
        return _Chunk([], last=True)

    def _check_not_cut(self, content: FileBytes) -> None:
        if self._seekable and content.lost():
            raise UnreadableInput(f"{self._path!r} became shorter while it was being read: restore it")

    def _receive(self, line: Line) -> list[Received]:
        """The events of a line; none of a blank one."""
        cursor = f"{line.end}:{line.number}:{line.fingerprint}" if self._seekable else f"lines:{line.number}"
        before, self._before = self._before, cursor
        if not line.body.strip() and line.sha256 is None:
            return []
        origin = f"{self._place}:{line.number}"
        half_read = origin if line.number == self._half_read else None
        if line.sha256 is not None:
            return [Received(_too_long(line, line.sha256, origin), cursor, half_read)]
        body = line.body.removeprefix(_BYTE_ORDER_MARK) if line.number == 1 else line.body
        found = read_line(body, origin=origin, position=line.number)
        if not found:
            return []
        *others, (last, supersedes) = found
        return [
            *(Received(event, before, superseded) for event, superseded in others),
            Received(last, cursor, supersedes or half_read),
        ]


def read_line(
    body: bytes, *, origin: str, position: int, source: str = DEFAULT_SOURCE
) -> list[tuple[Event, str | None]]:
    """The events of a line of any form, each with the origin of the dead letter that it supersedes.

    Only of some lines of a dump there are none.

    `source` is that of a line which names none.
    """
    recorded = read_recorded_line(body, origin=origin, position=position)
    if recorded is not None:
        return [recorded]
    dumped = read_dump_line(body)
    if dumped is not None:
        return [(event, None) for event in dumped]
    archived = read_archive_line(body, origin=origin, position=position)
    if archived is not None:
        return [(event, None) for event in archived]
    return [(read_event(body, origin=origin, position=position, source=source), None)]


def parse_cursor(cursor: str) -> tuple[int | None, int, str]:
    """Byte offset (None: of a stream), lines before it, fingerprint.

    Raises:
        CorruptState: it is none that `JsonlSource` gave.
    """
    match cursor.split(":"):
        case ["lines", number] if _is_count(number):
            return None, int(number), ""
        case [offset, number, mark] if _is_count(offset) and _is_count(number):
            return int(offset), int(number), mark
    raise CorruptState(f"the saved place {cursor[:80]!r} is not one of a file of JSON lines")


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _unfinished_line(content: FileBytes, offset: int, number: int) -> tuple[int, int]:
    """Where to go on when the last line read had no newline yet, and the file may have grown since.

    If only the newline came, after it. If the line itself grew, what was read was half of it: read it again whole.
    """
    following = content.read_at(offset, 2)
    if following == b"" or b"\n" in (following[:1], following.removeprefix(b"\r")):
        return offset + following.find(b"\n") + 1, number
    start = max(0, offset - MAX_LINE_BYTES)
    return start + content.read_at(start, offset - start).rfind(b"\n") + 1, number - 1


def _too_long(line: Line, sha256: str, origin: str) -> DeadLetter:
    return DeadLetter(
        origin=origin,
        source=DEFAULT_SOURCE,
        cause=LineFault.LINE_TOO_LONG.value,
        message=f"the line has {line.size:,} bytes, the limit is {MAX_LINE_BYTES:,}; its beginning is kept",
        body=line.body,
        size=line.size,
        sha256=sha256,
        position=line.number,
    )
