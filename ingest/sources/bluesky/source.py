"""Bluesky, by the Jetstream servers: WebSockets that give the network's posts as JSON, to anyone.

::

    server in turn ─▶ subscribe, from the cursor ─▶ frames ─▶ decompress ─▶ FrameReader ─▶ posts, deletions, erasures

Guarantee: at least once, in the server's order. Servers keep some 36 hours; what is older when reading goes on is a
gap, counted where it shows. A frame that is not of the protocol is a dead letter; one larger than the limit is refused
before it is in memory, and the server is told not to send such.

Resume: the cursor is `TIME@SERVER`, the server's microseconds of the last event. Reading goes on two seconds before it,
because servers of the first generation may give events in another order than they dated them, and fifteen seconds
before it on another server, whose clock differs. The sequence numbers that newer servers give as well are not used:
they mean nothing to another server, and one that was built anew would go on at its live end without a word.

Life: on the whole network posts never stop, and a server has been seen to answer pings and give nothing, so there only
an event counts. Where quiet is normal (some accounts, a network of one's own) an answered ping does.

The protocol: github.com/bluesky-social/jetstream.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

import aiohttp

from ingest.sources.base import Received, named
from ingest.sources.bluesky.address import address, dictionary_address, hello, is_second_generation, says_hello
from ingest.sources.bluesky.compression import FrameDecompressor, handed_out, read_dictionary
from ingest.sources.bluesky.frame import Frame, FrameFault, FrameReader, MalformedFrame, PassedOver, unreadable
from ingest.sources.bluesky.names import SOURCE
from ingest.sources.bluesky.options import BlueskyOptions, read_options
from ingest.sources.bluesky.place import Place, read_place
from ingest.sources.bluesky.record import IMAGES
from ingest.sources.network import USER_AGENT, FeedUnavailable, NetworkSource, Reconnecting, retry_after_seconds
from ingest.sources.outside import refusing_redirects
from ingest.sources.web_socket import close_in_time
from tagstream.errors import BadSettings
from tagstream.posts import DeadLetter, dead_letter
from tagstream.settings import Settings

# A record is at most 1 MiB; as JSON, with every character escaped, it stays below this.
LARGEST_FRAME_BYTES = 8 * 1024 * 1024
# Longer frames are parsed in a thread, so that the event loop goes on.
_SMALL_FRAME_BYTES = 64 * 1024
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class JetstreamLimits:
    """How long to wait, how far to go back, and how much to take at once."""

    connect_seconds: float = 20.0
    silence_seconds: float = 60.0
    rewind_seconds: float = 2.0
    server_rewind_seconds: float = 15.0
    largest_frame_bytes: int = LARGEST_FRAME_BYTES


class _FrameTooLarge(Exception):
    """The server began a frame larger than may be."""


class BlueskySource(NetworkSource):
    """The posts of Bluesky. `images` is the host that serves pictures, `dictionary` what servers compress with."""

    def __init__(
        self,
        options: BlueskyOptions,
        *,
        images: str = IMAGES,
        dictionary: bytes | None = None,
        limits: JetstreamLimits | None = None,
        reconnecting: Reconnecting | None = None,
    ) -> None:
        super().__init__(options.name, reconnecting)
        self.frames = FrameReader(options.languages, images)
        self._options = options
        self._limits = limits or JetstreamLimits()
        self._named = FrameDecompressor(dictionary, self._limits.largest_frame_bytes) if dictionary else None
        self._decompressor: FrameDecompressor | None = None
        self._turn = 0
        self._refusing: set[str] = set()
        self._accepted = False
        self._newest_us = 0
        self._stuck = 0

    def counts(self) -> Mapping[str, int]:
        passed = self.frames.passed_over
        return {**super().counts(), **named("passed_over", {reason: passed[reason] for reason in PassedOver})}

    async def open(self, cursor: str | None) -> None:
        """Sets where to begin, at the server that gave the cursor.

        Raises:
            CorruptState: the cursor is none of ours.
        """
        place = read_place(cursor)
        servers = [_name(one) for one in self._options.servers]
        if place is not None and place.server in servers:
            self._turn = servers.index(place.server)
        await super().open(cursor)

    async def connect(self, cursor: str | None) -> AsyncGenerator[Received, None]:
        url = self._options.servers[self._turn % len(self._options.servers)]
        place = read_place(cursor)
        try:
            async with (
                self._connected(url, place) as socket,
                aclosing(self._received(socket, _name(url), place)) as events,
            ):
                async for received in events:
                    yield received
        except (FeedUnavailable, OSError):
            self._turn += 1
            raise

    def _asked_us(self, place: Place, server: str) -> int:
        limits = self._limits
        rewind = limits.rewind_seconds if place.server == server else limits.server_rewind_seconds
        return max(1, place.time_us - int(rewind * _SECOND_US))

    @asynccontextmanager
    async def _connected(self, url: str, place: Place | None) -> AsyncIterator[aiohttp.ClientWebSocketResponse[bool]]:
        tracing = [refusing_redirects(_name(url))]
        async with aiohttp.ClientSession(headers={"User-Agent": USER_AGENT}, trace_configs=tracing) as session:
            try:
                async with asyncio.timeout(self._limits.connect_seconds):
                    socket = await self._subscribed(session, url, place)
            except aiohttp.WSServerHandshakeError as refused:
                self._refused(url, refused)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                what = "no answer in time" if isinstance(error, TimeoutError) else f"{error or type(error).__name__}"
                raise FeedUnavailable(f"cannot connect to {_name(url)}: {what}") from error
            self._accepted = True
            self._refusing.clear()
            try:
                yield socket
            finally:
                await close_in_time(socket)

    async def _subscribed(
        self, session: aiohttp.ClientSession, url: str, place: Place | None
    ) -> aiohttp.ClientWebSocketResponse[bool]:
        """Connects, with the compression that this server and our settings allow; one at most, as servers demand."""
        options, largest = self._options, self._limits.largest_frame_bytes
        second = is_second_generation(url)
        self._decompressor = self._named if options.compress and not second else None
        if options.compress and second:
            self._decompressor = await handed_out(session, dictionary_address(url), largest)
        deflate = options.compress and self._decompressor is None and not second
        socket = await session.ws_connect(
            address(
                url,
                options,
                largest,
                asked_us=None if place is None else self._asked_us(place, _name(url)),
                dictionary=None if self._decompressor is None else self._decompressor.dictionary_id,
            ),
            compress=15 if deflate else 0,
            max_msg_size=largest,
            autoping=False,
            decode_text=False,
        )
        if says_hello(url, options):
            await socket.send_str(hello(options, largest))
        return socket

    def _refused(self, url: str, refused: aiohttp.WSServerHandshakeError) -> NoReturn:
        """What a status means: a server that will never have us is fatal once all of them say so."""
        # A server that had us before may be behind a proxy that says anything while it is away.
        if refused.status in (400, 401, 403, 404, 405, 410) and not self._accepted:
            self._refusing.add(url)
            if self._refusing.issuperset(self._options.servers):
                raise BadSettings(
                    f"{_name(url)} refuses with status {refused.status}: it takes no one from here, or is no Jetstream "
                    "server; check the address after bluesky:, and its options"
                ) from refused
        asked = retry_after_seconds(refused.headers.get("Retry-After") if refused.headers else None)
        raise FeedUnavailable(f"{_name(url)} refuses for now: status {refused.status}", asked) from refused

    async def _received(
        self, socket: aiohttp.ClientWebSocketResponse[bool], server: str, asked: Place | None
    ) -> AsyncGenerator[Received, None]:
        """The events of one connection, each with the place after it."""
        place, newest_before = asked, self._newest_us
        try:
            async with aclosing(self._messages(socket, server)) as messages:
                async for message in messages:
                    frame = await self._read(*message)
                    if frame.time_us is not None:
                        if place is asked and asked is not None:
                            self._count_gap(asked, frame.time_us, server)
                        place = Place(frame.time_us, server)
                        self._newest_us = max(self._newest_us, frame.time_us)
                    if frame.event is not None:
                        yield Received(frame.event, str(place or ""))
        except _FrameTooLarge as error:
            self._stuck = self._stuck + 1 if self._newest_us == newest_before else 1
            place = self._skipped(place)
            yield Received(_too_large(place, server, self._limits.largest_frame_bytes), str(place or ""))
            raise FeedUnavailable(f"{server} began a frame larger than may be") from error

    def _count_gap(self, asked: Place, first_us: int, server: str) -> None:
        """Where posts never stop, a first event long after what was asked for says that the rest is gone."""
        late = first_us - self._asked_us(asked, server)
        if not self._options.quiet and late > self._limits.silence_seconds * _SECOND_US:
            self.gaps += 1

    def _skipped(self, place: Place | None) -> Place | None:
        """Where to go on after a frame that is too large: behind it, once it has come for the third time.

        Its own time is not known, so the step doubles until one is large enough.
        """
        if place is None or self._stuck < 3:
            return place
        self.gaps += 1
        step = int(self._limits.rewind_seconds * _SECOND_US) + 2 ** min(self._stuck - 3, 16) * _SECOND_US
        return Place(place.time_us + step, place.server)

    async def _messages(
        self, socket: aiohttp.ClientWebSocketResponse[bool], server: str
    ) -> AsyncGenerator[tuple[bool, bytes], None]:
        """The data frames of a connection, whether they are text and their bytes, until it ends or is dead."""
        loop = asyncio.get_running_loop()
        silence = self._limits.silence_seconds
        deadline = loop.time() + silence
        while True:
            try:
                async with asyncio.timeout_at(min(deadline, loop.time() + silence / 3)):
                    message = await socket.receive()
            except TimeoutError as error:
                if loop.time() >= deadline:
                    raise FeedUnavailable(f"{server} gave nothing for {silence:g} s") from error
                await self._answer(socket.ping(), deadline, server)
                continue
            match message.type:
                case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY:
                    yield message.type is aiohttp.WSMsgType.TEXT, bytes(message.data)
                    # Counted from here, for a slow pipeline is no fault of the server.
                    deadline = loop.time() + silence
                case aiohttp.WSMsgType.PING | aiohttp.WSMsgType.PONG:
                    if message.type is aiohttp.WSMsgType.PING:
                        await self._answer(socket.pong(message.data), deadline, server)
                    if self._options.quiet:
                        deadline = loop.time() + silence
                case _:
                    _raise_end(message.type, message.data, socket.close_code, server)

    async def _answer(self, sending: Coroutine[Any, Any, None], deadline: float, server: str) -> None:
        """Sends a control frame; a server that does not even take that is dead."""
        try:
            async with asyncio.timeout_at(deadline):
                await sending
        except (TimeoutError, aiohttp.ClientError) as error:
            raise FeedUnavailable(f"{server} takes nothing any more") from error

    async def _read(self, is_text: bool, body: bytes) -> Frame:
        if len(body) <= _SMALL_FRAME_BYTES:
            return self._parse(is_text, body)
        return await asyncio.to_thread(self._parse, is_text, body)

    def _parse(self, is_text: bool, body: bytes) -> Frame:
        if is_text:
            return self.frames.read(body)
        try:
            if self._decompressor is None:
                raise MalformedFrame(FrameFault.BAD_COMPRESSION, "a binary frame, and nothing compressed was asked for")
            return self.frames.read(self._decompressor.decompress(body))
        except MalformedFrame as malformed:
            return unreadable(body, malformed)


def open_bluesky(spec: str, settings: Settings) -> BlueskySource:
    """The source of a specification `bluesky:…`.

    Raises:
        BadSettings: it cannot be understood, or the dictionary is none.
        UnreadableInput: the dictionary cannot be read.
    """
    named = settings.bluesky_zstd_dictionary
    return BlueskySource(
        read_options(spec),
        images=settings.bluesky_images,
        dictionary=None if named is None else read_dictionary(named),
    )


def _name(url: str) -> str:
    """A server in a message and in a cursor: its host and port."""
    return urlsplit(url).netloc


def _raise_end(kind: aiohttp.WSMsgType, data: object, close_code: int | None, server: str) -> NoReturn:
    if kind is aiohttp.WSMsgType.ERROR:
        if isinstance(data, aiohttp.WebSocketError) and data.code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
            raise _FrameTooLarge
        raise FeedUnavailable(f"{server} broke the protocol: {data}")
    raise FeedUnavailable(f"{server} ended the connection (code {close_code})")


def _too_large(place: Place | None, server: str, largest_bytes: int) -> DeadLetter:
    return dead_letter(
        origin=f"{SOURCE}:{place or server}",
        source=SOURCE,
        cause=FrameFault.FRAME_TOO_LARGE.value,
        message=f"{server} began a frame of more than {largest_bytes:,} bytes, which was not read",
        body=b"",
        position=place.time_us if place else 0,
    )
