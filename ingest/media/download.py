"""The download of one photo: redirects, limits, and the meaning of each answer.

::

    URL ─▶ check ─▶ slot of its host ─▶ exchange ─▶ 200: bytes, counted and sniffed as they come
            ▲                               │
            └────── redirect, five at most ─┘

Owns what may be asked for. Every hop is a URL like the first: checked, resolved, pinned. Sends no cookie, no referrer,
and accepts no compression; uses no proxy. Knows nothing of images but how one begins.
"""

import asyncio
import hashlib
import ssl
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpcore
import httpx

from ingest.media.connection_pool import ConnectionPool, HttpConnection
from ingest.media.host_limiter import HostLimiter
from ingest.media.sniff import SNIFFED_BYTES, Format, sniff
from ingest.sources.network.source import USER_AGENT
from tagstream.media_reasons import PhotoReason, PhotoRefused
from tagstream.network.address import Endpoint
from tagstream.network.pinned import Resolve, SystemResolver

MAX_URL_LENGTH = 4096
MAX_REDIRECTS = 5
# The client library bounds headers at 100 KiB; the framing of chunks adds less than this.
FRAMING_BYTES = 256 * 1024
DEFAULT_COOL_DOWN_SECONDS = 30.0

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({404, 410})
# The first class that fits decides, so special classes come before general ones.
TRANSPORT_REASONS: tuple[tuple[type[Exception], PhotoReason], ...] = (
    (httpcore.TimeoutException, PhotoReason.TIMEOUT),
    (httpcore.UnsupportedProtocol, PhotoReason.BAD_URL),
    (httpcore.LocalProtocolError, PhotoReason.BAD_URL),
    (httpcore.ProtocolError, PhotoReason.BAD_RESPONSE),
    (httpcore.NetworkError, PhotoReason.UNREACHABLE),
    (httpcore.ProxyError, PhotoReason.UNREACHABLE),
    (httpcore.ConnectionNotAvailable, PhotoReason.UNREACHABLE),
)
TRANSPORT_ERRORS = tuple(kind for kind, _ in TRANSPORT_REASONS)


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """The limits on one photo. `total_seconds` is for all its hops; a server may fall silent for `stall_seconds`."""

    max_bytes: int
    total_seconds: float
    connect_seconds: float = 3.0
    stall_seconds: float = 3.0
    concurrency: int = 16
    patience_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Download:
    """The bytes of a file that begins like an image, their SHA-256, and the host that sent them."""

    content: bytes
    sha256: str
    format: Format
    host: str


@dataclass(frozen=True, slots=True)
class _Moved:
    location: str


class Downloader:
    """Downloads photos. `allowed` are endpoints beyond the public web; tests give a `resolve` in place of the
    system's.
    """

    def __init__(
        self,
        limits: DownloadLimits,
        *,
        allowed: Collection[Endpoint] = (),
        resolve: Resolve | None = None,
        ssl_context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._now = now
        self.hosts = HostLimiter(limits.concurrency, limits.patience_seconds, clock)
        self._connections = ConnectionPool(
            resolve or SystemResolver(),
            allowed,
            limits.max_bytes + limits.max_bytes // 8 + FRAMING_BYTES,
            ssl_context or httpx.create_ssl_context(),
            clock,
        )

    @asynccontextmanager
    async def fetch(self, url: str) -> AsyncIterator[Download]:
        """Downloads the photo at `url`.

        The slot of its host is held as long as the context lasts, so that undecoded bytes are bounded too.

        Raises:
            PhotoRefused: the photo cannot be had, or not now.
        """
        seconds_by_host: dict[str, float] = {}
        try:
            for _ in range(MAX_REDIRECTS + 1):
                target = checked_url(url)
                async with self.hosts.slot(target.host):
                    answer = await self._within(target, seconds_by_host)
                    if isinstance(answer, Download):
                        yield answer
                        return
                url = _joined(target, answer.location)
        finally:
            for host in seconds_by_host:
                self.hosts.answered(host)
        raise PhotoRefused(
            PhotoReason.TOO_MANY_REDIRECTS, f"more than {MAX_REDIRECTS} redirects, at last to {url[:200]}"
        )

    async def close(self) -> None:
        """Closes the connections that were kept."""
        await self._connections.close()

    async def _within(self, url: httpx.URL, seconds_by_host: dict[str, float]) -> "Download | _Moved":
        """Makes one hop in what is left of the time.

        `seconds_by_host` is the time that each host took that answered so far. A host that falls silent is slow. Where
        the time of all hops runs out, the host that took most of it is slow.
        """
        began = self._clock()
        try:
            async with asyncio.timeout(max(0.0, self._limits.total_seconds - sum(seconds_by_host.values()))):
                answer = await self._hop(url)
        except TimeoutError as error:
            seconds_by_host[url.host] = seconds_by_host.get(url.host, 0.0) + self._clock() - began
            slowest = max(seconds_by_host, key=lambda host: seconds_by_host[host])
            del seconds_by_host[slowest]
            seconds_by_host.pop(url.host, None)
            self.hosts.was_slow(slowest)
            message = f"{slowest} took most of {self._limits.total_seconds:g} s, at the end of which it was not there"
            raise PhotoRefused(PhotoReason.TIMEOUT, message) from error
        except PhotoRefused as refusal:
            if refusal.reason is PhotoReason.TIMEOUT:
                seconds_by_host.pop(url.host, None)
                self.hosts.was_slow(url.host)
            raise
        seconds_by_host[url.host] = seconds_by_host.get(url.host, 0.0) + self._clock() - began
        return answer

    async def _hop(self, url: httpx.URL) -> "Download | _Moved":
        """Makes one request; a second one where a kept connection turns out to have been closed."""
        origin = httpcore.Origin(url.raw_scheme, url.raw_host, url.port or (443 if url.scheme == "https" else 80))
        connection = self._connections.take(origin)
        try:
            try:
                response = await self._ask(connection, url)
            except PhotoRefused as refusal:
                if not connection.reused or refusal.reason is not PhotoReason.UNREACHABLE:
                    raise
                await connection.close()
                connection = self._connections.take(origin, fresh=True)
                response = await self._ask(connection, url)
            try:
                return await self._read(connection, response, url)
            finally:
                await response.aclose()
        finally:
            await self._connections.give_back(connection)

    async def _ask(self, connection: HttpConnection, url: httpx.URL) -> httpcore.Response:
        limits = self._limits
        request = httpcore.Request(
            "GET",
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=[
                (b"Host", url.netloc),
                (b"User-Agent", USER_AGENT.encode()),
                (b"Accept", b"image/jpeg, image/png, image/webp, image/gif"),
                (b"Accept-Encoding", b"identity"),
            ],
            extensions={
                "timeout": {
                    "connect": limits.connect_seconds,
                    "read": limits.stall_seconds,
                    "write": limits.stall_seconds,
                }
            },
        )
        try:
            return await connection.request(request)
        except TRANSPORT_ERRORS as error:
            raise _transport_refusal(error, url, connection.ended) from error

    async def _read(
        self, connection: HttpConnection, response: httpcore.Response, url: httpx.URL
    ) -> "Download | _Moved":
        headers = {name.lower(): value for name, value in response.headers}
        if response.status in _REDIRECTS and b"location" in headers:
            return _Moved(headers[b"location"].decode("utf-8", "replace"))
        if response.status != 200:
            raise self._status_refusal(response.status, headers, url)
        encoding = headers.get(b"content-encoding", b"").strip().lower()
        if encoding not in (b"", b"identity"):
            raise PhotoRefused(
                PhotoReason.COMPRESSED, f"{url.host}: Content-Encoding {encoding!r}, which was not asked for"
            )
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > self._limits.max_bytes:
            raise self._too_large(url)
        try:
            return await self._body(response, url)
        except TRANSPORT_ERRORS as error:
            raise _transport_refusal(error, url, connection.ended) from error

    async def _body(self, response: httpcore.Response, url: httpx.URL) -> Download:
        """Reads the whole body, unless it is too long or does not begin like an image that can be decoded."""
        content = bytearray()
        digest = hashlib.sha256()
        kind: Format | None = None
        async for chunk in response.aiter_stream():
            content += chunk
            digest.update(chunk)
            if len(content) > self._limits.max_bytes:
                raise self._too_large(url)
            if kind is None and len(content) >= SNIFFED_BYTES:
                kind = sniff(bytes(content[:SNIFFED_BYTES]))
                if kind is None:
                    break
        if kind is None:
            raise PhotoRefused(
                PhotoReason.NOT_AN_IMAGE, f"{url.host}: neither JPEG nor PNG, WebP or GIF: {bytes(content[:12])!r}"
            )
        return Download(bytes(content), digest.hexdigest(), kind, url.host)

    def _too_large(self, url: httpx.URL) -> PhotoRefused:
        return PhotoRefused(PhotoReason.TOO_LARGE, f"{url.host}: more than {self._limits.max_bytes:,} bytes")

    def _status_refusal(self, status: int, headers: dict[bytes, bytes], url: httpx.URL) -> PhotoRefused:
        message = f"{url.host} answered {status}"
        if status == 429 or (status == 503 and b"retry-after" in headers):
            self.hosts.cool_down(url.host, retry_after_seconds(headers.get(b"retry-after", b""), self._now()))
            return PhotoRefused(PhotoReason.HOST_BUSY, message)
        if status in _GONE:
            return PhotoRefused(PhotoReason.GONE, message)
        if 400 <= status < 500:
            return PhotoRefused(PhotoReason.FORBIDDEN, message)
        return PhotoRefused(PhotoReason.SERVER_ERROR if status >= 500 else PhotoReason.BAD_RESPONSE, message)


def checked_url(url: str) -> httpx.URL:
    """Parses a URL that photos may be fetched from.

    Raises:
        PhotoRefused: another scheme, credentials, no host, or no URL at all.
    """
    try:
        if len(url) > MAX_URL_LENGTH:
            raise ValueError(f"more than {MAX_URL_LENGTH} characters")
        parsed = httpx.URL(url)
        if parsed.scheme not in ("http", "https"):
            raise ValueError(f"its scheme is {parsed.scheme[:20]!r}")
        if parsed.userinfo:
            raise ValueError("it carries credentials")
        if not parsed.raw_host or not parsed.host:
            raise ValueError("it names no host")
    except (httpx.InvalidURL, ValueError) as error:  # `idna` raises a ValueError for an impossible name
        raise PhotoRefused(PhotoReason.BAD_URL, f"{url[:200]!r} is not fetched: {error}") from error
    return parsed


def retry_after_seconds(value: bytes, now: datetime) -> float:
    """Reads a Retry-After header in seconds: a number, or a date; 30 s where it says neither."""
    text = value.decode("ascii", "replace").strip()
    if text.isdecimal() and text.isascii():
        return float(text[:10])
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return DEFAULT_COOL_DOWN_SECONDS
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


def _joined(base: httpx.URL, location: str) -> str:
    try:
        return str(base.join(location))
    except (httpx.InvalidURL, ValueError) as error:
        raise PhotoRefused(PhotoReason.BAD_URL, f"{base.host} redirects to {location[:200]!r}: {error}") from error


def _transport_refusal(error: Exception, url: httpx.URL, ended: bool) -> PhotoRefused:
    """Maps a failure of the connection to a refusal. `ended`: the server closed the connection in the middle."""
    message = f"{url.host}: {type(error).__name__}: {error}"
    if isinstance(error.__cause__, ssl.SSLError):
        return PhotoRefused(PhotoReason.UNTRUSTED, message)
    if ended:
        return PhotoRefused(PhotoReason.UNREACHABLE, message)
    reason = next(reason for kind, reason in TRANSPORT_REASONS if isinstance(error, kind))
    return PhotoRefused(reason, message)
