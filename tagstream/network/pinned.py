"""Connections to public addresses alone: a name is resolved once, and the checked address is the one connected to.

If an address were checked and the client then resolved the name again, a name that answers differently the second time
would win. So nothing else resolves here, and clients are handed addresses, never names. TLS still proves the name.

Also counts the bytes that come in, so that endless headers, interim answers and chunk framing are bounded as a body is.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpcore

from tagstream.media_reasons import PhotoReason, PhotoRefused
from tagstream.network.address import WEB_PORTS, Address, Endpoint, may_reach
from tagstream.runtime.daemon_thread import in_daemon_thread

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Resolves a host and a port to addresses, as text. Raises `OSError` (`socket.gaierror`) where there are none."""

RESOLVING_THREADS = 32
RESOLVE_SECONDS = 3.0
MAX_ADDRESSES_TRIED = 3
_NO_SUCH_HOST = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


class SystemResolver:
    """The system's resolver, on threads of its own.

    It does not use the event loop's executor: a name server that does not answer would fill it, and block everything
    else that needs a thread. The end of the process does not wait for these threads.
    """

    def __init__(self, threads: int = RESOLVING_THREADS) -> None:
        self._free = asyncio.Semaphore(threads)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        await self._free.acquire()
        answer = in_daemon_thread(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), "media-resolver")
        answer.add_done_callback(self._finished)
        # Shielded: a thread that still runs keeps its slot although nobody waits for it any more.
        return list(dict.fromkeys(str(found[4][0]) for found in await asyncio.shield(answer)))

    def _finished(self, answer: "asyncio.Future[Any]") -> None:
        self._free.release()
        if not answer.cancelled():
            answer.exception()  # retrieved, or asyncio would print it where the waiter has left


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """The network of one HTTP connection. Keeps the stream that it opened, so that its owner can close it."""

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
        """Connects to one of the addresses of `host`, after all of them were found to be public.

        Raises:
            PhotoRefused: one of them is not public, or the port is not a web port.
        """
        addresses = await self.checked_addresses(host, port)
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
        """Closes the stream that was opened, in whatever state a cancelled handshake has left it."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.aclose()

    def check_port(self, host: str, port: int) -> None:
        """Raises `PhotoRefused` if nothing may be fetched at that port, whatever the host is."""
        if port not in WEB_PORTS and all(port != allowed for _, allowed in self._allowed):
            raise PhotoRefused(PhotoReason.BAD_URL, f"{host}:{port}: only the ports 80 and 443 are asked")

    def check_addresses(self, host: str, port: int, addresses: Sequence[Address]) -> None:
        """Raises `PhotoRefused` if one of the host's addresses may not be connected to."""
        for address in addresses:
            if not may_reach(address, port, self._allowed):
                raise PhotoRefused(PhotoReason.REFUSED_ADDRESS, f"{host}:{port} is {address}, which is not public")

    async def checked_addresses(self, host: str, port: int) -> list[Address]:
        """Returns the addresses of `host`, after all of them were found to be public; connects to none.

        Raises:
            PhotoRefused: one of them is not public, the port is not a web port, or the name means no address.
        """
        self.check_port(host, port)
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                addresses = [ipaddress.ip_address(text) for text in await self._resolve(host, port)]
        except TimeoutError as error:
            raise PhotoRefused(PhotoReason.TIMEOUT, f"{host}: no answer of the name server") from error
        except OSError as error:
            reason = PhotoReason.UNKNOWN_HOST if error.errno in _NO_SUCH_HOST else PhotoReason.UNREACHABLE
            raise PhotoRefused(reason, f"{host}: {error.strerror or error}") from error
        except ValueError as error:  # a name that cannot be resolved, such as one with a label of 64 letters
            raise PhotoRefused(PhotoReason.BAD_URL, f"{host} is no name of a host: {error}") from error
        self.check_addresses(host, port, addresses)
        return addresses


@dataclass(slots=True)
class Meter:
    """The number of bytes of one answer so far, and whether the server has closed the connection."""

    max_bytes: int
    count: int = 0
    ended: bool = False


class MeteredStream(httpcore.AsyncNetworkStream):
    """A stream that gives up when one answer is too long. Writing to it begins a new exchange."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Reads some bytes; none at the end.

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
