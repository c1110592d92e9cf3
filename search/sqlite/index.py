"""The entity index in one SQLite file: searches and counts on threads of their own, one writer.

Owns threads, connections and the lock of the writer. `writes.py` holds what a write does, `reads.py` and `counts.py`
what a read does. Keeps invariants 1, 3, 4 and 5 in the one-machine shape: a write, with the source's cursor, is one
transaction that is on the disk when `write` returns.
"""

import asyncio
import re
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Collection, Container, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

from search.index import (
    Arrivals,
    Bucket,
    Compacted,
    EntityCount,
    Facets,
    Indexable,
    Kept,
    Page,
    Query,
    SourceCursor,
    Span,
    StateOf,
    Trend,
    Writable,
    WriteReport,
)
from search.sqlite import backup, compaction, counts, detections, facets, over_time, reads, thumbnails, writes
from search.sqlite.damage import WRITER_LOOK_SECONDS, our_errors, translate
from search.sqlite.file import CREATE, READ_WRITE, UNTOUCHED, Found, look, reading_mode
from search.sqlite.schema import connect, connect_to_read, transaction
from search.sqlite.upgrade import prepare
from search.sqlite.writer_lock import WriterLock
from tagstream.detections import DetectedEvent, TrendState
from tagstream.errors import AbsentIndex, BadSettings, Fatal, IndexUnavailable, Retryable, UnreadableInput
from tagstream.posts import AccountStatus, DeadLetter, EntityType, TaggedPost
from tagstream.settings import Settings

READERS = 4
RETENTION = timedelta(days=Settings().elasticsearch_retention_days)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

P = ParamSpec("P")
T = TypeVar("T")


class _Undone(Exception):
    """A signal that ends a transaction which is not to be kept."""


class SqliteIndex:
    """An `EntityIndex` in one file. Make it with `open`; close it once, from the loop that used it.

    One process writes at a time: opening with `create` takes the lock, and otherwise the first `write` does. Meanwhile
    any number of processes may read, and remove dead letters.
    """

    def __init__(
        self, path: Path, writing: sqlite3.Connection, lock: WriterLock, reading_mode: str, retention: timedelta
    ) -> None:
        self.path = path
        self._writing = writing
        self._lock = lock
        self._reading_mode = reading_mode
        self._retention = retention
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="index-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="index-reader")
        self._reading: list[sqlite3.Connection] = []
        self._local = threading.local()
        self._closed = False

    @classmethod
    async def open(cls, path: str | Path, *, create: bool = True, retention: timedelta = RETENTION) -> Self:
        """Opens the index; with `create`, to write, and makes it if nothing is there.

        Args:
            path: the file.
            create: makes a file where there is none, and takes the lock of the writer.
            retention: the age at which minutes of trends and events go.

        Raises:
            IndexUnavailable: another process writes to the index.
            UnreadableInput: there is no index, or the file cannot be opened.
            CorruptState: the file is something else, or damaged.
            NewerVersion: a newer tagstream wrote the index.
        """
        return await asyncio.to_thread(cls._open, Path(path), create, retention)

    @classmethod
    def _open(cls, path: Path, create: bool, retention: timedelta) -> Self:
        with our_errors(path):
            found = look(path)
        if create and not path.absolute().parent.is_dir():
            raise UnreadableInput(f"The folder of {path} does not exist. Create it or name another.")
        if not create and found is Found.NOTHING:
            raise AbsentIndex(f"There is no index at {path}. Check the path, or write one first.")
        mode = CREATE if create else reading_mode(path)
        lock = WriterLock(path)
        if create:
            lock.take()
        try:
            with our_errors(path):
                connection = connect(path, mode)
                try:
                    prepare(connection, path, lock, create=create, fixed=mode == UNTOUCHED)
                except BaseException:
                    connection.close()
                    raise
            return cls(path, connection, lock, READ_WRITE if create else mode, retention)
        except BaseException:
            lock.release()
            raise

    async def write(
        self, changes: Sequence[Writable], cursor: SourceCursor | None = None, state: StateOf | None = None
    ) -> WriteReport:
        """Applies the changes in order, the cursor and the state in one transaction: all or nothing."""
        return await self._write(self._apply, changes, cursor, state)

    def _apply(self, changes: Sequence[Writable], cursor: SourceCursor | None, state: StateOf | None) -> WriteReport:
        self._lock.take()
        with our_errors(self.path, WRITER_LOOK_SECONDS), transaction(self._writing):
            report = writes.apply(self._writing, changes, cursor)
            if state is not None:
                detections.write(self._writing, (), (), state(report))
            return report

    async def rehearse(self, changes: Sequence[Writable]) -> dict[int, Exception]:
        """Writes each change by itself, in a transaction that is undone."""
        return await self._write(self._rehearse_all, changes)

    def _rehearse_all(self, changes: Sequence[Writable]) -> dict[int, Exception]:
        failures: dict[int, Exception] = {}
        self._lock.take()
        with our_errors(self.path, WRITER_LOOK_SECONDS), suppress(_Undone), transaction(self._writing):
            for index, change in enumerate(changes):
                self._writing.execute("SAVEPOINT rehearsal")
                try:
                    writes.apply(self._writing, [change], None)
                except (Retryable, Fatal):
                    raise
                except Exception as error:  # whatever it is, it is this change's, if it is not the file's
                    if isinstance(error, sqlite3.Error) and translate(error, self.path) is not None:
                        raise
                    failures[index] = error
                self._writing.execute("ROLLBACK TO rehearsal")
                self._writing.execute("RELEASE rehearsal")
            raise _Undone
        return failures

    async def keep_thumbnails(self, posts: Sequence[Indexable]) -> int:
        """Stores thumbnails ahead of their posts; none is ever refused."""
        if any(one.thumbnails for one in posts):
            await self._write(self._change, thumbnails.keep, posts)
        return 0

    async def discard_thumbnails(self, posts: Sequence[Indexable]) -> None:
        """Removes the thumbnails of revisions that are not going to be written."""
        await self._write(self._change, thumbnails.discard, posts)

    def _change(
        self,
        change: Callable[Concatenate[sqlite3.Connection, P], None],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Changes what does not go through `writes.apply`, in a transaction of the writer."""
        self._lock.take()
        with our_errors(self.path), transaction(self._writing):
            change(self._writing, *args, **kwargs)

    async def refresh(self) -> None:
        """Does nothing: what `write` stored is visible at once."""

    async def cursor(self, source: str) -> str | None:
        """Returns the saved position of a source."""
        return await self._read(reads.cursor, source)

    async def search(self, query: Query) -> Page:
        """Returns one page of the posts that match."""
        return await self._read(reads.search, query)

    async def get(self, post_id: str) -> TaggedPost | None:
        """Returns the visible post of that id."""
        return await self._read(reads.get, post_id)

    async def thumbnail(self, post_id: str, ordinal: int) -> bytes | None:
        """Returns the JPEG of the visible post's medium of that index, counted from 0."""
        return await self._read(thumbnails.read, post_id, ordinal)

    async def top_entities(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        type: EntityType | None = None,
        size: int = 20,
    ) -> list[EntityCount]:
        """Returns the entities that most authors mention, most authors first."""
        return await self._read(counts.top_entities, since=since, until=until, type=type, size=size)

    async def counts(
        self, key: str, type: EntityType | None, *, since: datetime, until: datetime, bucket_seconds: int
    ) -> list[Bucket]:
        """Returns the posts that mention an entity over time; the buckets begin at `since`."""
        return await self._read(counts.counts, key, type, since=since, until=until, bucket_seconds=bucket_seconds)

    async def companions(
        self,
        key: str,
        type: EntityType | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        size: int = 20,
    ) -> list[EntityCount]:
        """Returns the entities that the same posts mention, most authors first."""
        return await self._read(counts.companions, key, type, since=since, until=until, size=size)

    async def trending(
        self, *, until: datetime | None = None, window_seconds: int = 3600, past_windows: int = 24, size: int = 20
    ) -> list[Trend]:
        """Returns the entities whose authors in the last window exceed what the windows before it explain."""
        return await self._read(
            counts.trending, until=until, window_seconds=window_seconds, past_windows=past_windows, size=size
        )

    async def write_detections(
        self,
        trends: Sequence[TrendState],
        events: Sequence[DetectedEvent],
        state: Mapping[str, bytes] | None = None,
    ) -> None:
        """Stores trends, events and snapshots in one transaction: all or nothing, durable on return.

        Also removes some of the states that are older than the retention.
        """
        await self._write(self._change, detections.write_and_expire, trends, events, state or {}, self._retention)

    async def detector_state(self, name: str) -> bytes | None:
        """Returns the snapshot that was last written under this name."""
        return await self._read(detections.state, name)

    async def clear_detections(self) -> None:
        """Removes all trends, events and snapshots, in one transaction."""
        await self._write(self._change, detections.clear)

    async def events(
        self, *, since: datetime | None = None, until: datetime | None = None, live: bool = False, size: int = 20
    ) -> list[DetectedEvent]:
        """Returns the newest state of each event that lived in the range, newest detected first."""
        return await self._read(detections.events, since=since, until=until, live=live, size=size)

    async def event(self, id: str) -> DetectedEvent | None:
        """Returns the newest state of that event."""
        return await self._read(detections.event, id)

    async def event_ids(self, beginning: str, *, size: int) -> list[str]:
        """Returns the first ids that begin so."""
        return await self._read(detections.event_ids, beginning, size=size)

    async def event_history(self, id: str) -> list[DetectedEvent]:
        """Returns the last states of that event by minute, oldest first."""
        return await self._read(detections.event_history, id)

    async def stored_trends(
        self, *, since: datetime | None = None, until: datetime | None = None, size: int = 20, best: bool = False
    ) -> list[TrendState]:
        """Returns the newest or the best state of each subject in the range, highest score first."""
        return await self._read(detections.stored_trends, since=since, until=until, size=size, best=best)

    async def posts_by_time(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[Indexable]:
        """Yields the visible posts of the range in order of time; a page is read while the one before is used."""
        first, end = reads.number_range(since, until)
        following = asyncio.ensure_future(self._read(reads.posts_after, first - 1, end))
        try:
            while page := await following:
                following = asyncio.ensure_future(self._read(reads.posts_after, page[-1][0], end))
                for _, post in page:
                    yield post
        finally:
            following.cancel()

    async def facets(self, query: Query, *, size: int = 10) -> Facets:
        """Returns what the posts of a query have in common, counted over the newest of a large result."""
        return await self._read(facets.facets, query, size=size)

    async def spellings(self, word: str) -> list[str]:
        """Returns words of posts that differ from a folded word by one letter or two swapped ones, commonest first."""
        return await self._read(facets.spellings, word)

    async def post_counts(
        self, query: Query, *, since: datetime, until: datetime, bucket_seconds: int, with_authors: bool = True
    ) -> list[Bucket]:
        """Returns the posts that match a query over time, and their distinct authors; the buckets begin at `since`."""
        return await self._read(
            over_time.post_counts,
            query,
            since=since,
            until=until,
            bucket_seconds=bucket_seconds,
            with_authors=with_authors,
        )

    async def span(self, query: Query) -> Span | None:
        """Returns the time between the first and the last post that match."""
        return await self._read(over_time.span, query)

    async def feed_span(self) -> Span | None:
        """Returns the time in which the feed lies."""
        return await self._read(over_time.feed_span)

    async def arrivals(self, query: Query, after: str | None = None, known: Container[str] = ()) -> Arrivals:
        """Returns matching posts that came in after the position `after`."""
        return await self._read(over_time.arrivals, query, after, known)

    async def documents(self, *, with_hidden: bool = False) -> AsyncIterator[TaggedPost]:
        """Yields every visible post, in order of id; `with_hidden` also those of hidden authors.

        A post that is written meanwhile may be missing; none comes twice.
        """
        last = ""
        while rows := await self._read(reads.documents_after, last, with_hidden=with_hidden):
            for _, post in rows:
                yield post
            last = rows[-1][0]

    async def account_statuses(self) -> AsyncIterator[AccountStatus]:
        """Yields the newest status of every account that ever had one, in order of source and author."""
        last = ("", "")
        while found := await self._read(reads.account_statuses_after, last):
            for status in found:
                yield status
            last = (found[-1].source, found[-1].author)

    async def everything(self) -> AsyncIterator[Kept]:
        """Yields everything the index keeps, as of one point in time, in an order that another index can take in.

        The journal keeps what is written meanwhile, and grows until the last item was taken.
        """
        connection = await self._read(lambda _: self._reading_connection())
        connection.execute("BEGIN")
        pages = backup.pages(connection)
        try:
            while (page := await self._read(lambda _: next(pages, None))) is not None:
                for kept in page:
                    yield kept
        finally:
            self._reading.remove(connection)
            connection.close()

    async def dead_letters(self, cause: str | None = None, *, size: int | None = None) -> AsyncIterator[DeadLetter]:
        """Yields the dead letters, in the order in which they first came; at most `size`."""
        last = 0
        while rows := await self._read(reads.dead_letters_after, last, cause, size):
            for _, letter in rows:
                yield letter
            last = rows[-1][0]
            if size is not None:
                size -= len(rows)

    async def dead_letter_counts(self) -> dict[str, int]:
        """Returns the number of dead letters of each cause."""
        return await self._read(reads.dead_letter_counts)

    async def drop_dead_letters(self, origins: Sequence[str]) -> int:
        """Removes dead letters by origin; returns how many were there."""
        return await self._write(self._drop, origins)

    def _drop(self, origins: Sequence[str]) -> int:
        with our_errors(self.path), transaction(self._writing):
            return writes.drop_dead_letters(self._writing, origins)

    async def kept(self, ids: Collection[str]) -> set[str]:
        """Returns those of these ids whose post is kept, hidden or not."""
        return await self._read(detections.kept, ids)

    async def compact(self) -> Compacted:
        """Removes every trace of removed posts, and gives free space back to the disk.

        Raises:
            IndexUnavailable: somebody reads an earlier state, so words of deleted posts are still there.
        """
        return await self._write(self._compact)

    def _compact(self) -> Compacted:
        self._lock.take()
        before = self.path.stat().st_size
        with our_errors(self.path):
            with transaction(self._writing):
                detections.forget_removed(self._writing)
            journal = compaction.compact(self._writing)
            what = "words of deleted posts" if compaction.is_pending(self._writing) else "pages of before"
        if not journal.is_empty:
            held = f"{self.path}-wal" if journal.is_whole else f"{self.path} and {self.path}-wal"
            raise IndexUnavailable(
                f"Somebody reads {self.path}, so it was not compacted: {what} are still in {held}. "
                "End what reads it (a search, a dump), then: tagstream compact."
            )
        return Compacted(before, self.path.stat().st_size)

    async def backup(self, to: Path) -> int:
        """Writes a copy of the file, as of one point in time, while others write; returns its size in bytes."""
        return await self._read(backup.copy, to)

    async def close(self) -> None:
        """Ends running reads, waits for the running write, and closes the file. May be called twice."""
        if self._closed:
            return
        self._closed = True
        for connection in self._reading:
            connection.interrupt()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._readers.shutdown(cancel_futures=True)
        self._writer.shutdown()
        for connection in self._reading:
            connection.close()
        if self._lock.is_held:
            with suppress(sqlite3.Error):  # what is left is noted in the file, and goes another time
                if compaction.is_pending(self._writing):
                    compaction.merge_some(self._writing)
        self._writing.close()
        self._lock.release()

    async def _write(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._check_open()
        return await asyncio.get_running_loop().run_in_executor(self._writer, partial(function, *args, **kwargs))

    async def _read(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        self._check_open()

        def call() -> T:
            with our_errors(self.path):
                return function(self._reader_connection(), *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._readers, call)

    def _reader_connection(self) -> sqlite3.Connection:
        """Returns the connection of the calling reader thread."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._reading_connection()
        return connection

    def _reading_connection(self) -> sqlite3.Connection:
        connection = connect_to_read(self.path, self._reading_mode)
        self._reading.append(connection)
        return connection

    def _check_open(self) -> None:
        if self._closed:
            raise IndexUnavailable(f"The index {self.path} is closed in this process. Open it again.")


async def open_sqlite(address: str, settings: Settings, *, create: bool) -> SqliteIndex:
    """Opens the index that `sqlite:ADDRESS` names.

    Raises:
        BadSettings: the address is no path.
        TagstreamError: as `SqliteIndex.open`.
    """
    if address == ":memory:":
        raise BadSettings(
            "sqlite::memory: is no index: it is kept in a file, for other commands to read and to outlive this one. "
            "Name a file, for example sqlite:/tmp/posts.db."
        )
    if _URL.match(address):
        raise BadSettings(
            "sqlite: takes the path of a file, and not the address of a server. "
            "Write sqlite:PATH, for example sqlite:posts.db."
        )
    retention = timedelta(days=settings.elasticsearch_retention_days)
    return await SqliteIndex.open(address, create=create, retention=retention)
