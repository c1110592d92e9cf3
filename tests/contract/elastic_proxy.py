"""A small HTTP server before Elasticsearch that does what a healthy node cannot be made to do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from aiohttp import ClientSession, web

# pass: to the server; busy: 429, unseen by it; lost: done by it, but the connection breaks before the answer.
Fault = Literal["pass", "busy", "lost"]

KEPT_HEADERS = ("Content-Type", "X-Elastic-Product", "Accept")


def healthy(_: str) -> Fault:
    """No fault."""
    return "pass"


def busy(_: str) -> Fault:
    """Every request is put off."""
    return "busy"


class Proxy:
    """`fault(path)` decides about each request; `met` counts the faults."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.url = ""
        self.fault: Callable[[str], Fault] = healthy
        self.met = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        fault = self.fault(request.path)
        self.met += fault != "pass"
        if fault == "busy":
            error = {"error": {"type": "es_rejected_execution_exception", "reason": "planted"}, "status": 429}
            return web.json_response(error, status=429, headers={"X-Elastic-Product": "Elasticsearch"})
        headers = {name: value for name, value in request.headers.items() if name in KEPT_HEADERS}
        body = await request.read()
        url = self.target + request.raw_path
        async with (
            ClientSession() as session,
            session.request(request.method, url, data=body, headers=headers) as answer,
        ):
            content = await answer.read()
            kept = {
                name: answer.headers[name] for name in ("Content-Type", "X-Elastic-Product") if name in answer.headers
            }
            if fault == "lost":
                assert request.transport is not None
                request.transport.abort()
            return web.Response(body=content, status=answer.status, headers=kept)


@asynccontextmanager
async def proxy(target: str) -> AsyncIterator[Proxy]:
    """A proxy before `target` on a free port, until the block ends."""
    made = Proxy(target)
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    made.url = f"http://127.0.0.1:{port}"
    try:
        yield made
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)  # the last transports close in the loop's next turn
