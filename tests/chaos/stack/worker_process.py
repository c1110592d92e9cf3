"""A real worker in a process of its own, made to be killed: `worker_process.py EFFECTS`; settings by environment.

Everything is the product's but two things: the tagger is the stub, with a fixed latency, so that a fault always finds
work in flight; and the index only writes down what it is told, one line a batch, so that repeats can be counted and the
end state be built by the real index afterwards (`fleet.py`).
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from search.index import Change, Indexable, WriteReport
from tagstream.command_line.common import run_until_stopped
from tagstream.command_line.failures import say
from tagstream.command_line.working import leaving_anyway
from tagstream.errors import Fatal
from tagstream.posts import TaggedPost
from tagstream.settings import load_settings
from workers.stub import StubTagger
from workers.tagger import PreparedPost
from workers.worker import run_worker

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

    async def write(self, changes: Sequence[Change], _: object = None) -> WriteReport:
        await asyncio.sleep(WRITE_SECONDS)
        os.write(self._descriptor, json.dumps([_document(change) for change in changes]).encode() + b"\n")
        posts = [change.post for change in changes if isinstance(change, Indexable)]
        return WriteReport(stored=len(posts), news=frozenset((post.id, post.revision) for post in posts))

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


async def work(stop: asyncio.Event) -> int:
    index: Any = EffectLog(sys.argv[1])
    with leaving_anyway():
        return await run_worker(load_settings(os.environ), None, SlowTagger(), index, stop=stop, say=say)


if __name__ == "__main__":
    try:
        left = run_until_stopped(work)
    except Fatal as error:
        say(f"error: {error}")
        sys.exit(error.exit_code)
    say(f"left {left}")
