"""One photo's bytes from its URL, as far as its server deserves.

::

    URL ─▶ check ─▶ the host's turn ─▶ exchange ─▶ 200: bytes, counted and sniffed as they come
            ▲                              │
            └───── redirect, five at most ─┘

Owns what may be asked for and what each answer means. Every hop is a URL like the first: checked, resolved, pinned. No
cookie, no referrer, no proxy, no compression. Knows nothing of pictures but how one begins.
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

from ingest.media.address import Endpoint
from ingest.media.connection_pool import ConnectionPool, HttpConnection
from ingest.media.host_limiter import HostLimiter
from ingest.media.pinned import Resolve, SystemResolver
from ingest.media.sniff import SNIFFED_BYTES, Format, sniff
from ingest.sources.network.source import USER_AGENT
from tagstream.media_reasons import PhotoReason, PhotoRefused

MAX_URL_LENGTH = 4096
MAX_REDIRECTS = 5
# Headers are bounded by the client library at 100 KiB; chunks of some size add less than this.
FRAMING_BYTES = 256 * 1024
DEFAULT_COOL_DOWN_SECONDS = 30.0

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({404, 410})
# The first that fits counts, so the special ones come before the general.
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
    """What one photo may cost. `total_seconds` is for all its hops; a server may fall silent for `stall_seconds`."""

    max_bytes: int
    total_seconds: float
    connect_seconds: float = 3.0
    stall_seconds: float = 3.0
    concurrency: int = 16
    patience_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Download:
    """The bytes of something that begins like a picture, their SHA-256, and the host that sent them."""

    content: bytes
    sha256: str
    format: Format
    host: str


@dataclass(frozen=True, slots=True)
class _Moved:
    location: str


class Downloader:
    """Fetches photos. `allowed` are the endpoints beyond the public web; `resolve` is the system's unless a test's."""

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
        """The photo at `url`. Its host's turn lasts as long as the context, so that undecoded bytes are bounded too.

        Raises:
            PhotoRefused: it cannot be had, or not now.
        """
        spent: dict[str, float] = {}
        try:
            for _ in range(MAX_REDIRECTS + 1):
                target = checked_url(url)
                async with self.hosts.slot(target.host):
                    answer = await self._within(target, spent)
                    if isinstance(answer, Download):
                        yield answer
                        return
                url = _joined(target, answer.location)
        finally:
            for host in spent:
                self.hosts.answered(host)
        raise PhotoRefused(
            PhotoReason.TOO_MANY_REDIRECTS, f"more than {MAX_REDIRECTS} redirects, at last to {url[:200]}"
        )

    async def close(self) -> None:
        """Closes the connections that were kept."""
        await self._connections.close()

    async def _within(self, url: httpx.URL, spent: dict[str, float]) -> "Download | _Moved":
        """One hop, in what is left of the time. `spent`: how much of it each host took that answered in all hops.

        A host that falls silent is slow. Where the time of all hops has run out, it is the one that took most of it.
        """
        began = self._clock()
        try:
            async with asyncio.timeout(max(0.0, self._limits.total_seconds - sum(spent.values()))):
                answer = await self._hop(url)
        except TimeoutError as error:
            spent[url.host] = spent.get(url.host, 0.0) + self._clock() - began
            slowest = max(spent, key=lambda host: spent[host])
            del spent[slowest]
            spent.pop(url.host, None)
            self.hosts.was_slow(slowest)
            message = f"{slowest} took most of {self._limits.total_seconds:g} s, at the end of which it was not there"
            raise PhotoRefused(PhotoReason.TIMEOUT, message) from error
        except PhotoRefused as refusal:
            if refusal.reason is PhotoReason.TIMEOUT:
                spent.pop(url.host, None)
                self.hosts.was_slow(url.host)
            raise
        spent[url.host] = spent.get(url.host, 0.0) + self._clock() - began
        return answer

    async def _hop(self, url: httpx.URL) -> "Download | _Moved":
        """One request; a second one where a kept connection turns out to have been closed."""
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
        """All of it, unless it is too long or begins like nothing that we could decode."""
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
    """The URL, if it is one that photos are fetched from.

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
    except (httpx.InvalidURL, ValueError) as error:  # of a name that is no name, `idna` raises a ValueError
        raise PhotoRefused(PhotoReason.BAD_URL, f"{url[:200]!r} is not fetched: {error}") from error
    return parsed


def retry_after_seconds(value: bytes, now: datetime) -> float:
    """What a Retry-After header asks for, in seconds: a number, or a date; 30 s where it says neither."""
    text = value.decode("ascii", "replace").strip()
    if text.isdecimal() and text.isascii():
        return float(text[:10])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return DEFAULT_COOL_DOWN_SECONDS
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def _joined(base: httpx.URL, location: str) -> str:
    try:
        return str(base.join(location))
    except (httpx.InvalidURL, ValueError) as error:
        raise PhotoRefused(PhotoReason.BAD_URL, f"{base.host} redirects to {location[:200]!r}: {error}") from error


def _transport_refusal(error: Exception, url: httpx.URL, ended: bool) -> PhotoRefused:
    """What a failure of the connection means; `ended`: the server closed it in the middle."""
    message = f"{url.host}: {type(error).__name__}: {error}"
    if isinstance(error.__cause__, ssl.SSLError):
        return PhotoRefused(PhotoReason.UNTRUSTED, message)
    if ended:
        return PhotoRefused(PhotoReason.UNREACHABLE, message)
    reason = next(reason for kind, reason in TRANSPORT_REASONS if isinstance(error, kind))
    return PhotoRefused(reason, message)
