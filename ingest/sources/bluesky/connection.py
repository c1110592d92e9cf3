"""The connection to a Jetstream server: its subscription, its compression, and the meaning of a refusal.

A WebSocket client is told only the status of a refusal. The same request without the wish for a WebSocket is refused
with the same words, because a server checks the request first: so it is sent once more, to read why.

Knows nothing of the frames, nor of where reading goes on.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from ingest.sources.bluesky.compression import FrameDecompressor, handed_out
from ingest.sources.bluesky.intake import IntakeLimits
from ingest.sources.bluesky.opened import LARGEST_READ_BYTES, one_line
from ingest.sources.bluesky.options import (
    BlueskyOptions,
    address,
    dictionary_address,
    hello,
    is_second_generation,
    says_hello,
)
from ingest.sources.network.source import USER_AGENT, FeedUnavailable, retry_after_seconds
from ingest.sources.network.untrusted_client import refusing_redirects
from ingest.sources.network.websocket import close_in_time
from tagstream.errors import BadSettings

# A record is at most 1 MiB; as JSON, with every character escaped, it stays below this.
LARGEST_FRAME_BYTES = 8 * 1024 * 1024
# Statuses of a server that will never accept us; a proxy may send them, too.
_FOR_GOOD = (400, 401, 403, 404, 405, 410)
_BAD_REQUEST = 400
_REFUSAL_BYTES = 4096
_REFUSAL_SECONDS = 5.0
_FLOOR = re.compile(r"floor ([1-9][0-9]{0,14})\b")


@dataclass(frozen=True, slots=True)
class JetstreamLimits(IntakeLimits):
    """The limits of patience, of going back, and of size.

    A frame of up to `largest_frame_bytes` is taken from the network, and one of up to `largest_read_bytes` parsed; a
    frame between the two is a dead letter.
    """

    connect_seconds: float = 20.0
    rewind_seconds: float = 2.0
    server_rewind_seconds: float = 15.0
    largest_frame_bytes: int = LARGEST_FRAME_BYTES
    largest_read_bytes: int = LARGEST_READ_BYTES

    @property
    def wanted_bytes(self) -> int:
        """The largest frame that the server is asked to send."""
        return min(self.largest_frame_bytes, self.largest_read_bytes)


class TooOld(FeedUnavailable):
    """The server is well, and has dropped the events after the number that it was asked for."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server's reason: its `name` for it (`CursorTooOld`), empty where it has none, and a `message` of one line."""

    name: str = ""
    message: str = ""

    @property
    def floor(self) -> int | None:
        """The number of the oldest event that the server still has, where it says so."""
        found = _FLOOR.search(self.message) if self.name == "CursorTooOld" else None
        return int(found[1]) if found else None

    def __str__(self) -> str:
        said = ": ".join(filter(None, (self.name, self.message)))
        return f" ({said})" if said else ""


@dataclass(frozen=True, slots=True)
class JetstreamConnection:
    """An open connection. `decompressor` is for its binary frames; None: it was asked for none."""

    socket: aiohttp.ClientWebSocketResponse[bool]
    decompressor: FrameDecompressor | None


class Connector:
    """Connects to the servers of a feed.

    `dictionary` is the one with which servers of the first generation compress.
    """

    def __init__(self, options: BlueskyOptions, limits: JetstreamLimits, dictionary: bytes | None) -> None:
        self._options = options
        self._limits = limits
        self._named = FrameDecompressor(dictionary, limits.wanted_bytes) if dictionary else None
        self._refusing: set[str] = set()
        self._accepted = False

    @asynccontextmanager
    async def connected(self, url: str, cursor: int | None) -> AsyncIterator[JetstreamConnection]:
        """Opens a connection that begins at the cursor, and closes it afterwards.

        Raises:
            FeedUnavailable: the server does not answer, or refuses for now.
            TooOld: the server no longer keeps the events after the cursor.
            BadSettings: every server of the feed refuses for good.
        """
        tracing = [refusing_redirects(server_name(url))]
        async with aiohttp.ClientSession(headers={"User-Agent": USER_AGENT}, trace_configs=tracing) as session:
            try:
                async with asyncio.timeout(self._limits.connect_seconds):
                    connection = await self._subscribed(session, url, cursor)
            except aiohttp.WSServerHandshakeError as refused:
                self._refused(url, refused, await refusal_of(session, refused))
            except (aiohttp.ClientError, OSError, ValueError) as error:
                what = "no answer in time" if isinstance(error, TimeoutError) else f"{error or type(error).__name__}"
                raise FeedUnavailable(f"cannot connect to {server_name(url)}: {what}") from error
            self._accepted = True
            self._refusing.clear()
            try:
                yield connection
            finally:
                await close_in_time(connection.socket)

    async def _subscribed(self, session: aiohttp.ClientSession, url: str, cursor: int | None) -> JetstreamConnection:
        """Connects with the compression that this server and our settings allow: one at most, as servers demand."""
        options, largest = self._options, self._limits.wanted_bytes
        second = is_second_generation(url)
        decompressor = self._named if options.compress and not second else None
        if options.compress and second:
            decompressor = await handed_out(session, dictionary_address(url), largest)
        deflate = options.compress and decompressor is None and not second
        dictionary = None if decompressor is None else decompressor.dictionary_id
        socket = await session.ws_connect(
            address(url, options, largest, cursor=cursor, dictionary=dictionary),
            compress=15 if deflate else 0,
            max_msg_size=self._limits.largest_frame_bytes,
            autoping=False,
            decode_text=False,
        )
        if says_hello(url, options):
            await socket.send_str(hello(options, largest))
        return JetstreamConnection(socket, decompressor)

    def _refused(self, url: str, refused: aiohttp.WSServerHandshakeError, refusal: Refusal) -> NoReturn:
        """Maps a status to an error: a server that will never accept us is fatal once all of them refuse."""
        server = server_name(url)
        if refusal.name == "CursorTooOld":
            oldest = "the oldest that it has" if refusal.floor is None else f"its oldest, number {refusal.floor}"
            raise TooOld(f"{server} no longer keeps what came next: it goes on with {oldest}; the rest is missing")
        # A server that accepted us before may be behind a proxy, which answers anything while the server is away.
        if refused.status in _FOR_GOOD and refusal.name != "UnknownZstdDictionary" and not self._accepted:
            self._refusing.add(url)
            if self._refusing.issuperset(self._options.servers):
                raise BadSettings(
                    f"{server} refuses with status {refused.status}{refusal}: it takes no one from here, or is no "
                    "Jetstream server; check the address after bluesky:, and its options"
                ) from refused
        asked = retry_after_seconds(refused.headers.get("Retry-After") if refused.headers else None)
        raise FeedUnavailable(f"{server} refuses for now: status {refused.status}{refusal}", asked) from refused


def server_name(url: str) -> str:
    """Returns the name of a server in messages and cursors: its host and port."""
    return urlsplit(url).netloc


async def refusal_of(session: aiohttp.ClientSession, refused: aiohttp.WSServerHandshakeError) -> Refusal:
    """Asks for the server's words beside the status 400.

    Returns no words if none come in time, or the status is another.
    """
    if refused.status != _BAD_REQUEST:
        return Refusal()
    try:
        async with asyncio.timeout(_REFUSAL_SECONDS), session.get(_http(refused.request_info.real_url)) as response:
            return (
                read_refusal(await response.content.read(_REFUSAL_BYTES))
                if response.status == _BAD_REQUEST
                else Refusal()
            )
    except (aiohttp.ClientError, OSError, ValueError):
        return Refusal()


def _http(url: URL) -> URL:
    return url.with_scheme({"ws": "http", "wss": "https"}.get(url.scheme, url.scheme))


def read_refusal(body: bytes) -> Refusal:
    """Reads the refusal in an answer: an error as JSON, or plain text."""
    text = body.decode(errors="replace")
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return Refusal(message=one_line(text))
    if not isinstance(answer, dict):
        return Refusal(message=one_line(text))
    return Refusal(one_line(answer.get("error")), one_line(answer.get("message")))
