"""The HTTP of one Mastodon server: its stream, its timelines, and where its streams are.

Owns addresses, timeouts, limits, the token, and the meaning of an HTTP status. Redirects are never followed, because
the token would go with them. Knows nothing of the content of a status, nor of cursors.

====================  ========================================================================== 429, 5xx, no answer
`FeedUnavailable`, for as long as `Retry-After` or `X-RateLimit-Reset` asks 401, 403              `BadSettings`: the
token is missing, revoked, or lacks `read:statuses` any other 3xx, 4xx    `BadSettings`: the address is wrong
====================  ==========================================================================
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn, Self
from urllib.parse import parse_qs, urlsplit

import aiohttp
from pydantic import SecretStr

from ingest.sources.formats.json_fields import MalformedLine
from ingest.sources.formats.server_sent_events import EventTooLong, ServerSentEventReader
from ingest.sources.mastodon.events import Oversized, RefusedSubscription, StreamEvent, websocket_event
from ingest.sources.mastodon.feed import MastodonFeed
from ingest.sources.mastodon.status import status_id
from ingest.sources.network.source import USER_AGENT, FeedUnavailable, retry_after_seconds
from ingest.sources.network.websocket import close_in_time
from tagstream.errors import BadSettings

# Pages follow one another at once; after the last one the server need not keep a connection open.
KEEP_ALIVE_SECONDS = 2.0
INSTANCE_BYTES = 1024 * 1024
_BUSY = frozenset({408, 425, 429})
# Answers of servers whose ids are no numbers, for an id that is gone.
_NO_SUCH_ID = frozenset({400, 404, 410, 422})
_LINK = re.compile(r"<([^<>]{1,4096})>\s*;[^<>,]{0,200}\brel=\"?prev\b")


@dataclass(frozen=True, slots=True)
class MastodonLimits:
    """Limits of patience and of size.

    The server says `:thump` every 15 s on an event stream and pings a WebSocket every 30 s: silence of several of these
    counts as death.
    """

    connect_seconds: float = 15.0
    silence_seconds: float = 90.0
    answer_seconds: float = 60.0
    event_bytes: int = 1024 * 1024
    page_bytes: int = 8 * 1024 * 1024


class UnknownId(Exception):
    """The server does not know the id after which a page was to begin."""


class PageTooLarge(Exception):
    """A page of a timeline is over the limit; ask for fewer statuses."""


@dataclass(frozen=True, slots=True)
class StatusPage:
    """Statuses of a timeline, as the server sent them. `pause_seconds` is how long to wait before the next request.

    `newer` is the id after which, by the server's word, the next page begins; None where the server does not say.
    """

    statuses: list[Any]
    pause_seconds: float
    newer: str | None = None


class MastodonApi:
    """One connection's life, as a context. Every method raises `FeedUnavailable` and `BadSettings`."""

    def __init__(self, feed: MastodonFeed, token: SecretStr | None, limits: MastodonLimits) -> None:
        self._feed = feed
        self._token = token
        self._limits = limits
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        tracing = aiohttp.TraceConfig()
        tracing.on_request_redirect.append(self._refuse_redirect)
        self._session = aiohttp.ClientSession(
            headers=headers,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
            connector=aiohttp.TCPConnector(keepalive_timeout=KEEP_ALIVE_SECONDS),
            trace_configs=[tracing],
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def streaming_origin(self) -> str:
        """Returns the origin of the streams that the server announces; its own where it announces none."""
        async with self._answer(f"{self._feed.base}/api/v2/instance") as response:
            announced = None
            # Servers of other kinds that speak the protocol may lack this page; they stream on their own host.
            if response.status == 200:
                announced = _announced(await self._body(response, INSTANCE_BYTES))
            elif response.status in _BUSY or response.status >= 500:
                self._refuse(response)
        return self._feed.streaming_origin(announced)

    async def page(self, limit: int, after: str | None) -> StatusPage:
        """Returns at most `limit` statuses: those next after that id, or the newest.

        Raises:
            PageTooLarge: they are over the limit.
            UnknownId: there is no such id.
        """
        async with self._answer(self._feed.timeline_address(limit, after)) as response:
            if response.status == 404 and self._feed.tag is not None:
                return StatusPage([], 0.0)  # a hashtag that nobody has used yet
            if response.status in _NO_SUCH_ID and after is not None:
                raise UnknownId
            if response.status != 200:
                self._refuse(response)
            body = await self._body(response, self._limits.page_bytes)
            pause, newer = _rate_limited_seconds(response.headers), _newer(response.headers.get("Link", ""))
        if body is None:
            raise PageTooLarge
        try:
            statuses = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise FeedUnavailable(f"{self._feed.name}: a page of the timeline is not JSON") from error
        if not isinstance(statuses, list):
            raise FeedUnavailable(f"{self._feed.name}: a page of the timeline is not a list of statuses")
        return StatusPage(statuses, pause, newer)

    @asynccontextmanager
    async def stream(self, origin: str) -> AsyncIterator[AsyncGenerator[StreamEvent | Oversized, None]]:
        """Opens the stream and yields its events, which end with an error when the stream does."""
        address = self._feed.stream_address(origin)
        if self._feed.transport == "websocket":
            async with self._websocket(address) as socket:
                yield self._frames(socket)
        else:
            async with self._answer(address, {"Accept": "text/event-stream"}) as response:
                if response.status != 200:
                    self._refuse(response)
                yield self._events(response)

    async def _events(self, response: aiohttp.ClientResponse) -> AsyncGenerator[StreamEvent | Oversized, None]:
        reader = ServerSentEventReader(self._limits.event_bytes)
        while True:
            with self._translated():
                async with asyncio.timeout(self._limits.silence_seconds):
                    piece = await response.content.readany()
            if not piece:
                raise FeedUnavailable(f"{self._feed.name}: the server ended the stream")
            try:
                events = reader.feed(piece)
            except EventTooLong as error:
                for event in error.before:
                    yield StreamEvent(event.name, event.data)
                yield Oversized(error.beginning, self._limits.event_bytes)
                raise FeedUnavailable(f"{self._feed.name}: {error}: the stream is opened again") from error
            for event in events:
                yield StreamEvent(event.name, event.data)

    @asynccontextmanager
    async def _websocket(self, address: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        assert self._session is not None
        with self._translated():
            try:
                async with asyncio.timeout(self._limits.connect_seconds):
                    socket = await self._session.ws_connect(
                        address,
                        max_msg_size=self._limits.event_bytes,
                        autoping=False,
                    )
            except aiohttp.WSServerHandshakeError as error:
                self._refuse_status(error.status, error.headers or {})
        try:
            yield socket
        finally:
            await close_in_time(socket)

    async def _frames(self, socket: aiohttp.ClientWebSocketResponse) -> AsyncGenerator[StreamEvent | Oversized, None]:
        while True:
            with self._translated():
                async with asyncio.timeout(self._limits.silence_seconds):
                    message = await socket.receive()
                    if message.type is aiohttp.WSMsgType.PING:
                        await socket.pong(message.data)
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                body = message.data.encode() if isinstance(message.data, str) else message.data
                event = websocket_event(body)
                if isinstance(event, RefusedSubscription):
                    self._refuse_subscription(event)
                yield event
            elif message.type not in (aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG):
                if socket.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
                    yield Oversized(b"", self._limits.event_bytes)
                raise FeedUnavailable(f"{self._feed.name}: the WebSocket ended (code {socket.close_code})")

    def _refuse_subscription(self, refused: RefusedSubscription) -> NoReturn:
        if refused.status is not None:
            self._refuse_status(refused.status, {})
        raise FeedUnavailable(f"{self._feed.name}: the server refuses the stream: {refused.message!r}")

    @asynccontextmanager
    async def _answer(
        self, address: str, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        assert self._session is not None
        with self._translated():
            async with asyncio.timeout(self._limits.connect_seconds):
                response = await self._session.get(address, headers=headers, allow_redirects=False)
        try:
            yield response
        finally:
            response.close()

    async def _body(self, response: aiohttp.ClientResponse, max_bytes: int) -> bytes | None:
        """Returns the body; None if it is over the limit."""
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise FeedUnavailable(f"{self._feed.name}: the answer is compressed, although we asked for it plain")
        body = bytearray()
        with self._translated():
            async with asyncio.timeout(self._limits.answer_seconds):
                while piece := await response.content.readany():
                    body += piece
                    if len(body) > max_bytes:
                        return None
        return bytes(body)

    def _translated(self) -> "_Translated":
        return _Translated(self._feed.name)

    def _refuse(self, response: aiohttp.ClientResponse) -> NoReturn:
        self._refuse_status(response.status, response.headers)

    def _refuse_status(self, status: int, headers: Mapping[str, str]) -> NoReturn:
        where = f"{self._feed.name} answers {status}"
        if status in (401, 403):
            what = "does not allow this" if self._token is not None else "wants a token"
            raise BadSettings(
                f"{where}: the server {what}. Make an application with the scope read:statuses in its preferences, "
                "under Development, and give its access token as TAGSTREAM_MASTODON_TOKEN"
            )
        if status in _BUSY or status >= 500:
            asked = retry_after_seconds(headers.get("Retry-After"))
            wait = asked if asked is not None else _rate_limited_seconds(headers) or None
            raise FeedUnavailable(f"{where}: not now", retry_after_seconds=wait)
        raise BadSettings(
            f"{where}: it has no such stream or timeline there; check the name of the server. Servers of other kinds "
            "that speak Mastodon's protocol mostly stream by transport=websocket alone"
        )

    async def _refuse_redirect(self, *_: object) -> None:
        raise BadSettings(f"{self._feed.name}: the server sends its streams elsewhere; name it by the option streaming")


class _Translated:
    """A context that maps every failure of a connection to `FeedUnavailable`. No message holds a header, and so no
    token.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, TimeoutError):
            raise FeedUnavailable(f"{self._name}: no answer, not even a sign of life, for too long") from error
        if isinstance(error, aiohttp.ClientError | OSError | ValueError):
            raise FeedUnavailable(f"{self._name}: {type(error).__name__}: {error}") from error


def _announced(body: bytes | None) -> object:
    """Returns the address of the streams in the server's description of itself, if it is there."""
    try:
        described = json.loads(body or b"null")
        return described["configuration"]["urls"]["streaming"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return None


def _newer(link: str) -> str | None:
    """Returns the id after which the page of newer statuses begins, from the `Link` header."""
    found = _LINK.search(link[:16_384])
    try:
        named = parse_qs(urlsplit(found[1]).query).get("min_id", []) if found else []
        return status_id(named[0]) if named else None
    except (ValueError, MalformedLine):
        return None


def _rate_limited_seconds(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Returns the seconds until more may be requested, by the `X-RateLimit` headers; 0 if more may be now."""
    if headers.get("X-RateLimit-Remaining") != "0":
        return 0.0
    try:
        reset = datetime.fromisoformat(headers.get("X-RateLimit-Reset", ""))
    except ValueError:
        return 0.0
    reset = reset if reset.tzinfo else reset.replace(tzinfo=UTC)
    return min(max(0.0, (reset - (now or datetime.now(UTC))).total_seconds()), 900.0)
