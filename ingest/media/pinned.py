"""ConnectionPool that lead only to public addresses: a name is resolved once, and what was checked is connected to.

Checking an address and then letting a client resolve the name again would lose to a name that answers differently the
second time. So this is the only place that resolves, and it hands on addresses, never names. TLS still proves the name.

Also counts what comes in, so that headers, interim answers and chunk framing without end are bounded like a body.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpcore

from ingest.media.address import WEB_PORTS, Address, Endpoint, may_reach
from tagstream.media_reasons import PhotoReason, PhotoRefused
from tagstream.runtime.daemon_thread import in_daemon_thread

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, as text. Raises `OSError` (`socket.gaierror`) where there are none."""

RESOLVING_THREADS = 32
RESOLVE_SECONDS = 3.0
MAX_ADDRESSES_TRIED = 3
_NO_SUCH_HOST = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


class SystemResolver:
    """The system's own resolver, on threads of its own.

    Not the executor of the event loop: a name server that does not answer would fill it, and with it everything else
    that needs a thread. Nor does the end of the process wait for these threads.
    """

    def __init__(self, threads: int = RESOLVING_THREADS) -> None:
        self._free = asyncio.Semaphore(threads)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        await self._free.acquire()
        answer = in_daemon_thread(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), "media-resolver")
        answer.add_done_callback(self._finished)
        # Shielded, so that a thread which still runs keeps its place although nobody waits for it any more.
        return list(dict.fromkeys(str(found[4][0]) for found in await asyncio.shield(answer)))

    def _finished(self, answer: "asyncio.Future[Any]") -> None:
        self._free.release()
        if not answer.cancelled():
            answer.exception()  # seen, or asyncio would print it where the waiter has left


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """What one HTTP connection reaches the network by. Keeps the stream it opened, so that its owner can close it."""

    def __init__(self, resolve: Resolve, allowed: Collection[Endpoint], max_response_bytes: int) -> None:
        self._resolve = resolve
        self._allowed = allowed
        self.meter = Meter(max_response_bytes)
        self._network = httpcore.AnyIOBackend()
        self._opened: httpcore.AsyncNetworkStream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  as the interface has it
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to one of the addresses of `host`, after all of them were found to be public.

        Raises:
            PhotoRefused: one of them is not, or the port is none of the web.
        """
        addresses = await self._checked(host, port)
        failure: Exception | None = None
        for address in addresses[:MAX_ADDRESSES_TRIED]:
            try:
                stream = await self._network.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                self._opened = stream
                return MeteredStream(stream, self.meter)
        raise failure or httpcore.ConnectError(f"{host} has no address")

    async def close(self) -> None:
        """Closes what was opened, in whatever state a cancelled handshake has left it."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.aclose()

    def check_port(self, host: str, port: int) -> None:
        """Raises `PhotoRefused` if nothing is asked for at that port, whatever the host is."""
        if port not in WEB_PORTS and all(port != allowed for _, allowed in self._allowed):
            raise PhotoRefused(PhotoReason.BAD_URL, f"{host}:{port}: only the ports 80 and 443 are asked")

    def check_addresses(self, host: str, port: int, addresses: Sequence[Address]) -> None:
        """Raises `PhotoRefused` if one of the addresses of the host may not be connected to."""
        for address in addresses:
            if not may_reach(address, port, self._allowed):
                raise PhotoRefused(PhotoReason.REFUSED_ADDRESS, f"{host}:{port} is {address}, which is not public")

    async def _checked(self, host: str, port: int) -> list[Address]:
        self.check_port(host, port)
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                addresses = [ipaddress.ip_address(text) for text in await self._resolve(host, port)]
        except TimeoutError as error:
            raise PhotoRefused(PhotoReason.TIMEOUT, f"{host}: no answer of the name server") from error
        except OSError as error:
            reason = PhotoReason.UNKNOWN_HOST if error.errno in _NO_SUCH_HOST else PhotoReason.UNREACHABLE
            raise PhotoRefused(reason, f"{host}: {error.strerror or error}") from error
        except ValueError as error:  # a name that cannot be asked for, such as one with a label of 64 letters
            raise PhotoRefused(PhotoReason.BAD_URL, f"{host} is no name of a host: {error}") from error
        self.check_addresses(host, port, addresses)
        return addresses


@dataclass(slots=True)
class Meter:
    """How much of an answer has come, and whether the server has closed the connection."""

    max_bytes: int
    count: int = 0
    ended: bool = False


class MeteredStream(httpcore.AsyncNetworkStream):
    """A stream that gives up when one answer is too long. What is written begins a new exchange."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Some bytes; none at the end.

        Raises:
            PhotoRefused: the answer is too long.
        """
        data = await self._stream.read(max_bytes, timeout)
        meter = self._meter
        meter.count += len(data)
        meter.ended = not data
        if meter.count > meter.max_bytes:
            raise PhotoRefused(
                PhotoReason.TOO_LARGE, f"an answer of more than {meter.max_bytes:,} bytes with its headers"
            )
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self._meter.count = 0
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        return MeteredStream(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._meter)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
