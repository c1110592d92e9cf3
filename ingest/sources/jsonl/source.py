"""A feed from a file of JSON lines or JSON documents, or from standard input.

What a line or a document says is told by `document.py`. A file may be compressed (`compressed.py`): its offsets are
those of the content. A file that is an array of JSON, pretty-printed, or a script that assigns such an array (an
account's own export) is read document by document (`documents.py`); what else it may be is told by `beginning.py`.

A file (`jsonl:PATH`) resumes exactly: its cursor is `<offset>:<lines>:<fingerprint>`, where reading goes on at that
byte, after that many lines, if the bytes before it still have that fingerprint; between documents with the context of
that place behind it. A file that was cut, replaced or edited before that place is refused; one that grew is read on.

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
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingest.sources.formats.compressed import FileBytes, PlainBytes, open_bytes
from ingest.sources.formats.documents import BETWEEN_VALUES, DocumentSplitter
from ingest.sources.formats.json_fields import LineFault
from ingest.sources.formats.lines import FINGERPRINT_BYTES, MAX_LINE_BYTES, Line, LineSplitter, fingerprint
from ingest.sources.jsonl.beginning import BEGINNING_BYTES, Form, beginning_of, is_undecided
from ingest.sources.jsonl.cursor import Cursor, parse_cursor
from ingest.sources.jsonl.document import read_line, says_nothing
from ingest.sources.jsonl.line import DEFAULT_SOURCE
from ingest.sources.jsonl.reading import PassedOverDocument
from tagstream.dead_letter import dead_letter
from tagstream.errors import UnreadableInput
from tagstream.posts import DeadLetter, path_as_text
from tagstream.runtime.daemon_thread import in_daemon_thread
from tagstream.settings import Settings
from tagstream.source import Received, Share, named

READ_BYTES = 128 * 1024
STANDARD_INPUT = "-"
# With how many lines that are no JSON at all a stream may begin.
STRANGE_LINES = 100
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_THREAD = "jsonl-reader"


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What one read gave; `last` if the input ended with it."""

    received: list[Received]
    last: bool


def open_jsonl(argument: str, settings: Settings) -> "JsonlSource":
    """Returns the source of `jsonl:<argument>`; `-` is standard input."""
    return JsonlSource(argument, settings.max_line_bytes)


class JsonlSource:
    """The lines or documents of one file or stream, in order. `path` `-` is standard input."""

    def __init__(self, path: str, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._place = path if path == STANDARD_INPUT else path_as_text(os.path.abspath(path))
        self.name = f"jsonl:{self._place}"
        self._path = path
        self._descriptor: int | None = None
        self._bytes: FileBytes | None = None
        self._seekable = False
        self._max_line_bytes = max_line_bytes
        self._before = Cursor(None, 0)  # the cursor before the next line
        self._splitter: LineSplitter | DocumentSplitter | None = None
        self._begun = b""  # of a stream: what was read before it could be told what it is
        self._half_read: int | None = None
        self._nothing_new = False
        self._strange_lines: int | None = 0
        self._passed_over: Counter[PassedOverDocument] = Counter()
        self._ready: deque[Received] = deque()
        self._opening: asyncio.Future[None] | None = None
        self._reading: asyncio.Future[_Chunk] | None = None
        self._ended = False
        self._share_begun = self._share_before = self._share_after = 0.0
        self._last_size = 0

    async def open(self, cursor: str | None) -> None:
        """Opens the input at `cursor`, from the beginning if None.

        Raises:
            UnreadableInput: it is not there, not readable, or not what it was when the cursor was saved.
            CorruptState: the cursor is not one of ours.
        """
        self._opening = in_daemon_thread(lambda: self._open(cursor), _THREAD)
        await asyncio.shield(self._opening)
        if cursor is not None:  # else what was looked at to tell its form will be read again
            self._share_begun = self._share_after = self._share_of_file()

    async def next_batch(self, limit: int) -> Sequence[Received]:
        while not self._ready and not self._ended:
            if self._reading is None:
                # A read from a terminal or a FIFO blocks until somebody writes.
                self._reading = in_daemon_thread(self._read, _THREAD)
            # Shielded, and kept: if this call is cancelled, the next one takes up what the thread has read.
            chunk = await asyncio.shield(self._reading)
            self._reading = None
            self._ready.extend(chunk.received)
            self._share_before, self._share_after = self._share_after, self._share_of_file()
            self._last_size = len(chunk.received)
            self._ended = self._ended or chunk.last
        return [self._ready.popleft() for _ in range(min(limit, len(self._ready)))]

    def share_read(self) -> Share | None:
        """How much of the file was handed over, by its bytes as they lie on the disk; None of a stream."""
        if not self._seekable:
            return None
        waiting = len(self._ready) / self._last_size if self._last_size else 0.0
        return Share(self._share_begun, self._share_after - waiting * (self._share_after - self._share_before))

    def _share_of_file(self) -> float:
        if not self._seekable or self._descriptor is None:
            return 0.0
        size = os.fstat(self._descriptor).st_size
        return min(1.0, os.lseek(self._descriptor, 0, os.SEEK_CUR) / size) if size else 1.0

    def counts(self) -> Mapping[str, int]:
        return named("passed_over", {reason: self._passed_over[reason] for reason in PassedOverDocument})

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
        place = None if cursor is None else parse_cursor(cursor)
        if place is not None and (place.offset is not None) != self._seekable:
            raise UnreadableInput(
                f"{self._path!r} was a {'file' if place.offset is not None else 'stream'} when its place {cursor!r} "
                "was saved and is none now: use a new index, or give it under its new name"
            )
        if not self._seekable:
            self._before = place or self._before
        elif place is None or not place.offset:
            self._begin(self._bytes, place or Cursor(0, 0))
        else:
            self._resume(self._bytes, place, place.offset)

    def _begin(self, content: FileBytes, place: Cursor) -> None:
        """Reads a file from its first byte; `place` says of an earlier run how much of its first document it saw."""
        beginning, is_whole = _peeked(content)
        if is_whole and not beginning.strip():
            raise UnreadableInput(f"{self._path!r} is empty: there is no post in it yet")
        told = beginning_of(beginning, repr(self._path))
        before = beginning[: told.skipped]
        if told.form is Form.LINES:
            self._before = Cursor(0, 0, fingerprint(b""))
            self._splitter = LineSplitter(max_bytes=self._max_line_bytes)
            return
        self._before = Cursor(told.skipped, 0, fingerprint(before), BETWEEN_VALUES)
        self._splitter = DocumentSplitter(offset=told.skipped, before=before, max_bytes=self._max_line_bytes)
        self._look_for_more(content, place)
        content.seek(told.skipped)

    def _resume(self, content: FileBytes, place: Cursor, offset: int) -> None:
        before = content.read_at(max(0, offset - FINGERPRINT_BYTES), min(offset, FINGERPRINT_BYTES))
        reached = content.seek(offset)
        if reached < offset or fingerprint(before) != place.mark:
            what = f"has only {reached} bytes" if reached < offset else "was changed before that place"
            raise UnreadableInput(
                f"cannot go on reading {self._path!r} after line {place.number} (byte {offset}): it {what}. "
                "Restore it, or read the new file under another name or into a new index"
            )
        number = place.number
        self._before = Cursor(offset, number, place.mark, place.context)
        if place.context:
            self._splitter = DocumentSplitter(
                offset=offset, number=number, before=before, context=place.context, max_bytes=self._max_line_bytes
            )
            self._look_for_more(content, place)
            content.seek(offset)
            return
        if before and not before.endswith(b"\n"):
            offset, whole = _unfinished_line(content, offset, number, self._max_line_bytes)
            self._half_read = number if whole < number else None
            number = whole
            before = content.read_at(max(0, offset - FINGERPRINT_BYTES), min(offset, FINGERPRINT_BYTES))
            content.seek(offset)
            self._before = Cursor(offset, number, fingerprint(before))
        self._splitter = LineSplitter(offset=offset, number=number, before=before, max_bytes=self._max_line_bytes)

    def _look_for_more(self, content: FileBytes, place: Cursor) -> None:
        """Of a document that was not whole: reads it again if there is more of it now, and does not if there is not."""
        if place.half:
            self._half_read = place.number + 1
            self._nothing_new = not content.read_at((place.offset or 0) + place.half, 1)

    def _read(self) -> _Chunk:
        """The events of the next bytes; reads on until there is one or the input ends. Runs in a thread.

        Only says that the input has ended, and leaves it to `next_batch` to end the feed: if that was cancelled, the
        events of the last bytes still wait to be taken.
        """
        while not self._ended and not self._nothing_new and self._bytes is not None:
            try:
                data = self._bytes.read(READ_BYTES)
            except OSError as error:
                raise UnreadableInput(f"cannot read {self._path!r} any further: {error.strerror}") from error
            if not data:
                self._check_not_cut(self._bytes)
            received = [one for line in self._split(data) for one in self._receive(line)]
            if received or not data:
                return _Chunk(received, last=not data)
        return _Chunk([], last=True)

    def _check_not_cut(self, content: FileBytes) -> None:
        if self._seekable and content.lost():
            raise UnreadableInput(f"{self._path!r} became shorter while it was being read: restore it")

    def _split(self, data: bytes) -> list[Line]:
        """The lines that these bytes complete; without bytes the last one."""
        if self._splitter is not None:
            return self._splitter.feed(data) if data else self._splitter.finish()
        self._begun += data
        if data and is_undecided(self._begun):
            return []
        told = beginning_of(self._begun[:BEGINNING_BYTES], _shown(self._path), is_stream=True)
        splitter = LineSplitter if told.form is Form.LINES else DocumentSplitter
        self._splitter = splitter(number=self._before.number, max_bytes=self._max_line_bytes)
        begun, self._begun = self._begun[told.skipped :], b""
        return [*self._splitter.feed(begun), *([] if data else self._splitter.finish())]

    def _receive(self, line: Line) -> list[Received]:
        """The events of a line; none of a blank one."""
        cursor, before = self._cursor_after(line), str(self._before)
        self._before = cursor
        if not line.body.strip() and line.sha256 is None:
            return []
        origin = f"{self._place}:{line.number}"
        half_read = origin if line.number == self._half_read else None
        if line.sha256 is not None:
            letter = _too_long(line, line.sha256, origin, self._max_line_bytes)
            return [Received(letter, str(cursor), half_read)]
        body = line.body.removeprefix(_BYTE_ORDER_MARK) if line.number == 1 else line.body
        self._refuse_strangeness(body)
        reading = read_line(body, origin=origin, position=line.number)
        self._passed_over.update(reading.passed_over)
        if not reading.events:
            return []
        *others, last = reading.events
        return [
            *(Received(event, before) for event in others),
            Received(last, str(cursor), reading.supersedes or half_read),
        ]

    def _cursor_after(self, line: Line) -> Cursor:
        if not self._seekable:
            return Cursor(None, line.number)
        if line.unfinished:
            before = self._before
            return Cursor(before.offset, before.number, before.mark, before.context, line.end - (before.offset or 0))
        return Cursor(line.end, line.number, line.fingerprint, line.context)

    def _refuse_strangeness(self, body: bytes) -> None:
        """Ends a feed that begins with nothing but lines that are no JSON: they would be as many dead letters."""
        if self._strange_lines is None or says_nothing(body):
            return
        if body.lstrip().startswith(b"{"):
            self._strange_lines = None
            return
        self._strange_lines += 1
        if self._strange_lines >= STRANGE_LINES:
            raise UnreadableInput(
                f"{_shown(self._path)} is no feed of JSON lines: none of its first {STRANGE_LINES} is a JSON object, "
                f"this one is {body[:60]!r}"
            )


def _shown(path: str) -> str:
    return "standard input" if path == STANDARD_INPUT else repr(path)


def _peeked(content: FileBytes) -> tuple[bytes, bool]:
    """How the content begins, and whether that is all of it; goes back to the first byte.

    What cannot be read is left to the reading: what comes before the damage is of use.
    """
    pieces: list[bytes] = []
    size, is_whole = 0, False
    try:
        while size < BEGINNING_BYTES and not is_whole:
            piece = content.read(BEGINNING_BYTES - size)
            pieces.append(piece)
            size += len(piece)
            is_whole = not piece
    except (UnreadableInput, OSError):
        pass
    content.seek(0)
    return b"".join(pieces), is_whole


def _unfinished_line(content: FileBytes, offset: int, number: int, max_line_bytes: int) -> tuple[int, int]:
    """Where to go on when the last line read had no newline yet, and the file may have grown since.

    If only the newline came, after it. If the line itself grew, what was read was half of it: read it again whole.
    """
    following = content.read_at(offset, 2)
    if following == b"" or b"\n" in (following[:1], following.removeprefix(b"\r")):
        return offset + following.find(b"\n") + 1, number
    start = max(0, offset - max_line_bytes)
    return start + content.read_at(start, offset - start).rfind(b"\n") + 1, number - 1


def _too_long(line: Line, sha256: str, origin: str, limit: int) -> DeadLetter:
    return dead_letter(
        origin=origin,
        source=DEFAULT_SOURCE,
        cause=LineFault.LINE_TOO_LONG.value,
        message=f"{line.size:,} bytes, the limit is {limit:,} (the setting max_line_bytes); its beginning is kept",
        body=line.body,
        size=line.size,
        sha256=sha256,
        position=line.number,
    )
