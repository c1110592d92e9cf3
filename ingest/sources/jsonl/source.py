"""A feed from a file of JSON lines, JSON documents or a table (CSV), or from standard input.

`document.py` reads a line or a document. A file may be compressed (`formats/compressed.py`): its offsets are those of
the content. A file that is a JSON array, pretty-printed, or a script that assigns such an array (an account's own
export) is read document by document (`formats/documents.py`), a table record by record (`formats/records.py`, with
the columns of `table.py`). `beginning.py` tells these forms apart, and refuses files of other kinds.

A file (`jsonl:PATH`) resumes exactly: its cursor is `<offset>:<lines>:<fingerprint>`. Reading goes on at that byte,
after that many lines, if the bytes before it still have that fingerprint; between documents the cursor also says what
the position lies in. A file that was cut, replaced or edited before that position is refused; one that grew is read on.

Standard input (`-`), a FIFO and any other stream cannot be read again. The cursor `lines:<count>` only counts, so that
positions and the origins of dead letters never repeat over restarts. Lines that a killed run had read are read again
only if they are piped in again.

`Post.position` is the line number, from 1, where the line has no `sequence`. A line of which an earlier run saw only
half is read again, and supersedes the dead letter of that half. The origin of a dead letter is `<absolute path>:<line
number>`, on standard input `-:<line number>`: like the cursor's name, it is the same however the path is spelled. In a
path that is not UTF-8, bytes that cannot be decoded become `%E9`. Blank lines count as lines and say nothing. In a line
with several events, all but the last have the cursor before the line: so none of them is lost, and some are read twice
if a run ends between them.
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
from ingest.sources.formats.records import IN_TABLE, RecordSplitter
from ingest.sources.formats.zipped import ZippedBytes
from ingest.sources.jsonl.beginning import BEGINNING_BYTES, Form, beginning_of, is_undecided
from ingest.sources.jsonl.cursor import JsonlCursor, parse_cursor
from ingest.sources.jsonl.document import read_line, read_record, says_nothing
from ingest.sources.jsonl.line import DEFAULT_SOURCE
from ingest.sources.jsonl.reading import PassedOverDocument
from ingest.sources.jsonl.table import Table, TableOptions
from ingest.sources.x.archive import of_account, read_account
from tagstream.dead_letter import dead_letter
from tagstream.errors import UnreadableInput
from tagstream.posts import Author, DeadLetter, path_as_text
from tagstream.runtime.daemon_thread import in_daemon_thread
from tagstream.source import Received, Share, named

READ_BYTES = 128 * 1024
STANDARD_INPUT = "-"
# The number of lines that are no JSON at all with which a stream may begin.
STRANGE_LINES = 100
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_THREAD = "jsonl-reader"


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The events of one read; `last` if the input ended with it."""

    received: list[Received]
    last: bool


class JsonlSource:
    """The lines or documents of one file or stream, in order. The `path` `-` is standard input."""

    def __init__(self, path: str, max_line_bytes: int = MAX_LINE_BYTES, options: TableOptions | None = None) -> None:
        """Reads the file at `path`; with `options` as a table."""
        self._place = path if path == STANDARD_INPUT else path_as_text(os.path.abspath(path))
        self._default_source = DEFAULT_SOURCE if options is None else "csv"
        self.name = f"{self._default_source}:{self._place}"
        self._options = options
        self._table: Table | None = None
        self._account: Author | None = None  # of an account's own export
        self._path = path
        self._descriptor: int | None = None
        self._bytes: FileBytes | None = None
        self._seekable = False
        self._max_line_bytes = max_line_bytes
        self._before = JsonlCursor(None, 0)  # the cursor before the next line
        self._splitter: LineSplitter | DocumentSplitter | RecordSplitter | None = None
        self._begun = b""  # the bytes of a stream before its form could be told
        self._half_read: int | None = None
        self._header_number = 1  # of the record that names a table's columns
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
        """Opens the input at `cursor`; at its beginning if None.

        Raises:
            UnreadableInput: it is not there, not readable, or not what it was when the cursor was saved.
            CorruptState: the cursor is not one of ours.
        """
        self._opening = in_daemon_thread(lambda: self._open(cursor), _THREAD)
        await asyncio.shield(self._opening)
        if cursor is not None:  # without a cursor, the bytes that told the form are read again
            self._share_begun = self._share_after = self._share_of_file()

    async def next_batch(self, limit: int) -> Sequence[Received]:
        while not self._ready and not self._ended:
            if self._reading is None:
                # A read from a terminal or a FIFO blocks until somebody writes to it.
                self._reading = in_daemon_thread(self._read, _THREAD)
            # Shielded and kept: if this call is cancelled, the next one takes what the thread has read.
            chunk = await asyncio.shield(self._reading)
            self._reading = None
            self._ready.extend(chunk.received)
            self._share_before, self._share_after = self._share_after, self._share_of_file()
            self._last_size = len(chunk.received)
            self._ended = self._ended or chunk.last
        return [self._ready.popleft() for _ in range(min(limit, len(self._ready)))]

    def share_read(self) -> Share | None:
        """Returns how much of the file was handed over, by its bytes on the disk; None for a stream."""
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
        else:  # a thread is blocked in the descriptor; closing it now could give its number to another file
            busy.add_done_callback(self._close_after)

    def _close_after(self, busy: asyncio.Future[_Chunk] | asyncio.Future[None]) -> None:
        if not busy.cancelled():
            busy.exception()  # retrieved, or asyncio would print it, because nobody waits any more
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
        if isinstance(self._bytes, ZippedBytes):
            self._account = read_account(self._bytes.account())
        position = None if cursor is None else parse_cursor(cursor)
        if position is not None and (position.offset is not None) != self._seekable:
            raise UnreadableInput(
                f"{self._path!r} was a {'file' if position.offset is not None else 'stream'} when its place {cursor!r} "
                "was saved and is none now: use a new index, or give it under its new name"
            )
        if not self._seekable:
            self._before = position or self._before
        elif position is None or not position.offset:
            self._begin(self._bytes, position or JsonlCursor(0, 0))
        else:
            self._resume(self._bytes, position, position.offset)

    def _begin(self, content: FileBytes, position: JsonlCursor) -> None:
        """Reads a file from its first byte; `position` says how much of its first document an earlier run saw."""
        beginning, is_whole = _peeked(content)
        if is_whole and not beginning.strip():
            raise UnreadableInput(f"{self._path!r} is empty: there is no post in it yet")
        form_found = beginning_of(beginning, repr(self._path), options=self._options)
        before = beginning[: form_found.skipped]
        if form_found.table is not None:
            self._before = JsonlCursor(0, 0, fingerprint(b""), IN_TABLE)
            self._splitter = self._table_splitter(form_found.table)
            self._look_for_more(content, position)
            content.seek(0)
            return
        if form_found.form is Form.LINES:
            self._before = JsonlCursor(0, 0, fingerprint(b""))
            self._splitter = LineSplitter(max_bytes=self._max_line_bytes)
            return
        self._before = JsonlCursor(form_found.skipped, 0, fingerprint(before), BETWEEN_VALUES)
        self._splitter = DocumentSplitter(offset=form_found.skipped, before=before, max_bytes=self._max_line_bytes)
        self._look_for_more(content, position)
        content.seek(form_found.skipped)

    def _resume(self, content: FileBytes, position: JsonlCursor, offset: int) -> None:
        before = content.read_at(max(0, offset - FINGERPRINT_BYTES), min(offset, FINGERPRINT_BYTES))
        reached = content.seek(offset)
        if reached < offset or fingerprint(before) != position.mark:
            what = f"has only {reached} bytes" if reached < offset else "was changed before that place"
            raise UnreadableInput(
                f"cannot go on reading {self._path!r} after line {position.number} (byte {offset}): it {what}. "
                "Restore it, or read the new file under another name or into a new index"
            )
        number = position.number
        self._before = JsonlCursor(offset, number, position.mark, position.context)
        if position.context == IN_TABLE:
            form_found = beginning_of(content.read_at(0, BEGINNING_BYTES), repr(self._path), options=self._options)
            if form_found.table is None:
                raise UnreadableInput(f"{self._path!r} was a table and is none now: read it into a new index")
            self._splitter = self._table_splitter(form_found.table, offset=offset, number=number, before=before)
            self._look_for_more(content, position)
            content.seek(offset)
            return
        if position.context:
            self._splitter = DocumentSplitter(
                offset=offset, number=number, before=before, context=position.context, max_bytes=self._max_line_bytes
            )
            self._look_for_more(content, position)
            content.seek(offset)
            return
        if before and not before.endswith(b"\n"):
            offset, whole = _unfinished_line(content, offset, number, self._max_line_bytes)
            self._half_read = number if whole < number else None
            number = whole
            before = content.read_at(max(0, offset - FINGERPRINT_BYTES), min(offset, FINGERPRINT_BYTES))
            content.seek(offset)
            self._before = JsonlCursor(offset, number, fingerprint(before))
        self._splitter = LineSplitter(offset=offset, number=number, before=before, max_bytes=self._max_line_bytes)

    def _table_splitter(self, table: Table, *, offset: int = 0, number: int = 0, before: bytes = b"") -> RecordSplitter:
        """Notes the columns of the table, by which its records are read; returns what splits them."""
        self._table = table
        delimiter = table.delimiter.encode()
        return RecordSplitter(delimiter, offset=offset, number=number, before=before, max_bytes=self._max_line_bytes)

    def _look_for_more(self, content: FileBytes, position: JsonlCursor) -> None:
        """Reads a document that was not whole again if there is more of it now; leaves it alone if there is not."""
        if position.half:
            self._half_read = position.number + 1
            self._nothing_new = not content.read_at((position.offset or 0) + position.half, 1)

    def _read(self) -> _Chunk:
        """Returns the events of the next bytes; reads on until there is one or the input ends. Runs in a thread.

        The end of the input is only reported here, and `next_batch` ends the feed: if that call was cancelled, the
        events of the last bytes still wait to be taken.
        """
        while not self._ended and not self._nothing_new and self._bytes is not None:
            try:
                data = self._bytes.read(READ_BYTES)
            except OSError as error:
                raise UnreadableInput(f"cannot read {self._path!r} any further: {error.strerror}") from error
            if not data:
                self._check_not_cut(self._bytes)
            received = [event for line in self._split(data) for event in self._receive(line)]
            if received or not data:
                return _Chunk(received, last=not data)
        return _Chunk([], last=True)

    def _check_not_cut(self, content: FileBytes) -> None:
        if self._seekable and content.lost():
            raise UnreadableInput(f"{self._path!r} became shorter while it was being read: restore it")

    def _split(self, data: bytes) -> list[Line]:
        """Returns the lines that these bytes complete; without bytes the last one."""
        if self._splitter is not None:
            return self._splitter.feed(data) if data else self._splitter.finish()
        self._begun += data
        if data and is_undecided(self._begun):
            return []
        beginning = self._begun[:BEGINNING_BYTES]
        form_found = beginning_of(beginning, _shown(self._path), is_stream=True, options=self._options)
        splitter: LineSplitter | DocumentSplitter | RecordSplitter
        if form_found.table is not None:
            self._header_number = self._before.number + 1
            splitter = self._table_splitter(form_found.table, number=self._before.number)
        else:
            of_form = LineSplitter if form_found.form is Form.LINES else DocumentSplitter
            splitter = of_form(number=self._before.number, max_bytes=self._max_line_bytes)
        self._splitter = splitter
        begun, self._begun = self._begun[form_found.skipped :], b""
        return [*splitter.feed(begun), *([] if data else splitter.finish())]

    def _receive(self, line: Line) -> list[Received]:
        """Returns the events of a line; none for a blank one."""
        cursor, before = self._cursor_after(line), str(self._before)
        self._before = cursor
        if not line.body.strip() and line.sha256 is None:
            return []
        origin = f"{self._place}:{line.number}"
        half_read = origin if line.number == self._half_read else None
        if line.sha256 is not None:
            dead_letter_of_line = _too_long(line, line.sha256, origin, self._max_line_bytes, self._default_source)
            return [Received(dead_letter_of_line, str(cursor), half_read)]
        if self._table is not None and 0 <= line.number - self._header_number < self._table.header:
            return []
        body = line.body.removeprefix(_BYTE_ORDER_MARK) if line.number == 1 else line.body
        if self._table is not None:
            reading = read_record(body, self._table, origin=origin, position=line.number, source=self._default_source)
        else:
            self._refuse_strangeness(body)
            reading = read_line(body, origin=origin, position=line.number)
        self._passed_over.update(reading.passed_over)
        if not reading.events:
            return []
        account = self._account
        *others, last = reading.events if account is None else [of_account(event, account) for event in reading.events]
        return [
            *(Received(event, before) for event in others),
            Received(last, str(cursor), reading.supersedes or half_read),
        ]

    def _cursor_after(self, line: Line) -> JsonlCursor:
        if not self._seekable:
            return JsonlCursor(None, line.number)
        if line.unfinished:
            before = self._before
            return JsonlCursor(
                before.offset, before.number, before.mark, before.context, line.end - (before.offset or 0)
            )
        return JsonlCursor(line.end, line.number, line.fingerprint, line.context)

    def _refuse_strangeness(self, body: bytes) -> None:
        """Refuses a feed that begins with nothing but lines that are no JSON, and would become as many dead letters."""
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
    """Returns the beginning of the content, and whether that is all of it; goes back to the first byte.

    Damaged content is left to the reading, because the content before the damage is of use.
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
    """Returns where to go on when the last line read had no newline yet, and the file may have grown since.

    If only the newline came, that is after it. If the line itself grew, half of it was read, and it is read again
    whole.
    """
    following = content.read_at(offset, 2)
    if following == b"" or b"\n" in (following[:1], following.removeprefix(b"\r")):
        return offset + following.find(b"\n") + 1, number
    start = max(0, offset - max_line_bytes)
    return start + content.read_at(start, offset - start).rfind(b"\n") + 1, number - 1


def _too_long(line: Line, sha256: str, origin: str, limit: int, source: str) -> DeadLetter:
    return dead_letter(
        origin=origin,
        source=source,
        cause=LineFault.LINE_TOO_LONG.value,
        message=f"{line.size:,} bytes, the limit is {limit:,} (the setting max_line_bytes); its beginning is kept",
        body=line.body,
        size=line.size,
        sha256=sha256,
        position=line.number,
    )
