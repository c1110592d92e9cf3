"""The HTTP page of a process: its liveness, its readiness and its metrics."""

import asyncio
from collections.abc import Callable, Iterable

from aiohttp import web

from tagstream.errors import BadSettings
from tagstream.runtime.bounded_server import BoundedServer
from tagstream.runtime.exposition import Exposition, MetricFamily
from tagstream.text.redaction import redacted

HIGHEST_PORT = 65535


class HealthPage:
    """The page that answers `/health/live`, `/health/ready` (200 or 503, with the reason) and `/metrics`.

    `live` and `ready` return None, or the reason against it. `process` (`worker`, `ingest`) names the setting of the
    address. A slow client delays no other (tagstream/runtime/bounded_server.py).
    """

    def __init__(
        self,
        live: Callable[[], str | None],
        ready: Callable[[], str | None],
        metrics: Callable[[], Iterable[MetricFamily]],
        process: str = "worker",
    ) -> None:
        self._live, self._ready, self._process = live, ready, process
        self._exposition = Exposition(metrics)
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
        """Starts to answer at `HOST:PORT`, and returns the URL: port 0 takes a free one.

        Raises:
            BadSettings: the address is taken, or none of this machine.
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
        """Stops answering."""
        self._server.close()
        await self._runner.cleanup()

    def _protocol(self) -> asyncio.Protocol:
        assert self._runner.server is not None  # since `setup`
        return self._runner.server()

    async def _answer_live(self, _: web.Request) -> web.Response:
        return _answer(self._live())

    async def _answer_ready(self, _: web.Request) -> web.Response:
        return _answer(self._ready())

    async def _answer_metrics(self, request: web.Request) -> web.Response:
        body, content_type = self._exposition.render(request.headers.get("Accept", ""))
        return _closing(web.Response(body=body, headers={"Content-Type": content_type}))


def _answer(problem: str | None) -> web.Response:
    answer = {"ok": problem is None, "reason": redacted(problem) if problem else None}
    return _closing(web.json_response(answer, status=200 if problem is None else 503))


def _closing(response: web.Response) -> web.Response:
    """Returns the response, after which its connection ends instead of idling."""
    response.force_close()
    return response
