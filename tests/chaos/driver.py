"""Runs the real pipeline in a process of its own, made to be killed: `driver.py SPEC DATABASE TRACE [POINT:NTH]`.

The trace file always holds the cursor of the last event that was read and how many events this process read, so that
whoever kills the process can prove what it interrupted. It is written before the pipeline sees the events.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crash_points import CrashPoint

from ingest.sources.open import open_source
from search.index import Change, EntityIndex, SourceCursor, StateOf, WriteReport
from search.open import open_index
from tagstream.posts import TaggedPost
from tagstream.settings import Settings
from tagstream.source import Received, Source
from workers.detection.open import opened_detection
from workers.local import run_pipeline
from workers.pipeline.settings import StageSettings
from workers.tagger.interface import PreparedPost
from workers.tagger.stub import StubTagger

# Slow enough that a feed of some thousand posts is always caught in the middle, by a kill as by a crash point.
TAG_SECONDS_A_BATCH = 0.004
# Often enough that kills fall before, between and behind snapshots.
SNAPSHOT_SECONDS = 0.15
SETTINGS = StageSettings(
    batch_posts=16, batch_deadline_seconds=0.005, in_flight_posts=128, read_posts=40, prepare_posts=16, index_posts=24
)


class Death:
    """Kills this process, as `kill -9` would, when it passes a point for the nth time."""

    def __init__(self, order: str) -> None:
        point, _, nth = order.partition(":")
        self._point = CrashPoint(point) if point else None
        self._left = int(nth or 0)

    def passes(self, point: CrashPoint) -> None:
        if point is self._point:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)


class TracedSource:
    """A source that writes down how far it was read."""

    def __init__(self, source: Source, trace: Path, death: Death) -> None:
        self.name = source.name
        self._source = source
        self._descriptor = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        self._death = death
        self._read = 0

    async def open(self, cursor: str | None) -> None:
        await self._source.open(cursor)

    async def next_batch(self, limit: int) -> Sequence[Received]:
        received = await self._source.next_batch(limit)
        if received:
            self._read += len(received)
            # One short write at one place: a reader sees the old line or the new one, padded to the same length.
            os.pwrite(self._descriptor, f"{self._read} {received[-1].cursor}".ljust(199).encode() + b"\n", 0)
            self._death.passes(CrashPoint.AFTER_READ)
        return received

    def counts(self) -> Mapping[str, int]:
        return self._source.counts()

    async def close(self) -> None:
        await self._source.close()


class DyingTagger(StubTagger):
    """The stub, slowed down, which may be the last thing this process does."""

    def __init__(self, death: Death) -> None:
        super().__init__()
        self._death = death

    def tag(self, prepared: Sequence[PreparedPost]) -> list[TaggedPost]:
        time.sleep(TAG_SECONDS_A_BATCH)
        tagged = super().tag(prepared)
        self._death.passes(CrashPoint.AFTER_TAG_BEFORE_INDEX)
        return tagged


class DyingIndex:
    """The index, whose writes may be the last thing this process does."""

    def __init__(self, index: EntityIndex, death: Death) -> None:
        self._index = index
        self._death = death

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    async def write(
        self, changes: Sequence[Change], cursor: SourceCursor | None = None, state: StateOf | None = None
    ) -> WriteReport:
        writing = asyncio.ensure_future(self._index.write(changes, cursor, state))
        await asyncio.sleep(0)  # the write has begun in its thread
        self._death.passes(CrashPoint.DURING_INDEX)
        report = await writing
        self._death.passes(CrashPoint.AFTER_INDEX_BEFORE_ACKNOWLEDGE)
        return report

    async def write_detections(self, *detections: Any) -> None:
        writing = asyncio.ensure_future(self._index.write_detections(*detections))
        await asyncio.sleep(0)
        self._death.passes(CrashPoint.DURING_DETECTIONS)
        await writing
        self._death.passes(CrashPoint.AFTER_DETECTIONS)


async def run(spec: str, database: str, trace: Path, order: str = "") -> None:
    """One run of the pipeline, to its end if it lives so long."""
    death = Death(order)
    index = await open_index(f"sqlite:{database}")
    try:
        source = TracedSource(open_source(spec), trace, death)
        dying: EntityIndex = DyingIndex(index, death)  # type: ignore[assignment]
        async with opened_detection(dying, Settings(), print) as detection:
            assert detection is not None
            detection._snapshot_seconds = SNAPSHOT_SECONDS
            await run_pipeline(source, DyingTagger(death), dying, settings=SETTINGS, detection=detection)
            assert detection.failure is None
    finally:
        await index.close()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:]))
