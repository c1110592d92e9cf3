"""The benchmark of the distributed shape on running servers, beside the one-machine shape and the model alone.

::

    rate     ingest puts all posts on Kafka ─▶ N workers start ─▶ the index is counted until all are there
    latency  posts are written into ingest at a steady rate, stamped with the time ─▶ the index is searched for new ones

Every round has topics and indices of its own and its own processes, started as an operator starts them. The rate is
taken between the first and the last tenth of the posts, so that neither the start of the workers nor the last,
half-empty batches count.
"""

import asyncio
import json
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from ops.bench.installation import installation
from ops.bench.local import model_batches, model_loop, run_feed, write_lines
from ops.bench.processes import processor_seconds
from search.elastic.client import ElasticClient
from search.elastic.index import ElasticIndex
from search.elastic.queries import search_body
from search.elastic.reads import ask
from search.index import EntityIndex, Query
from tagstream.errors import Fatal, IndexUnavailable
from tagstream.posts import Post, from_epoch_milliseconds
from tagstream.settings import Settings
from workers.open_models import open_tagger
from workers.pipeline.settings import stage_settings
from workers.tagger.model_tagger import ModelTagger

Answer = TypeVar("Answer")

_POLL_SECONDS = 0.05
_STALL_SECONDS = 120.0
_MODEL_BATCH = 32
# More than can become searchable between two looks.
_PAGE = 1000
_MARK = "benchmarkpost"


@dataclass(frozen=True, slots=True)
class StackRound:
    """One sustained run. `processor_ms`: processor time of each component for one post; `fill`: posts a tag batch."""

    models: str
    workers: int
    posts: int
    posts_per_second: float
    ingest_posts_per_second: float
    processor_ms: dict[str, float]
    fill: float | None


@dataclass(frozen=True, slots=True)
class StackLatency:
    """Milliseconds from the moment when ingest gets a post until a search finds it, at a steady rate."""

    posts_per_second: float
    posts: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class StackFigures:
    """Figures of all rounds; on the same posts the one-machine pipeline and the model alone, in posts/s."""

    posts: int
    cores: int
    local: float
    model_only: float
    rounds: tuple[StackRound, ...]
    latency: StackLatency

    def document(self) -> dict[str, object]:
        """Returns the figures as JSON."""
        return asdict(self)


async def measure_stack(
    settings: Settings,
    posts: Sequence[Post],
    worker_counts: Sequence[int],
    stub: str,
    posts_per_second: float,
    say: Callable[[str], None],
) -> StackFigures:
    """Measures everything in one run: the model alone, one process, then the stack with the model and with the stub."""
    say("the model alone, and the one-machine pipeline")
    local, model_only = await _measure_local(settings, posts)
    rounds = []
    for models in (settings.models, stub):
        for workers in worker_counts:
            say(f"{workers} workers, {models}")
            rounds.append(await measure_rate(settings, models, workers, posts))
    say(f"latency at {posts_per_second:.0f} posts/s")
    latency = await measure_latency(settings, posts[: int(30 * posts_per_second)], posts_per_second)
    return StackFigures(len(posts), settings.threads, local, model_only, tuple(rounds), latency)


async def _measure_local(settings: Settings, posts: Sequence[Post]) -> tuple[float, float]:
    """Returns posts a second of the one-machine pipeline and of the model alone, both in this process."""
    here = settings.model_copy(update={"models": str(settings.model_repository)})
    tagger = cast(ModelTagger, open_tagger(here))
    batches = model_batches(tagger, posts, _MODEL_BATCH)
    threads = stage_settings(here).tag_threads
    with tempfile.TemporaryDirectory() as scratch:
        feed = Path(scratch) / "feed.jsonl"
        write_lines(posts, feed)
        report = await run_feed(tagger, feed, Path(scratch) / "index.db", stage_settings(here))
    model_only = await asyncio.to_thread(model_loop, tagger, batches, len(posts), threads)
    return report.progress.posts / report.progress.elapsed_seconds, model_only


async def measure_rate(settings: Settings, models: str, workers: int, posts: Sequence[Post]) -> StackRound:
    """Measures posts a second from a full topic to the index, with that many workers and partitions."""
    async with installation(settings, models, workers) as bench:
        with tempfile.TemporaryDirectory() as scratch:
            feed = Path(scratch) / "feed.jsonl"
            write_lines(posts, feed)
            ingest = await bench.start("ingest", "--source", f"jsonl:{feed}", "--until-end", "--json", output=True)
            answer, _ = await ingest.communicate()
        ingested = json.loads(answer)
        members = await bench.start_workers(workers)
        low, high = len(posts) // 10, len(posts) - len(posts) // 10
        index = await bench.index()
        try:
            first, first_time = await _count_until(index, low)
            before = processor_seconds(members)
            last, last_time = await _count_until(index, high)
            after = processor_seconds(members)
            await _count_until(index, len(posts))
        finally:
            await index.close()
        done = last - first
        return StackRound(
            models=models,
            workers=workers,
            posts=len(posts),
            posts_per_second=done / (last_time - first_time),
            ingest_posts_per_second=ingested["posts_per_second"],
            processor_ms={name: 1000 * (after[name] - before[name]) / done for name in before},
            fill=await bench.fill(),
        )


async def measure_latency(settings: Settings, posts: Sequence[Post], posts_per_second: float) -> StackLatency:
    """Measures the time from a post's writing into ingest to its first find, with one worker and the real model."""
    async with installation(settings, settings.models, 1) as bench:
        ingest = await bench.start("ingest", "--source", "-", feed=True)
        await bench.start_workers(1)
        index = await bench.index()
        try:
            # The first posts find the model, the caches and the consumer group cold.
            warm = posts[: int(posts_per_second * 3)]
            await _write_steadily(ingest, "warm", warm, posts_per_second, {})
            await _count_until(index, len(warm))
            created: dict[int, datetime] = {}
            watching = asyncio.create_task(_watch(cast(ElasticIndex, index).client, len(posts), created))
            written = await _write_steadily(ingest, _MARK, posts, posts_per_second, created)
            found = await watching
        finally:
            await index.close()
    waits = sorted(1000 * (found[number] - written[number]) for number in written)
    return StackLatency(posts_per_second, len(waits), *(_quantile(waits, share) for share in (0.5, 0.95, 0.99)))


def _quantile(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))]


async def _write_steadily(
    ingest: Process, mark: str, posts: Sequence[Post], rate: float, created: dict[int, datetime]
) -> dict[int, float]:
    """Writes each post as a line at its time; returns when each was written."""
    assert ingest.stdin is not None
    started = time.perf_counter()
    written: dict[int, float] = {}
    for number, post in enumerate(posts):
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        created[number] = from_epoch_milliseconds(int(time.time() * 1000))
        line = {"id": f"{mark}-{number}", "text": f"{mark} {post.text}", "created_at": created[number].isoformat()}
        written[number] = time.perf_counter()
        ingest.stdin.write(json.dumps(line).encode() + b"\n")
        await ingest.stdin.drain()
    return written


async def _watch(client: ElasticClient, count: int, created: Mapping[int, datetime]) -> dict[int, float]:
    """Returns the time at which a search first found each of the posts.

    The index's own search, but for ids alone, and since the oldest post that is not found: whoever looks twenty times a
    second and reads all posts takes the processor from what is measured.
    """
    found: dict[int, float] = {}
    missing = 0
    changed = time.perf_counter()
    while len(found) < count:
        body = search_body(Query(_MARK, since=created.get(missing), size=_PAGE))
        answer = await _patiently(partial(ask, client, body | {"_source": False}))
        now = time.perf_counter()
        known = len(found)
        for hit in answer["hits"]["hits"]:
            found.setdefault(int(hit["sort"][-1].rpartition("-")[2]), now)
        while missing in found:
            missing += 1
        if len(found) > known:
            changed = now
        elif now - changed > _STALL_SECONDS:
            raise Fatal(f"only {len(found):,} of {count:,} posts became searchable; see the workers' output")
        await asyncio.sleep(_POLL_SECONDS)
    return found


async def _count_until(index: EntityIndex, count: int) -> tuple[int, float]:
    """Waits until so many posts can be found; returns how many were found, and when."""
    best, changed = -1, time.perf_counter()
    while True:
        total = (await _patiently(lambda: index.search(Query(size=1)))).total
        now = time.perf_counter()
        if total >= count:
            return total, now
        if total > best:
            best, changed = total, now
        elif now - changed > _STALL_SECONDS:
            raise Fatal(f"the index stands at {total:,} of {count:,} posts; see the workers' output")
        await asyncio.sleep(_POLL_SECONDS)


async def _patiently(question: Callable[[], Awaitable[Answer]]) -> Answer:
    """Returns the answer of the index; asks again while a new index is not ready."""
    end = time.perf_counter() + _STALL_SECONDS
    while True:
        try:
            return await question()
        except IndexUnavailable:
            if time.perf_counter() > end:
                raise
            await asyncio.sleep(_POLL_SECONDS)
