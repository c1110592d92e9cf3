"""A server of photos that behaves as the test scripts it: for what no well-behaved server ever does."""

import asyncio
import io
import ipaddress
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from PIL import Image

Handler = Callable[[asyncio.StreamWriter], Awaitable[None]]


def drawn(size=(64, 48), colour=(200, 30, 30), kind="JPEG", **options):
    """An encoded picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind, **options)
    return buffer.getvalue()


def opened(content):
    """The picture in these bytes, decoded."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def answer(body=b"", status=200, headers=()):
    """Sends this and keeps the connection."""
    lines = [f"HTTP/1.1 {status} Whatever", *headers, f"Content-Length: {len(body)}"]
    head = "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n"

    async def handler(writer):
        writer.write(head + body)
        await writer.drain()

    return handler


def redirect(location, status=302):
    """Sends the client elsewhere."""
    return answer(status=status, headers=[f"Location: {location}"])


def raw(data, *, then_close=True):
    """Sends exactly these bytes, then closes, or says nothing more."""

    async def handler(writer):
        writer.write(data)
        await writer.drain()
        if then_close:
            writer.close()
        else:
            await asyncio.Event().wait()

    return handler


def endless(head, part, pause=0.0):
    """Sends `head`, and then `part` until nobody listens."""

    async def handler(writer):
        writer.write(head)
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return handler


@dataclass
class Request:
    """What a client asked for. Names of headers are in lower case."""

    path: str
    headers: dict[str, str]


class HostileServer:
    """Answers each path as `answers` says; a list is used up, its last item stays.

    `requests` and `connections` are what it has seen, `busiest` how many requests were in work at a time, `open` how
    many connections are.
    """

    def __init__(self, *, host="127.0.0.1", port=0, ssl=None):
        self.answers: dict[str, Handler | list[Handler]] = {}
        self.requests: list[Request] = []
        self.connections = self.open = 0
        self.busy = self.busiest = 0
        self._host, self.port, self._ssl = host, port, ssl
        self._tasks: set[asyncio.Task[None]] = set()
        self._more_work, self._one_closed = asyncio.Event(), asyncio.Event()

    @property
    def endpoint(self):
        """Its address and port, as the allow list has them."""
        return ipaddress.ip_address(self._host), self.port

    def url(self, path="/photo.jpg", host=None, scheme="http"):
        return f"{scheme}://{host or self._host}:{self.port}{path}"

    async def until_busy(self, requests):
        """Waits until so many requests are in work."""
        while self.busy < requests:
            self._more_work.clear()
            await self._more_work.wait()

    async def until_closed(self):
        """Waits until its clients have closed all connections."""
        async with asyncio.timeout(30):
            while self.open:
                self._one_closed.clear()
                await self._one_closed.wait()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, self._host, self.port, ssl=self._ssl)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        self.connections += 1
        self.open += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    await self._answer(await reader.readuntil(b"\r\n\r\n"), writer)
                    if writer.is_closing():
                        break
        finally:
            self._tasks.discard(task)
            self.open -= 1
            self._one_closed.set()
            writer.close()

    async def _answer(self, head, writer):
        first, *lines = head.decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines if line)
        path = first.split(" ")[1]
        self.requests.append(Request(path, {name.lower(): value for name, value in pairs}))
        handler = self.answers.get(path, answer(status=404))
        if isinstance(handler, list):
            handler = handler.pop(0) if len(handler) > 1 else handler[0]
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        self._more_work.set()
        try:
            await handler(writer)
        finally:
            self.busy -= 1
