"""The detectors of `tagstream run`: fed by every write of the index, in a thread of their own.

::

    changes ─▶ mentions (thread) ─▶ index.write(changes, cursor, journal entry) ─▶ queue (bounded) ─▶ detectors (thread)
                                                                                       closed minutes ─▶ the index
                                                                         snapshot, now and then ──────▶

What the detectors are given is stored in the transaction that stores the posts. So a run that was killed goes on with
the last snapshot and the entries after it, in their order, and everything it says is what an undisturbed run says.
A queue that is full makes the next write wait: a slow detector slows the feed and costs no memory (invariant 6). An
error of ours in a detector ends detection, and not the feed (invariant 11); what is indexed from then on is marked as
missing in trends and events, and every run says so until they are made anew.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager, suppress
from typing import Any

from search.detection.chain import DetectionChain
from search.detection.event_timeline import ClosedMinute
from search.detection.journal import (
    MISSING,
    POSTS_ARE_MISSING,
    SLOTS,
    SNAPSHOT,
    JournalEntry,
    JournalItem,
    entries_after,
    newest_number,
    read_snapshot,
    stored_entry,
    stored_snapshot,
)
from search.detection.rebuild import rebuild
from search.index import Change, EntityIndex, Indexable, Query, SourceCursor, WriteReport
from tagstream.errors import CorruptState, TagstreamError
from tagstream.posts import Deletion
from tagstream.runtime.bounded_buffer import BoundedBuffer, BufferClosed
from workers.detection.figures import DetectionFigures, figures_of
from workers.detection.writer import DetectionWriter
from workers.pipeline.steps import explain

_QUEUED_ENTRIES = 8
# A snapshot is due before the ring is full, however short the time since the last one.
_ENTRIES_A_SNAPSHOT = SLOTS // 2
# One late post in so many of the index is many.
_PARTS = 20


class DetectionRunner:
    """The detectors beside one pipeline. The public fields may be read at any time."""

    def __init__(
        self,
        index: EntityIndex,
        writer: DetectionWriter,
        executor: Executor,
        *,
        snapshot_seconds: float = 30.0,
        say: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.writer = writer
        self.failure: Exception | None = None
        self._index = index
        self._executor = executor
        self._snapshot_seconds = snapshot_seconds
        self._say = say
        self._clock = clock
        self._chain = DetectionChain()
        self._queue: BoundedBuffer[JournalEntry] = BoundedBuffer(_QUEUED_ENTRIES)
        self._last_number = 0  # of the journal
        self._taken_number = 0  # by the detectors
        self._saved_number = 0  # in the stored snapshot
        self._saved_at = clock()
        self._saved = asyncio.Event()

    @property
    def late(self) -> int:
        """The number of posts that came too late to count."""
        return self._chain.late

    def figures(self) -> DetectionFigures:
        """Returns what was counted since this run began."""
        return figures_of(
            self.writer, late=self.late, passed_over=self._chain.passed_over, failures=int(self.failure is not None)
        )

    async def open(self) -> None:
        """Goes on where the last run of this index stopped, or was killed. Called once, before the first write.

        Raises:
            Fatal: from the index.
        """
        async with self._boundary():
            await self._begin()

    async def _begin(self) -> None:
        try:
            await self._restore()
        except CorruptState as error:
            self._say(f"detection begins anew, trends and events that are stored stay: {error}")
            self._chain = DetectionChain()
            # Numbers go on: no entry of before may pass for one of those to come.
            number = await self.writer.gate.run(lambda: newest_number(self._index))
            self._last_number = self._taken_number = number
            await self._save()
            return
        if await self.writer.gate.run(lambda: self._index.detector_state(MISSING)):
            self._say(
                "posts that were indexed while nothing was detected are missing in trends and events: "
                "`tagstream events --rebuild` counts them"
            )

    async def _restore(self) -> None:
        stored = await self.writer.gate.run(lambda: self._index.detector_state(SNAPSHOT))
        if stored is not None:
            number, snapshot = await self._compute(read_snapshot, stored)
            self._chain = await self._compute(DetectionChain.restore, snapshot)
            self._last_number = self._taken_number = self._saved_number = number
        async for entry in entries_after(self._index, self._saved_number):
            await self._take([entry])
            self._last_number = entry.number

    async def write(self, changes: Sequence[Change], cursor: SourceCursor | None) -> WriteReport:
        """Writes a batch into the index, and gives the detectors what is new in it.

        Raises:
            Poison: the index never takes one of the changes.
            IndexUnavailable: the index does not answer.
            Fatal: from the index.
        """
        if self.failure is not None:
            return await self._index.write(changes, cursor, _missing)
        offered = await self._compute(self._offered, changes)
        await self._room()
        entry = JournalEntry(self._last_number + 1, ())

        def state(report: WriteReport) -> Mapping[str, bytes]:
            nonlocal entry
            entry = JournalEntry(entry.number, _counted(offered, report))
            return stored_entry(entry) if entry.items else {}

        report = await self._index.write(changes, cursor, state)
        if entry.items:
            self._last_number = entry.number
            with suppress(BufferClosed):  # the detectors have failed meanwhile
                await self._queue.put(entry)
        return report

    def _offered(self, changes: Sequence[Change]) -> list[tuple[tuple[str, int] | None, JournalItem]]:
        """Returns what the detectors would be given of the changes: mentions with their revision, ids of deletions."""
        offered: list[tuple[tuple[str, int] | None, JournalItem]] = []
        for change in changes:
            if isinstance(change, Indexable):
                mentions = self._chain.mentions_of(change.post, change.observed_at)
                offered.append(((change.post.id, change.post.revision), mentions))
            elif isinstance(change, Deletion):
                offered.append((None, change.id))
        return offered

    async def _room(self) -> None:
        """Waits until the ring of the journal has room for another entry."""
        while self._last_number - self._saved_number >= SLOTS - 1 and self.failure is None:
            self._saved.clear()
            await self._saved.wait()

    async def run(self) -> None:
        """Works off what is written, until `no_more` was called and all is done.

        Raises:
            Fatal: from the index.
        """
        while entries := await self._queue.get_many(_QUEUED_ENTRIES):
            async with self._boundary():
                await self._take(entries)
                if self._is_due():
                    await self._save()

    def no_more(self) -> None:
        """Lets `run` end when all is worked off. Called after the last write."""
        self._queue.close()

    async def close_feed(self, *, ended: bool) -> None:
        """Stores a snapshot; at the end of a feed (`ended`) closes what is open before, and makes good what came late.

        Called after `run` is done.
        """
        if self.failure is not None:
            return
        async with self._boundary():
            if ended:
                await self._store(await self._compute(self._chain.finish))
            await self._save()
            if ended and self._chain.missed:
                await self._make_good()

    async def _make_good(self) -> None:
        """Makes trends and events anew from the index where many posts were late, as in an archive of another order.

        Where they are few beside what the index holds, that would take long for little; then it is said.
        """
        missed = self._chain.missed
        page = await self.writer.gate.run(lambda: self._index.search(Query(size=1)))
        many = missed * _PARTS > page.total
        if self.late and not many:
            self._say(
                f"{missed:,} posts were older than what came before them, too late for trends and events: "
                "`tagstream events --rebuild` counts them"
            )
        if many:
            self._say(
                "many posts were older than what came before them: trends and events are made anew from the index, in "
                "order of time"
            )
            posts = await self.writer.gate.run(lambda: rebuild(self._index))
            self._say(f"trends and events were made anew from {posts:,} posts")

    async def _take(self, entries: Sequence[JournalEntry]) -> None:
        minutes: list[ClosedMinute] = []
        for entry in entries:
            minutes += await self._compute(self._chain.take, entry.items)
        await self._store(minutes)
        self._taken_number = entries[-1].number

    async def _store(self, minutes: Sequence[ClosedMinute]) -> None:
        if minutes:
            await self.writer.write(minutes)

    def _is_due(self) -> bool:
        if self._clock() - self._saved_at >= self._snapshot_seconds:
            return self._taken_number > self._saved_number
        return self._taken_number - self._saved_number >= _ENTRIES_A_SNAPSHOT

    async def _save(self) -> None:
        number = self._taken_number
        snapshot = await self._compute(self._chain.snapshot)
        stored = await self._compute(stored_snapshot, number, snapshot)
        await self.writer.write((), lambda: stored)
        self._saved_number, self._saved_at = number, self._clock()
        self._saved.set()

    @asynccontextmanager
    async def _boundary(self) -> AsyncIterator[None]:
        """The boundary to the detectors: a defect of ours is not the feed's."""
        try:
            yield
        except TagstreamError:
            raise
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.failure = error
        self._queue.abandon()
        self._saved.set()
        self._say(
            f"trends and events are no longer detected, the feed goes on: {explain(error)}; once that is mended, "
            "`tagstream events --rebuild` finds what is missing"
        )

    async def _compute(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)


def _missing(report: WriteReport) -> Mapping[str, bytes]:
    """Returns what is stored with a write that no detector is given."""
    return POSTS_ARE_MISSING if report.new_revisions or report.tombstones else {}


def _counted(offered: Sequence[tuple[tuple[str, int] | None, JournalItem]], report: WriteReport) -> list[JournalItem]:
    """Returns those of a batch that count: posts whose revision is new, each once, and deletions; then the erased."""
    new = set(report.new_revisions)
    counted: list[JournalItem] = []
    for revision, item in offered:
        if revision is None:
            counted.append(item)
        elif revision in new:
            new.discard(revision)
            counted.append(item)
    return counted + sorted(report.erased)
