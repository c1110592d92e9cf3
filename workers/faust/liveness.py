"""Whether a worker lives: progress, as the broker sees it. And the page that says so.

::

    witness: committed and end offsets, asked of the broker ─▶ Watch (pure) ─▶ stuck? ─▶ the worker ends
                                                                   └─▶ /health/live, /health/ready, /metrics

A consumer may die in silence, with its process and its connections up. So a worker lives as long as its partitions'
committed offsets move, or there is nothing to commit, or something that it depends on is known to be down. Owns that
judgement; knows nothing of Faust or Kafka.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from aiohttp import web

from tagstream.errors import BadSettings
from tagstream.runtime.bounded_server import BoundedServer
from tagstream.text.redaction import redacted

Partition = tuple[str, int]
HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Standing:
    """How one partition stands: what is committed (None: nothing yet), where its log begins and where it ends."""

    committed: int | None
    first: int
    end: int

    @property
    def lag(self) -> int:
        """Records that are there and not acknowledged."""
        return self.end - max(self.committed or 0, self.first)


class Watch:
    """Judges progress. `stuck` are the partitions that had work for `limit_seconds` and saw no commit."""

    def __init__(self, limit_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.stuck: tuple[Partition, ...] = ()
        self.standings: Mapping[Partition, Standing] = {}
        self._limit_seconds = limit_seconds
        self._clock = clock
        self._since: dict[Partition, tuple[int | None, float]] = {}

    def observe(self, standings: Mapping[Partition, Standing], *, excused: bool) -> None:
        """Takes in how the worker's partitions stand; `excused` while something that it depends on is down."""
        now = self._clock()
        since: dict[Partition, tuple[int | None, float]] = {}
        for partition, standing in standings.items():
            if standing.lag > 0 and not excused:
                committed, began = self._since.get(partition, (None, now))
                since[partition] = (standing.committed, began if committed == standing.committed else now)
        self._since = since
        self.standings = standings
        self.stuck = tuple(one for one, (_, began) in since.items() if now - began >= self._limit_seconds)

    def excuse(self) -> None:
        """The broker does not answer: nothing can be said, and the time starts again."""
        self.observe(self.standings, excused=True)


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure in Prometheus' text form."""

    name: str
    kind: str
    help: str
    values: Mapping[str, float]  # by its labels as text, '' without


def exposition(metrics: Iterable[Metric], process: str = "worker") -> str:
    """The figures of that kind of process as Prometheus reads them."""
    lines = []
    for metric in metrics:
        name = f"tagstream_{process}_{metric.name}"
        lines += [f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}"]
        lines += [
            f"{name}{{{labels}}} {value:.17g}" if labels else f"{name} {value:.17g}"
            for labels, value in metric.values.items()
        ]
    return "\n".join(lines) + "\n"


class HealthPage:
    """Answers `/health/live`, `/health/ready` (200 or 503, with the reason) and `/metrics`.

    `live` and `ready` answer None, or why not. `process` is the kind of process that it speaks of. A client that is
    slow, or sends nothing, holds up nobody (tagstream/runtime/bounded_server.py).
    """

    def __init__(
        self,
        live: Callable[[], str | None],
        ready: Callable[[], str | None],
        metrics: Callable[[], Iterable[Metric]],
        process: str = "worker",
    ) -> None:
        self._live, self._ready, self._metrics, self._process = live, ready, metrics, process
        application = web.Application()
        application.add_routes(
            [
                web.get("/health/live", self._answer_live),
                web.get("/health/ready", self._answer_ready),
                web.get("/metrics", self._answer_metrics),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None)
        self._server = BoundedServer(self._protocol)

    async def open(self, address: str) -> str:
        """Starts to answer at `HOST:PORT`; returns where, because port 0 takes a free one.

        Raises:
            BadSettings: the address cannot be had.
        """
        host, _, port = address.rpartition(":")
        setting = f"TAGSTREAM_{self._process.upper()}_HTTP"
        if int(port) > HIGHEST_PORT:
            raise BadSettings(f"{setting} = {address}: ports end at {HIGHEST_PORT}")
        await self._runner.setup()
        try:
            taken = await self._server.open(host.strip("[]"), int(port))
        except OSError as error:
            raise BadSettings(
                f"{setting} = {address} cannot be had ({error.strerror or error}): name another "
                f"address, or port 0 for a free one"
            ) from error
        return f"http://{host}:{taken}"

    async def close(self) -> None:
        self._server.close()
        await self._runner.cleanup()

    def _protocol(self) -> asyncio.Protocol:
        assert self._runner.server is not None  # since `setup`
        return self._runner.server()

    async def _answer_live(self, _: web.Request) -> web.Response:
        return _answer(self._live())

    async def _answer_ready(self, _: web.Request) -> web.Response:
        return _answer(self._ready())

    async def _answer_metrics(self, _: web.Request) -> web.Response:
        text = exposition(self._metrics(), self._process)
        return _closing(web.Response(text=text, content_type="text/plain", charset="utf-8"))


def _answer(problem: str | None) -> web.Response:
    answer = {"ok": problem is None, "reason": redacted(problem) if problem else None}
    return _closing(web.json_response(answer, status=200 if problem is None else 503))


def _closing(response: web.Response) -> web.Response:
    """The response, after which its connection ends: one that idles is in nobody's way."""
    response.force_close()
    return response
