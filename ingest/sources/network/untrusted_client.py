"""An HTTP client for addresses that come from outside: those to which a server, and not the user, sends us.

::

    named by the user           may be anywhere, a private address too; a name that once was public stays so
    of the same origin          is the same server; http at port 80 and https at port 443 of one host count as one
    anything else               only addresses that anybody on the internet could reach (tagstream/network/pinned.py:
                                resolved once, checked, and connected to), or an exact pair of `media_allowed`

A source of a network that needs no redirects refuses them with `refusing_redirects` instead.
"""

import ssl
import urllib.request
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpcore
import httpx

from ingest.sources.network.source import FeedUnavailable
from tagstream.media_reasons import PhotoReason, PhotoRefused
from tagstream.network.address import Address, Endpoint, is_public
from tagstream.network.pinned import PinnedBackend, Resolve, SystemResolver

# The first class that fits decides, so special classes come before general ones.
_FAILURES: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.TimeoutException, httpx.ReadTimeout),
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.NetworkError, httpx.ReadError),
    (httpcore.ProtocolError, httpx.RemoteProtocolError),
    (httpcore.UnsupportedProtocol, httpx.UnsupportedProtocol),
)
_FAILED: tuple[type[Exception], ...] = (PhotoRefused, *(kind for kind, _ in _FAILURES))


class AddressRefused(httpx.TransportError):
    """Nothing was requested: the address may not be fetched from here; the message says why."""


class UntrustedClient:
    """A client that requests addresses one hop at a time.

    The caller follows redirects, by requesting again, and closes the client.
    """

    def __init__(
        self,
        headers: dict[str, str],
        timeout: httpx.Timeout,
        max_bytes: int,
        *,
        allowed: Collection[Endpoint] = (),
        resolve: Resolve | None = None,
    ) -> None:
        resolve = resolve or SystemResolver()
        context = httpx.create_ssl_context()
        self._public_names: set[str] = set()
        options: dict[str, Any] = {"headers": headers, "timeout": timeout, "follow_redirects": False}
        self._guarded = httpx.AsyncClient(
            transport=_CheckedTransport(lambda: PinnedBackend(resolve, allowed, max_bytes), context), **options
        )
        # Behind a proxy the proxy resolves, so there is nothing to check here.
        self._named = (
            httpx.AsyncClient(**options)
            if any(urllib.request.getproxies().get(scheme) for scheme in ("http", "https", "all"))
            else httpx.AsyncClient(
                transport=_CheckedTransport(lambda: _NamedBackend(resolve, max_bytes, self._public_names), context),
                **options,
            )
        )

    def stream(
        self, address: str, headers: dict[str, str], *, named: bool
    ) -> AbstractAsyncContextManager[httpx.Response]:
        """Requests an address with GET and returns the answer as a context.

        `named` says that the address is at the server that the user named.

        Raises:
            AddressRefused: the address may not be fetched.
            httpx.HTTPError: no answer.
        """
        client = self._named if named else self._guarded
        client.cookies.clear()
        return client.stream("GET", address, headers=headers)

    async def close(self) -> None:
        await self._named.aclose()
        await self._guarded.aclose()


def is_same_origin(address: str, named: str) -> bool:
    """Says whether an address is at the server that was named."""
    return _origin(address) == _origin(named)


def refusing_redirects(server: str) -> aiohttp.TraceConfig:
    """Returns a trace for a client that follows no redirect: the connection fails, and says where the server points."""

    async def refuse(_: object, __: object, redirect: aiohttp.TraceRequestRedirectParams) -> None:
        target = redirect.response.headers.get("Location", "")[:200]
        raise FeedUnavailable(
            f"{server} sends us to {target!r}, which is not followed: name that server if it is right"
        )

    tracing = aiohttp.TraceConfig()
    tracing.on_request_redirect.append(refuse)
    return tracing


def _origin(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return (parts.hostname or "").lower(), 443 if port == 80 else port


class _NamedBackend(PinnedBackend):
    """Connects to any address that the user named, but a name that was public never becomes a private address later."""

    def __init__(self, resolve: Resolve, max_bytes: int, public_names: set[str]) -> None:
        super().__init__(resolve, (), max_bytes)
        self._public_names = public_names

    def check_port(self, host: str, port: int) -> None:
        """Allows any port that the user names."""

    def check_addresses(self, host: str, port: int, addresses: Sequence[Address]) -> None:
        if all(is_public(address) for address in addresses):
            self._public_names.add(host)
        elif host in self._public_names:
            raise PhotoRefused(
                PhotoReason.REFUSED_ADDRESS, f"{host}:{port} was public before, and now has an address that is not"
            )


class _CheckedTransport(httpx.AsyncBaseTransport):
    """Makes a connection for each request, with a backend of its own, so that its bytes are counted for itself."""

    def __init__(self, backend: Callable[[], PinnedBackend], context: ssl.SSLContext) -> None:
        self._backend = backend
        self._context = context

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        backend = self._backend()
        origin = httpcore.Origin(url.raw_scheme, url.raw_host, url.port or (443 if url.scheme == "https" else 80))
        connection = httpcore.AsyncHTTPConnection(origin, self._context, network_backend=backend)
        body = _Body(connection, backend)
        try:
            response = await connection.handle_async_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    extensions={"timeout": request.extensions["timeout"]},
                )
            )
        except BaseException as error:
            await body.aclose()
            raise _as_httpx(error) from error
        body.response = response
        return httpx.Response(response.status, headers=response.headers, stream=body, extensions=response.extensions)


class _Body(httpx.AsyncByteStream):
    """The body of an answer; closing it closes the connection."""

    def __init__(self, connection: httpcore.AsyncHTTPConnection, backend: PinnedBackend) -> None:
        self._connection = connection
        self._backend = backend
        self.response: httpcore.Response | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert self.response is not None
        try:
            async for piece in self.response.aiter_stream():
                yield piece
        except _FAILED as error:
            raise _as_httpx(error) from error

    async def aclose(self) -> None:
        try:
            if self.response is not None:
                await self.response.aclose()
            await self._connection.aclose()
        finally:
            await self._backend.close()


def _as_httpx(error: BaseException) -> BaseException:
    if isinstance(error, PhotoRefused):
        refused = error.reason in (PhotoReason.REFUSED_ADDRESS, PhotoReason.BAD_URL)
        return AddressRefused(str(error)) if refused else httpx.ConnectError(str(error))
    return next((ours(str(error)) for theirs, ours in _FAILURES if isinstance(error, theirs)), error)
