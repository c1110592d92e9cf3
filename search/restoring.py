"""Restoring of a dump into an index: lines in, counts of what became of them out.

::

    lines ─▶ read (a thread) ─▶ assemble: record + post + pictures ─▶ write, a batch at a time ─▶ cursors, at the end

Everything goes through `EntityIndex.write` and `write_detections`, which decide as they do for a feed: what is newer in
the index stays, and nothing comes back that was deleted there. So a dump may be restored into an index that is in use,
twice, or again from its beginning after it was cut off.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from hashlib import sha256
from typing import BinaryIO

from search.dump_lines import DumpBegin, DumpedThumbnail, DumpEnd, DumpLine, MalformedDumpLine, read_line
from search.index import Detection, EntityIndex, Indexable, Remembered, SourceCursor, Thumbnail, Writable, WriteReport
from search.registry import RegistryRecord
from search.thumbnails import photos_of
from tagstream.detections import DetectedEvent, TrendState
from tagstream.errors import NewerVersion, Poison
from tagstream.posts import TaggedPost, stored_version

MAX_LINE_BYTES = 64 * 1024 * 1024
_LINES_A_BATCH = 500
_BYTES_A_BATCH = 4 * 1024 * 1024
_FAULTS_KEPT = 20

Restorable = Writable | Detection | SourceCursor


@dataclass
class Restored:
    """The report of a restored dump.

    Attributes:
        outcomes: the counts of `WriteReport`, summed, and those of states of trends and events.
        lines: the lines that were read.
        whole: whether the dump is of everything, and not of posts and statuses alone.
        ended: whether the last line was reached and fits the lines before it.
        faults: the first faults.
        fault_count: the number of faults.
        cursors: the cursors that were written.
        cursors_left_out: the cursors that were not written, because something before them is missing.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    whole: bool = False
    ended: bool = False
    faults: list[str] = field(default_factory=list)
    fault_count: int = 0
    cursors: int = 0
    cursors_left_out: int = 0

    def note_fault(self, problem: str) -> None:
        """Counts a thing that was not restored."""
        self.fault_count += 1
        if len(self.faults) < _FAULTS_KEPT:
            self.faults.append(problem)


class _Reader:
    """A reader that puts the lines of a dump together; runs in a thread."""

    def __init__(self, stream: BinaryIO, report: Restored, now: datetime) -> None:
        self._stream = stream
        self._report = report
        self._now = now
        self._hash = sha256()
        self._record: RegistryRecord | None = None
        self._post: TaggedPost | None = None
        self._pictures: dict[str, Thumbnail] = {}
        self._has_posts = False

    def next_batch(self) -> Sequence[Restorable] | None:
        """Returns the next things that the dump holds, None at its end."""
        found: list[Restorable] = []
        size = 0
        while len(found) < _LINES_A_BATCH and size < _BYTES_A_BATCH:
            line = b"" if self._report.ended else self._stream.readline(MAX_LINE_BYTES)
            if not line:
                found += self._finish_post()
                return found or None
            size += len(line)
            self._report.lines += 1
            if line.strip():
                found += self._take(line)
        return found

    def _take(self, line: bytes) -> list[Restorable]:
        number = self._report.lines
        try:
            one = read_line(line)
            self._has_posts |= isinstance(one, TaggedPost)
            found = list(self._assemble(one, number))
        except MalformedDumpLine as malformed:
            self._report.note_fault(f"line {number}: {malformed}")
            found = []
        except NewerVersion as newer:
            if not self._has_posts:
                raise
            self._report.note_fault(f"line {number}: {newer}")  # one dump is of one version: so it is damaged
            found = []
        self._hash.update(line)
        return found

    def _assemble(self, one: DumpLine, number: int) -> Iterator[Restorable]:
        if isinstance(one, DumpedThumbnail):
            if self._post is None or self._post.id != one.id:
                raise MalformedDumpLine("its post does not stand before it")
            if one.thumbnail.sha256 not in photos_of(self._post):
                raise MalformedDumpLine("its post does not show it")
            self._pictures[one.thumbnail.sha256] = one.thumbnail
            return
        awaited = self._record if self._post is None else None
        if isinstance(one, TaggedPost) and awaited is not None and awaited.id == one.id:
            if awaited.version != stored_version(one.revision, one.generation):
                raise MalformedDumpLine("the record before it is another version's")
            self._post = one
            return
        yield from self._finish_post()
        match one:
            case DumpBegin():
                self._report.whole = True
            case DumpEnd(lines, digest):
                self._report.ended = True
                if (lines, digest) != (number - 1, self._hash.hexdigest()):
                    self._report.note_fault(f"line {number}: the lines before it are not those that were written")
            case RegistryRecord():
                if one.visible:
                    self._record = one
                else:
                    yield Remembered(one)
            case TaggedPost():
                self._post = one  # of a dump that says only this of it, or whose record is damaged
            case _:
                yield one

    def _finish_post(self) -> Iterator[Writable]:
        record, post, pictures = self._record, self._post, tuple(self._pictures.values())
        self._record, self._post, self._pictures = None, None, {}
        if record is not None and post is not None:
            yield Remembered(record, post, pictures)
        elif post is not None:
            yield Indexable(post, self._now, thumbnails=pictures)
        elif record is not None:
            self._report.note_fault(f"the post {record.id!r} is missing after its record")


async def restore(
    index: EntityIndex,
    stream: BinaryIO,
    *,
    now: datetime,
    stop: asyncio.Event | None = None,
    progress: Callable[[Restored], None] = lambda _: None,
) -> Restored:
    """Writes all that the dump holds; `now` is when the posts were seen of a dump that does not say.

    A line that is damaged, and a post that the index never takes, are faults of the report; everything else is
    restored. Cursors only if there are none: they promise that everything before them is there.

    Raises:
        NewerVersion: a newer tagstream wrote the dump; said before any post of it is written.
        OSError: it cannot be read any further.
    """
    report = Restored()
    reader = _Reader(stream, report, now)
    cursors: dict[str, SourceCursor] = {}
    while (batch := await asyncio.to_thread(reader.next_batch)) is not None:
        cursors |= {one.source: one for one in batch if isinstance(one, SourceCursor)}
        await _write(index, [one for one in batch if not isinstance(one, SourceCursor)], report)
        progress(report)
        if stop is not None and stop.is_set():
            return report
    if report.ended and not report.fault_count:
        for cursor in cursors.values():
            if await index.cursor(cursor.source) is None:  # else it has been read on here
                await index.write([], cursor)
                report.cursors += 1
    else:
        report.cursors_left_out = len(cursors)
    await index.refresh()
    return report


async def _write(index: EntityIndex, batch: Sequence[Writable | Detection], report: Restored) -> None:
    try:
        await _write_all(index, batch, report)
    except Poison:
        for one in batch:
            try:
                await _write_all(index, [one], report)
            except Poison as error:
                report.note_fault(str(error))


async def _write_all(index: EntityIndex, batch: Sequence[Writable | Detection], report: Restored) -> None:
    """Writes the changes, then trends and events, which name posts of them."""
    trends = [one for one in batch if isinstance(one, TrendState)]
    events = [one for one in batch if isinstance(one, DetectedEvent)]
    changes = [one for one in batch if not isinstance(one, TrendState | DetectedEvent)]
    written = await index.write(changes) if changes else WriteReport()
    if trends or events:
        await index.write_detections(trends, events)
    _count(report, written)
    report.outcomes.update(trends=len(trends), events=len(events))


def _count(report: Restored, written: WriteReport) -> None:
    for one in fields(written):
        if one.name not in ("new_revisions", "erased"):
            report.outcomes[one.name] += getattr(written, one.name)
