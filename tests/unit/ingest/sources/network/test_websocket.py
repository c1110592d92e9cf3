"""A WebSocket ends in bounded time: against a real server of the same library that never answers a close."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest
from aiohttp import web

from ingest.sources.network.websocket import close_in_time

PATIENCE_SECONDS = 30.0


async def _talk_on(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    with suppress(ConnectionError):
        while True:
            await socket.send_str("and another thing")
            await asyncio.sleep(0.01)
    return socket


async def _say_nothing(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await asyncio.Event().wait()
    return socket


async def _vanish(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    assert request.transport is not None
    request.transport.abort()
    return socket


@pytest.fixture
async def base() -> AsyncIterator[str]:
    application = web.Application()
    for name, handler in {"talk-on": _talk_on, "say-nothing": _say_nothing, "vanish": _vanish}.items():
        application.router.add_get(f"/{name}", handler)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.parametrize("server", ["talk-on", "say-nothing", "vanish"])
async def test_a_close_ends_whatever_the_server_does(base: str, server: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS), aiohttp.ClientSession() as session:
        socket = await session.ws_connect(f"{base}/{server}")
        await close_in_time(socket)
    assert socket.closed
