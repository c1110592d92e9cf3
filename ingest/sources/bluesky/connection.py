"""Connects to a Jetstream server: what is asked for, the one compression, and what a refusal means.

Knows nothing of what is read then, nor of where reading goes on.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlsplit

import aiohttp

from ingest.sources.bluesky.compression import FrameDecompressor, handed_out
from ingest.sources.bluesky.intake import IntakeLimits
from ingest.sources.bluesky.opened import LARGEST_READ_BYTES
from ingest.sources.bluesky.options import (
    BlueskyOptions,
    address,
    dictionary_address,
    hello,
    is_second_generation,
    says_hello,
)
from ingest.sources.bluesky.refusal import Refusal, refusal_of
from ingest.sources.network.source import USER_AGENT, FeedUnavailable, retry_after_seconds
from ingest.sources.network.untrusted_client import refusing_redirects
from ingest.sources.network.websocket import close_in_time
from tagstream.errors import BadSettings

# A record is at most 1 MiB; as JSON, with every character escaped, it stays below this.
LARGEST_FRAME_BYTES = 8 * 1024 * 1024
# Statuses of a server that will never have us; a proxy may say them, too.
_FOR_GOOD = (400, 401, 403, 404, 405, 410)


@dataclass(frozen=True, slots=True)
class JetstreamLimits(IntakeLimits):
    """How long to wait, how far to go back, and how much to take at once.

    A frame of up to `largest_frame_bytes` is taken from the network, and one of up to `largest_read_bytes` parsed; what
    lies between is a dead letter.
    """

    connect_seconds: float = 20.0
    rewind_seconds: float = 2.0
    server_rewind_seconds: float = 15.0
    largest_frame_bytes: int = LARGEST_FRAME_BYTES
    largest_read_bytes: int = LARGEST_READ_BYTES

    @property
    def wanted_bytes(self) -> int:
        return min(self.largest_frame_bytes, self.largest_read_bytes)


class TooOld(FeedUnavailable):
    """The server is well, and has dropped what comes after the number that it was asked for."""


@dataclass(frozen=True, slots=True)
class JetstreamConnection:
    """`decompressor` is for its binary frames; None: it was asked for none."""

    socket: aiohttp.ClientWebSocketResponse[bool]
    decompressor: FrameDecompressor | None


class Connector:
    """Connects to the servers of a feed. `dictionary`: what those of the first generation compress with."""

    def __init__(self, options: BlueskyOptions, limits: JetstreamLimits, dictionary: bytes | None) -> None:
        self._options = options
        self._limits = limits
        self._named = FrameDecompressor(dictionary, limits.wanted_bytes) if dictionary else None
        self._refusing: set[str] = set()
        self._accepted = False

    @asynccontextmanager
    async def connected(self, url: str, cursor: int | None) -> AsyncIterator[JetstreamConnection]:
        """A connection that begins at the cursor; it is closed afterwards.

        Raises:
            FeedUnavailable: the server does not answer, or refuses for now.
            TooOld: see there.
            BadSettings: no server of the feed will ever have us.
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
        """Connects, with the compression that this server and our settings allow; one at most, as servers demand."""
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

    def _refused(self, url: str, refused: aiohttp.WSServerHandshakeError, said: Refusal) -> NoReturn:
        """What a status means: a server that will never have us is fatal once all of them say so."""
        server = server_name(url)
        if said.name == "CursorTooOld":
            oldest = "the oldest that it has" if said.floor is None else f"its oldest, number {said.floor}"
            raise TooOld(f"{server} no longer keeps what came next: it goes on with {oldest}; the rest is missing")
        # A server that had us before may be behind a proxy that says anything while it is away.
        if refused.status in _FOR_GOOD and said.name != "UnknownZstdDictionary" and not self._accepted:
            self._refusing.add(url)
            if self._refusing.issuperset(self._options.servers):
                raise BadSettings(
                    f"{server} refuses with status {refused.status}{said}: it takes no one from here, or is no "
                    "Jetstream server; check the address after bluesky:, and its options"
                ) from refused
        asked = retry_after_seconds(refused.headers.get("Retry-After") if refused.headers else None)
        raise FeedUnavailable(f"{server} refuses for now: status {refused.status}{said}", asked) from refused


def server_name(url: str) -> str:
    """A server in a message and in a cursor: its host and port."""
    return urlsplit(url).netloc
