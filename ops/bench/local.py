"""The benchmark of the one-machine pipeline, beside its limit and its alternative.

The limit: the same network, same session and threads, in a tight loop over the same posts already tokenised. The
alternative: a `transformers` pipeline, one post at a time. All in one run, in turn, so that a machine whose speed
drifts does not favour one of them.
"""

import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from ingest.sources.jsonl.source import JsonlSource
from ingest.sources.open import open_source
from search.open import open_index
from tagstream.posts import Post
from tagstream.settings import Settings
from tagstream.source import Received
from workers.local import RunReport, run_pipeline
from workers.pipeline.settings import StageSettings
from workers.tagger.encoding import EncodedSequence, ModelInput, stack_sequences
from workers.tagger.model_tagger import ModelTagger

BATCH_SIZES = (8, 16, 32, 64)
BASELINE_POSTS = 60


@dataclass(frozen=True, slots=True)
class LocalFigures:
    """Rates in posts/s; latencies in milliseconds from arrival to the durable index, at half of `end_to_end`.

    `remembered` is the share of rows that the whole pipeline did not ask the network about, because they had come
    before.
    """

    posts: int
    threads: int
    mean_pieces: float
    end_to_end: float
    model_only: float
    model_batch_size: int
    pipeline: float | None
    of_limit: float
    remembered: float
    times_pipeline: float | None
    p50_ms: float
    p95_ms: float
    peak_memory_mib: float

    def document(self) -> dict[str, float | None]:
        """Returns the figures as JSON."""
        return asdict(self)


class SteadySource:
    """Posts at a steady rate, as a live feed sends them; what is late is sent at once."""

    def __init__(self, posts: Sequence[Post], posts_per_second: float) -> None:
        self.name = "paced"
        self._posts = posts
        self._rate = posts_per_second
        self._sent = 0
        self._started = 0.0

    async def open(self, cursor: str | None) -> None:  # noqa: ARG002  a paced feed always begins anew
        self._started = time.perf_counter()

    async def next_batch(self, limit: int) -> Sequence[Received]:
        """Returns the posts that are due by now, at least one."""
        if self._sent == len(self._posts):
            return []
        due = self._started + self._sent / self._rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        end = min(int((time.perf_counter() - self._started) * self._rate) + 1, self._sent + limit, len(self._posts))
        events = [Received(post, str(place)) for place, post in enumerate(self._posts[self._sent : end], self._sent)]
        self._sent = end
        return events

    def counts(self) -> Mapping[str, int]:
        """Returns no counts: every post becomes an event."""
        return {}

    async def close(self) -> None:
        """Does nothing: no resource is open."""


async def read_posts(spec: str, count: int, settings: Settings) -> list[Post]:
    """Reads the first posts of a feed, without their pictures."""
    source = open_source(spec, settings)
    await source.open(None)
    posts: dict[str, Post] = {}
    while len(posts) < count and (batch := await source.next_batch(256)):
        for received in batch:
            if isinstance(received.event, Post):
                posts.setdefault(received.event.id, received.event)
    await source.close()
    return list(posts.values())[:count]


def write_lines(posts: Sequence[Post], path: Path) -> None:
    """Writes the posts as a `jsonl:` feed."""
    with path.open("w", encoding="utf-8") as lines:
        for place, post in enumerate(posts):
            document = {
                "id": place,
                "text": post.text,
                "created_at": post.created_at.isoformat(),
                "lang": post.lang,
                "author": post.author.model_dump() if post.author else None,
                "media": [{"alt": media.alt} for media in post.media],
            }
            lines.write(json.dumps({key: value for key, value in document.items() if value is not None}) + "\n")


def measure(
    tagger: ModelTagger, posts: Sequence[Post], settings: StageSettings, threads: int, rounds: int
) -> LocalFigures:
    """Measures all figures: medians of `rounds` rounds."""
    with tempfile.TemporaryDirectory() as scratch:
        feed = Path(scratch) / "feed.jsonl"
        write_lines(posts, feed)
        batches = {size: model_batches(tagger, posts, size) for size in BATCH_SIZES}
        loop = {size: model_loop(tagger, batches[size], len(posts), settings.tag_threads) for size in BATCH_SIZES}
        best = max(loop, key=lambda size: loop[size])
        whole, alone, remembered = [], [], []
        for number in range(rounds):
            forget(tagger)
            report = asyncio.run(run_feed(tagger, feed, Path(scratch) / f"{number}.db", settings))
            whole.append(report.progress.posts / report.progress.elapsed_seconds)
            alone.append(model_loop(tagger, batches[best], len(posts), settings.tag_threads))
            remembered.append(
                0.0
                if tagger.emission_cache is None
                else 1 - tagger.emission_cache.computed / tagger.emission_cache.asked
            )
        end_to_end, model_only = statistics.median(whole), statistics.median(alone)
        paced = SteadySource(posts[: int(end_to_end * 10)], end_to_end / 2)
        forget(tagger)
        latency = asyncio.run(run_paced(tagger, paced, Path(scratch) / "paced.db", settings))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    pipeline = baseline([post.text for post in posts[:BASELINE_POSTS]], threads)
    pieces = sum(int((batch.pieces != 0).sum()) for batch in batches[best])
    return LocalFigures(
        posts=len(posts),
        threads=threads,
        mean_pieces=pieces / len(posts),
        end_to_end=end_to_end,
        model_only=model_only,
        model_batch_size=best,
        pipeline=pipeline,
        of_limit=end_to_end / model_only,
        remembered=statistics.median(remembered),
        times_pipeline=end_to_end / pipeline if pipeline else None,
        p50_ms=1000 * latency.p50_seconds,
        p95_ms=1000 * latency.p95_seconds,
        peak_memory_mib=memory,
    )


def forget(tagger: ModelTagger) -> None:
    """Empties the caches, because the tagger has seen the posts in the round before."""
    if tagger.emission_cache is not None:
        tagger.emission_cache.forget()


async def run_feed(tagger: ModelTagger, feed: Path, index_path: Path, settings: StageSettings) -> RunReport:
    """Runs the whole pipeline over a file, into a new index."""
    index = await open_index(f"sqlite:{index_path}")
    try:
        return await run_pipeline(JsonlSource(str(feed)), tagger, index, settings=settings)
    finally:
        await index.close()


async def run_paced(tagger: ModelTagger, source: SteadySource, index_path: Path, settings: StageSettings) -> RunReport:
    """The whole pipeline over a steady feed."""
    index = await open_index(f"sqlite:{index_path}")
    try:
        return await run_pipeline(source, tagger, index, settings=settings)
    finally:
        await index.close()


def model_batches(tagger: ModelTagger, posts: Sequence[Post], size: int) -> list[ModelInput]:
    """Returns the posts as input of the network, in batches of one length each."""
    buckets: dict[int, list[EncodedSequence]] = defaultdict(list)
    for prepared in tagger.prepare(posts):
        for row in prepared.payload.sequences:
            buckets[row.bucket].append(row)
    return [
        stack_sequences(rows[start : start + size], length)
        for length, rows in buckets.items()
        for start in range(0, len(rows), size)
    ]


def model_loop(tagger: ModelTagger, batches: Sequence[ModelInput], posts: int, threads: int) -> float:
    """Returns posts a second of the network alone."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(tagger.network, batches[: 2 * threads]))
        started = time.perf_counter()
        list(pool.map(tagger.network, batches))
        return posts / (time.perf_counter() - started)


def baseline(texts: Sequence[str], threads: int) -> float | None:
    """Returns posts a second of the alternative; None where the `train` extra is not installed."""
    try:
        from ops.bench.baseline import pipeline_posts_per_second
    except ModuleNotFoundError:
        return None
    return pipeline_posts_per_second(texts, threads)
