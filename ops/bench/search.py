"""The benchmark of searches: an index of made-up posts is filled, then asked a fixed list of questions many times.

One question at a time, as somebody waits for it. The pages are asked over HTTP, from a server in this process.
"""

import os
import platform
import socket
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial

import httpx

from ops.bench import search_feed
from ops.bench.search_queries import PAGES, QUESTIONS
from search.index import EntityIndex, Query
from search.web.guard import Access
from search.web.server import Listening, serving

AIM_MS = 100.0
_WARM_UP = 2
_SECONDS_A_QUESTION = 10.0


@dataclass(frozen=True, slots=True)
class QuestionFigures:
    """The times of one kind of question, in milliseconds."""

    name: str
    times: int
    p50_ms: float
    p95_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class SearchFigures:
    """The figures of one index; `overall` takes every kind of question as often as every other.

    `load` is the average number of processes that wanted to run in the minute before: over the number of cores the
    machine had other work, and the figures are too high.
    """

    index: str
    posts: int
    date: str
    machine: str
    load: float
    overall: QuestionFigures
    questions: tuple[QuestionFigures, ...]
    pages: tuple[QuestionFigures, ...]

    def document(self) -> dict[str, object]:
        """Returns the figures as JSON."""
        return asdict(self)


async def fill(index: EntityIndex, posts: int, progress: Callable[[int], None]) -> None:
    """Fills the index with made-up posts, unless it holds as many already.

    What is there is taken for the beginning of the same feed: a run that was stopped goes on.
    """
    present = (await index.search(Query(size=1))).total
    if present >= posts:
        return
    made = 0
    for batch in search_feed.posts(posts):
        made += len(batch)
        if made > present:
            await index.write(batch)
            progress(made)
    await index.refresh()


async def measure_search(index: EntityIndex, kind: str, times: int) -> SearchFigures:
    """Asks every question so many times, after a warm-up; a slow one less often."""
    load = os.getloadavg()[0]
    total = (await index.search(Query(size=1))).total
    measured: list[tuple[QuestionFigures, list[float]]] = []
    for question in QUESTIONS:
        asks = [partial(question.ask, index, query) for query in question.queries]
        measured.append(await _measure(question.name, asks, times))
    pages = await _measure_pages(index, times)
    least = min(len(seconds) for _, seconds in measured)
    every = [one for _, seconds in measured for one in _evenly(seconds, least)]
    return SearchFigures(
        index=kind,
        posts=total,
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=machine(),
        load=round(load, 1),
        overall=_figures("all questions", every),
        questions=tuple(figures for figures, _ in measured),
        pages=tuple(pages),
    )


def _evenly(seconds: Sequence[float], number: int) -> list[float]:
    """Returns so many of the times, from the shortest to the longest: a slow question was asked less often."""
    ordered = sorted(seconds)
    return [ordered[round(at * (len(ordered) - 1) / max(1, number - 1))] for at in range(number)]


async def _measure_pages(index: EntityIndex, times: int) -> list[QuestionFigures]:
    place = Listening("127.0.0.1", _free_port(), Access(requests_per_minute=10**9))
    found = []
    async with serving(index, place, "bench"), httpx.AsyncClient(timeout=60) as client:
        for name, paths in PAGES:
            asks = [partial(_page, client, f"http://127.0.0.1:{place.port}{path}") for path in paths]
            found.append((await _measure(name, asks, times))[0])
    return found


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def _page(client: httpx.AsyncClient, address: str) -> object:
    answer = await client.get(address)
    answer.raise_for_status()
    return answer


async def _measure(
    name: str, asks: Sequence[Callable[[], Awaitable[object]]], times: int
) -> tuple[QuestionFigures, list[float]]:
    for ask in list(asks)[:_WARM_UP]:
        await ask()
    seconds: list[float] = []
    until = time.perf_counter() + _SECONDS_A_QUESTION
    while len(seconds) < times and (time.perf_counter() < until or len(seconds) < 2 * len(asks)):
        started = time.perf_counter()
        await asks[len(seconds) % len(asks)]()
        seconds.append(time.perf_counter() - started)
    return _figures(name, seconds), seconds


def _figures(name: str, seconds: Sequence[float]) -> QuestionFigures:
    ordered = sorted(1000 * one for one in seconds)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return QuestionFigures(
        name, len(ordered), round(statistics.median(ordered), 1), round(p95, 1), round(ordered[-1], 1)
    )


def machine() -> str:
    """Returns the processor, the cores that this process may use, and the memory."""
    model = platform.processor() or platform.machine()
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {cores} cores, {memory:.0f} GiB"
