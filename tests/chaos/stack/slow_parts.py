"""The two parts of a worker made to be killed that are not the product's.

The tagger is the stub, with a fixed latency, so that a fault always finds work in flight; the index only writes down
what it is told, one line a batch, so that repeats can be counted and the end state be built by the real index
afterwards (`fleet.py`).
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from search.index import Change, Indexable, WriteReport
from tagstream.detections import DetectedEvent, TrendState
from tagstream.posts import TaggedPost
from workers.cli import worker
from workers.tagger.interface import PreparedPost
from workers.tagger.stub import StubTagger

TAG_SECONDS_A_BATCH = 0.1
WRITE_SECONDS = 0.03


class SlowTagger(StubTagger):
    """The stub, with a latency."""

    def tag(self, prepared: Sequence[PreparedPost]) -> list[TaggedPost]:
        time.sleep(TAG_SECONDS_A_BATCH)
        return super().tag(prepared)


class EffectLog:
    """An index that appends what it is told to a file, whole batch by whole batch."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._said = os.open(f"{path}.said", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    async def write(self, changes: Sequence[Change], _: object = None) -> WriteReport:
        await asyncio.sleep(WRITE_SECONDS)
        os.write(self._descriptor, json.dumps([_document(change) for change in changes]).encode() + b"\n")
        posts = [change.post for change in changes if isinstance(change, Indexable)]
        return WriteReport(stored=len(posts), new_revisions=frozenset((post.id, post.revision) for post in posts))

    async def write_detections(
        self, trends: Sequence[TrendState], events: Sequence[DetectedEvent], _: object = None
    ) -> None:
        lines = [["trend", f"{one.type} {one.key} {one.minute}", one.model_dump_json()] for one in trends]
        lines += [["event", f"{one.id} {one.minute}", one.model_dump_json()] for one in events]
        os.write(self._said, "".join(json.dumps(line) + "\n" for line in lines).encode())

    async def detector_state(self, _: str) -> None:
        return None

    async def rehearse(self, _: Sequence[Change]) -> dict[int, Exception]:
        return {}

    async def keep_thumbnails(self, _: Sequence[Indexable]) -> int:
        return 0

    async def discard_thumbnails(self, _: Sequence[Indexable]) -> None: ...


def _document(change: Change) -> dict[str, object]:
    if isinstance(change, Indexable):
        return {
            "kind": "post",
            "observed_at": change.observed_at.isoformat(),
            "position": change.position,
            "json": change.post.model_dump_json(),
        }
    return {"kind": type(change).__name__, "json": change.model_dump_json()}


def put_in(effects: str) -> None:
    """Gives `tagstream worker` these two parts in place of a model and an index."""
    parts: Any = worker
    parts.open_image_model = lambda _: None
    parts.load_tagger = lambda _: SlowTagger()

    @asynccontextmanager
    async def opened_index(*_: object, **__: object) -> AsyncIterator[EffectLog]:
        yield EffectLog(effects)

    parts.opened_index = opened_index
