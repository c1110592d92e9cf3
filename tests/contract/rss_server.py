"""A server of feeds on loopback, which answers as its script tells it, and notes how it was asked.

By itself it does as RFC 9110 says of conditional requests: an entity tag for each state of a feed, and 304 to whoever
names it.
"""

import asyncio
import gzip
import hashlib
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEAD = (
    '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"'
    ' xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"><channel><title>The Example</title>'
    "<link>https://news.example/</link><description>News</description><language>en-gb</language>"
)


def item(number: int, more: str = "") -> str:
    """An item of RSS 2.0: number 0 was published on 4 March 2024 at 10:00, each later one a minute later."""
    hour, minute = divmod(number, 60)
    return (
        f"<item><guid>https://news.example/{number}</guid><link>https://news.example/{number}</link>"
        f"<title>Title {number}</title><description>Words of number {number} from Oslo</description>"
        f"<pubDate>Mon, 04 Mar 2024 {10 + hour}:{minute:02}:00 +0000</pubDate>{more}</item>"
    )


def rss(*items: str, channel: str = "") -> bytes:
    """A document of RSS 2.0 with these items, in this order."""
    return f"{HEAD}{channel}{''.join(items)}</channel></rss>".encode()


class Asked(NamedTuple):
    """A request: its path, its headers, and the loop's time."""

    path: str
    headers: dict[str, str]
    moment: float


class FeedServer:
    """`feeds` are the documents by path, `scripts` what comes instead, one a request.

    `headers` go with every answer, `asked` notes all requests, `open` counts those that are being answered.
    """

    def __init__(self) -> None:
        self.feeds: dict[str, bytes] = {}
        self.scripts: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self.headers: dict[str, str] = {}
        self.asked: list[Asked] = []
        self.open = 0
        self.port = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        application = web.Application()
        application.router.add_get("/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def polls(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.path == path]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(Asked(request.path, dict(request.headers), asyncio.get_running_loop().time()))
        self.open += 1
        try:
            if self.scripts[request.path]:
                return await self.scripts[request.path].popleft()(request)
            return self.answer(request)
        finally:
            self.open -= 1

    def answer(self, request: web.Request) -> web.Response:
        body = self.feeds.get(request.path)
        if body is None:
            return web.Response(status=404)
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        headers = {"ETag": tag, "Content-Type": "application/rss+xml"} | self.headers
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers)


def status(code: int, **headers: str) -> Answer:
    """An answer without a body; `Retry_After` is written `Retry-After`."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


def body(data: bytes, **headers: str) -> Answer:
    """An answer with just these bytes."""

    async def answer(_: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=data, headers=named)

    return answer


def packed(data: bytes) -> Answer:
    return body(gzip.compress(data), Content_Encoding="gzip")


async def endless(request: web.Request) -> web.StreamResponse:
    """A feed that never ends."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"<item>" * 10_000)


async def stalled(request: web.Request) -> web.StreamResponse:
    """The beginning of a feed, and then nothing."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(HEAD.encode())
    await asyncio.Event().wait()
    return response


async def dropped(request: web.Request) -> web.StreamResponse:
    """The beginning of a feed, and the connection ends."""
    response = web.StreamResponse(headers={"Content-Length": "100000"})
    await response.prepare(request)
    await response.write(HEAD.encode())
    assert request.transport is not None
    request.transport.abort()
    return response
