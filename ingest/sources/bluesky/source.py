"""The Jetstream servers of Bluesky: every event of the network's posts as JSON, open to anyone.

::

    server ─▶ subscribe, from the position ─▶ read ahead (intake.py) ─▶ decompress ─▶ FrameReader ─▶ posts, deletions, …

Guarantee: at least once, in the server's order. Servers keep some 36 hours; older events are a gap when reading goes
on, counted where it shows. A frame that is not of the protocol is a dead letter; one larger than the limit is refused
before it is in memory, and the server is told not to send any.

Resume: by the server's own numbers, some events before the last, where the same server gave them and they still belong
to the same events (`cursor.py`, `resumption.py`). Otherwise by time: two seconds before the last event, because servers
of the first generation may give events in another order than they dated them, and fifteen seconds before it on another
server, whose clock differs. Servers that number their events answer a time with the start of their newest segment;
events before the time are passed over (`earlier`). Without a cursor the feed begins at its live end.

Life: on the whole network posts never stop, and a server was once seen to answer pings and give nothing, so there only
an event counts. Where quiet is normal (some accounts, a private network) an answered ping counts too. A server that
gave events and dropped the connection is asked again; one that gave none is passed over for the next.

The protocol: github.com/bluesky-social/jetstream.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager

from ingest.sources.bluesky.compression import FrameDecompressor, read_dictionary
from ingest.sources.bluesky.connection import Connector, JetstreamConnection, JetstreamLimits, TooOld, server_name
from ingest.sources.bluesky.cursor import ANY_EVENT, JetstreamCursor, Mark, read_cursor
from ingest.sources.bluesky.directory import Directory
from ingest.sources.bluesky.frame import FrameReader, PassedOverFrame
from ingest.sources.bluesky.identifiers import SOURCE
from ingest.sources.bluesky.intake import Behind, FrameTooLarge, Intake
from ingest.sources.bluesky.opened import FrameFault, MalformedFrame, Notice, Opened, unreadable
from ingest.sources.bluesky.options import PUBLIC_SERVERS, BlueskyOptions, read_options
from ingest.sources.bluesky.record import IMAGES
from ingest.sources.bluesky.resumption import BY_TIME, ConnectionProgress, FirstEvent, Resumption, resumption_of
from ingest.sources.error_isolation import isolate_error
from ingest.sources.network.source import FeedUnavailable, NetworkSource, Reconnecting
from tagstream.dead_letter import dead_letter
from tagstream.posts import DeadLetter, Event
from tagstream.settings import Settings
from tagstream.source import Received, named

# Longer frames are read in a thread, so that the event loop goes on.
_SMALL_FRAME_BYTES = 64 * 1024
_SECOND_US = 1_000_000


class _Renumbered(Exception):
    """The server has given the numbers that we know to other events; `number` is the first one that it gave."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class BlueskySource(NetworkSource):
    """The posts of Bluesky.

    `images` is the host that serves images, `dictionary` the one that servers compress with, `directory` the address of
    a directory of handles: none is asked where it is empty.
    """

    def __init__(
        self,
        options: BlueskyOptions,
        *,
        images: str = IMAGES,
        dictionary: bytes | None = None,
        directory: str = "",
        limits: JetstreamLimits | None = None,
        reconnecting: Reconnecting | None = None,
    ) -> None:
        super().__init__(options.name, reconnecting)
        self._options = options
        self._limits = limits or JetstreamLimits()
        self.frames = FrameReader(options.languages, images, self._limits.wanted_bytes)
        self.behind = 0
        self._directory = Directory(directory, self.frames.handles) if directory else None
        self._connector = Connector(options, self._limits, dictionary)
        self._server_index = 0
        self._steps_back = 0
        self._too_old = False
        self._floor_us = 0
        self._stuck = 0
        self._reached: tuple[str | None, JetstreamCursor | None] = (None, None)

    def counts(self) -> Mapping[str, int]:
        passed = self.frames.passed_over
        return {
            **super().counts(),
            "behind": self.behind,
            **named("passed_over", {reason: passed[reason] for reason in PassedOverFrame}),
        }

    async def open(self, cursor: str | None) -> None:
        """Sets where to begin, at the server that gave the cursor.

        Raises:
            CorruptState: the cursor is none of ours.
        """
        position = read_cursor(cursor)
        servers = [server_name(address) for address in self._options.servers]
        if position is not None and position.server in servers:
            self._server_index = servers.index(position.server)
        await super().open(cursor)

    async def connect(self, cursor: str | None) -> AsyncGenerator[Received, None]:
        async with self._directory_running(), aclosing(self._followed(cursor)) as events:
            async for received in events:
                yield received

    @asynccontextmanager
    async def _directory_running(self) -> AsyncIterator[None]:
        """Asks the directory for handles while the context lasts."""
        if self._directory is None:
            yield
            return
        requests = asyncio.create_task(self._directory.ask_for_ever())
        try:
            yield
        finally:
            requests.cancel()
            await asyncio.wait({requests})

    async def _followed(self, cursor: str | None) -> AsyncGenerator[Received, None]:
        """Yields the events after the cursor, over as many connections as it takes, until one fails."""
        # An earlier connection may have come further without an event that moved the cursor.
        position = self._reached[1] if cursor and self._reached[0] == cursor else read_cursor(cursor)
        while True:
            url = self._options.servers[self._server_index % len(self._options.servers)]
            reading = ConnectionProgress(position, self._resumption(position, server_name(url)), server_name(url))
            try:
                async with (
                    self._connector.connected(url, reading.resumption.cursor) as connection,
                    aclosing(self._received(connection, reading)) as events,
                ):
                    async for received in events:
                        cursor = received.cursor
                        yield received
            except _Renumbered as renumbered:
                self._step_back(position, renumbered.number)
            except Behind:
                self.behind += 1
            except TooOld:
                self._count_gap_once()
                self._steps_back = BY_TIME
                raise
            except (FeedUnavailable, OSError):
                self._server_index += not reading.events
                self._reached = (cursor, reading.cursor)
                raise
            position = reading.cursor
            self.connections += 1

    def _resumption(self, position: JetstreamCursor | None, server: str) -> Resumption:
        same = position is not None and position.server == server
        seconds = self._limits.rewind_seconds if same else self._limits.server_rewind_seconds
        resumption = resumption_of(
            position,
            same_server=same,
            step=self._steps_back,
            rewind_us=int(seconds * _SECOND_US),
            floor_us=self._floor_us,
            now_us=time.time_ns() // 1000,
        )
        self._floor_us = resumption.asked_us
        self.frames.clock.start(0 if position is None else position.time_us if same else resumption.asked_us)
        return resumption

    def _step_back(self, position: JetstreamCursor | None, number: int) -> None:
        """Decides how to ask next: further back, if the server has come that far, else by time."""
        self._steps_back += 1
        further = position.step_back(self._steps_back) if position else None
        if further is None or further > number:
            self._steps_back = BY_TIME

    def _count_gap_once(self) -> None:
        """Counts a gap once that the server tells twice: when it refuses, and when it goes on."""
        self.gaps += not self._too_old
        self._too_old = True

    async def _received(
        self, connection: JetstreamConnection, reading: ConnectionProgress
    ) -> AsyncGenerator[Received, None]:
        """Yields the events of one connection, each with the cursor after it."""
        intake = Intake(connection.socket, reading.server, self._limits, quiet=self._options.quiet)
        intake.waits = bool(reading.resumption.asked_us)
        try:
            async with aclosing(intake.messages()) as messages:
                async for message in messages:
                    opened = await self._opened(connection, *message)
                    if opened.notice is not None:
                        self._obey(opened.notice, reading.server)
                    elif opened.is_event and self._is_earlier(opened, reading):
                        continue
                    intake.waits = False
                    event = await self._event(opened)
                    if opened.is_event:
                        reading.take(opened, self.frames.clock.latest_us)
                    if event is not None:
                        yield Received(event, str(reading.cursor or ""))
        except FrameTooLarge as error:
            self._stuck = 1 if reading.has_moved else self._stuck + 1
            reading.cursor = self._skipped(reading.cursor)
            oversized = _too_large(reading.cursor, reading.server, self._limits.largest_frame_bytes)
            yield Received(oversized, str(reading.cursor or ""))
            raise FeedUnavailable(f"{reading.server} began a frame larger than may be") from error

    def _obey(self, notice: Notice, server: str) -> None:
        """Handles the server's word about the stream: that it begins later than was asked for, or why it ends."""
        if notice.is_error:
            raise FeedUnavailable(f"{server} ends the stream: {notice.name}: {notice.message}")
        if notice.name == "OutdatedCursor":
            self._count_gap_once()

    def _is_earlier(self, opened: Opened, reading: ConnectionProgress) -> bool:
        """Says whether an event is from before the position that was asked for.

        The first event that is not tells whether there is a gap.

        Raises:
            _Renumbered: the server has other events under the numbers that we know.
        """
        resumption = reading.resumption
        if not resumption.waiting:
            return False
        if resumption.verdict_on(opened.number, opened.mark) is FirstEvent.RENUMBERED:
            raise _Renumbered(opened.number or 0)
        time_us = opened.time_us or 0
        if resumption.is_earlier(time_us):
            self.frames.passed_over[PassedOverFrame.EARLIER] += 1
            reading.pass_over(opened)
            return True
        if resumption.asked_us:
            return False  # only a single date has reached the time so far
        resumption.waiting = False
        self._steps_back = self._floor_us = 0
        if resumption.verdict is FirstEvent.LATER:
            self._count_gap(reading, time_us)
        self._too_old = False
        return False

    def _count_gap(self, reading: ConnectionProgress, first_us: int) -> None:
        """Counts a gap where posts never stop, and the first event comes long after the time that was asked for."""
        asked = reading.cursor
        if asked is None or self._options.quiet or self._too_old:
            return
        if first_us - asked.time_us > self._limits.silence_seconds * _SECOND_US:
            self.gaps += 1

    def _skipped(self, position: JetstreamCursor | None) -> JetstreamCursor | None:
        """Returns where to go on after a frame that is too large: behind it, once it has come for the third time.

        Its own number and time are unknown, so the step doubles until one is large enough.
        """
        if position is None or self._stuck < 3:
            return position
        self.gaps += 1
        step = 2 ** min(self._stuck - 3, 16)
        if position.marks:
            return JetstreamCursor(position.time_us, position.server, (Mark(position.newest + step, ANY_EVENT),))
        rewind = int(self._limits.rewind_seconds * _SECOND_US)
        return JetstreamCursor(position.time_us + rewind + step * _SECOND_US, position.server)

    async def _opened(self, connection: JetstreamConnection, is_text: bool, body: bytes) -> Opened:
        decompressor = None if is_text else connection.decompressor
        if len(body) <= _SMALL_FRAME_BYTES:
            return self._open(is_text, body, decompressor)
        return await asyncio.to_thread(self._open, is_text, body, decompressor)

    async def _event(self, opened: Opened) -> Event | None:
        if len(opened.body) <= _SMALL_FRAME_BYTES:
            return self.frames.event(opened)
        return await asyncio.to_thread(self.frames.event, opened)

    def _open(self, is_text: bool, body: bytes, decompressor: FrameDecompressor | None) -> Opened:
        if is_text:
            return self.frames.open(body)
        if decompressor is None:
            what = "a binary frame, and nothing compressed was asked for"
            return unreadable(body, MalformedFrame(FrameFault.BAD_COMPRESSION, what))
        try:
            content = decompressor.decompress(body)
        except MalformedFrame as malformed:
            return unreadable(body, malformed)
        except Exception as error:
            message = isolate_error(error, decompressor.read_known_good)
            return unreadable(body, MalformedFrame(FrameFault.UNEXPECTED, message))
        return self.frames.open(content)


def open_bluesky(argument: str, settings: Settings) -> BlueskySource:
    """Returns the source of `bluesky:<argument>`.

    Raises:
        BadSettings: the argument cannot be understood, or the dictionary is none.
        UnreadableInput: the dictionary cannot be read.
    """
    named = settings.bluesky_zstd_dictionary
    options = read_options(f"bluesky:{argument}")
    # The accounts of a private network are not sent to the public directory unless a setting asks for it.
    public = options.servers == PUBLIC_SERVERS or "bluesky_directory" in settings.model_fields_set
    return BlueskySource(
        options,
        directory=settings.bluesky_directory if public else "",
        images=settings.bluesky_images,
        dictionary=None if named is None else read_dictionary(named),
    )


def _too_large(position: JetstreamCursor | None, server: str, largest_bytes: int) -> DeadLetter:
    return dead_letter(
        origin=f"{SOURCE}:{position or server}",
        source=SOURCE,
        cause=FrameFault.FRAME_TOO_LARGE.value,
        message=f"{server} began a frame of more than {largest_bytes:,} bytes, which was not read",
        body=b"",
        position=position.time_us if position else 0,
    )
