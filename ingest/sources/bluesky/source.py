"""The Jetstream servers of Bluesky: every event of the network's posts as JSON, to anyone.

::

    server ─▶ subscribe, from the place ─▶ read ahead (`intake.py`) ─▶ decompress ─▶ FrameReader ─▶ posts, deletions, …

Guarantee: at least once, in the server's order. Servers keep some 36 hours; what is older when reading goes on is a
gap, counted where it shows. A frame that is not of the protocol is a dead letter; one larger than the limit is refused
before it is in memory, and the server is told not to send such.

Resume: by the server's own numbers, some events before the last, where it is the server that gave them and they are
still those of the same events (`place.py`, `resumption.py`). Else by time: two seconds before the last event, because
servers of the first generation may give events in another order than they dated them, and fifteen seconds before it on
another server, whose clock differs. Servers that number their events answer a time with the start of their newest
segment; what comes before the time is passed over (`earlier`). Without a place the feed begins at its live end.

Life: on the whole network posts never stop, and a server has been seen to answer pings and give nothing, so there only
an event counts. Where quiet is normal (some accounts, a network of one's own) an answered ping does. A server that
gave events and dropped the connection is asked again; one that did not is passed over for the next.

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
    """The server has given the numbers that we know to other events; `number` is that of the first that it gave."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class BlueskySource(NetworkSource):
    """The posts of Bluesky.

    `images` is the host that serves pictures, `dictionary` what servers compress with, `directory` the address of who
    knows the handles of accounts: none is asked where it is empty.
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
        self._turn = 0
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
        place = read_cursor(cursor)
        servers = [server_name(one) for one in self._options.servers]
        if place is not None and place.server in servers:
            self._turn = servers.index(place.server)
        await super().open(cursor)

    async def connect(self, cursor: str | None) -> AsyncGenerator[Received, None]:
        async with self._asking(), aclosing(self._followed(cursor)) as events:
            async for received in events:
                yield received

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """Asks the directory meanwhile."""
        if self._directory is None:
            yield
            return
        asking = asyncio.create_task(self._directory.ask_for_ever())
        try:
            yield
        finally:
            asking.cancel()
            await asyncio.wait({asking})

    async def _followed(self, cursor: str | None) -> AsyncGenerator[Received, None]:
        """What comes after the cursor, over as many connections as it takes, until one fails."""
        # An earlier connection may have come further, without an event that would have said so.
        place = self._reached[1] if cursor and self._reached[0] == cursor else read_cursor(cursor)
        while True:
            url = self._options.servers[self._turn % len(self._options.servers)]
            reading = ConnectionProgress(place, self._resumption(place, server_name(url)), server_name(url))
            try:
                async with (
                    self._connector.connected(url, reading.resumption.cursor) as connection,
                    aclosing(self._received(connection, reading)) as events,
                ):
                    async for received in events:
                        cursor = received.cursor
                        yield received
            except _Renumbered as renumbered:
                self._step_back(place, renumbered.number)
            except Behind:
                self.behind += 1
            except TooOld:
                self._count_gap_once()
                self._steps_back = BY_TIME
                raise
            except (FeedUnavailable, OSError):
                self._turn += not reading.events
                self._reached = (cursor, reading.place)
                raise
            place = reading.place
            self.connections += 1

    def _resumption(self, place: JetstreamCursor | None, server: str) -> Resumption:
        same = place is not None and place.server == server
        seconds = self._limits.rewind_seconds if same else self._limits.server_rewind_seconds
        resumption = resumption_of(
            place,
            same_server=same,
            step=self._steps_back,
            rewind_us=int(seconds * _SECOND_US),
            floor_us=self._floor_us,
            now_us=time.time_ns() // 1000,
        )
        self._floor_us = resumption.asked_us
        self.frames.clock.start(0 if place is None else place.time_us if same else resumption.asked_us)
        return resumption

    def _step_back(self, place: JetstreamCursor | None, number: int) -> None:
        """How to ask next: further back, unless the server has not come that far yet; then, or at last, by time."""
        self._steps_back += 1
        further = place.step_back(self._steps_back) if place else None
        if further is None or further > number:
            self._steps_back = BY_TIME

    def _count_gap_once(self) -> None:
        """A gap of which the server tells us twice, when it refuses and when it goes on, is one."""
        self.gaps += not self._too_old
        self._too_old = True

    async def _received(
        self, connection: JetstreamConnection, reading: ConnectionProgress
    ) -> AsyncGenerator[Received, None]:
        """The events of one connection, each with the place after it."""
        intake = Intake(connection.socket, reading.server, self._limits, quiet=self._options.quiet)
        intake.waits = bool(reading.resumption.asked_us)
        try:
            async with aclosing(intake.messages()) as messages:
                async for message in messages:
                    opened = await self._opened(connection, *message)
                    if opened.notice is not None:
                        self._heed(opened.notice, reading.server)
                    elif opened.is_event and self._is_earlier(opened, reading):
                        continue
                    intake.waits = False
                    event = await self._event(opened)
                    if opened.is_event:
                        reading.take(opened, self.frames.clock.latest_us)
                    if event is not None:
                        yield Received(event, str(reading.place or ""))
        except FrameTooLarge as error:
            self._stuck = 1 if reading.has_moved else self._stuck + 1
            reading.place = self._skipped(reading.place)
            letter = _too_large(reading.place, reading.server, self._limits.largest_frame_bytes)
            yield Received(letter, str(reading.place or ""))
            raise FeedUnavailable(f"{reading.server} began a frame larger than may be") from error

    def _heed(self, notice: Notice, server: str) -> None:
        """What the server says of the stream: that it begins later than was asked for, or why it ends."""
        if notice.is_error:
            raise FeedUnavailable(f"{server} ends the stream: {notice.name}: {notice.message}")
        if notice.name == "OutdatedCursor":
            self._count_gap_once()

    def _is_earlier(self, opened: Opened, reading: ConnectionProgress) -> bool:
        """Whether an event is from before what was asked for. The first that is not says whether there is a gap.

        Raises:
            _Renumbered: the server has other events under the numbers that we know.
        """
        resumption = reading.resumption
        if not resumption.waiting:
            return False
        if resumption.judge(opened.number, opened.mark) is FirstEvent.RENUMBERED:
            raise _Renumbered(opened.number or 0)
        time_us = opened.time_us or 0
        if resumption.is_earlier(time_us):
            self.frames.passed_over[PassedOverFrame.EARLIER] += 1
            reading.pass_over(opened)
            return True
        if resumption.asked_us:
            return False  # a single date has reached it so far
        resumption.waiting = False
        self._steps_back = self._floor_us = 0
        if resumption.verdict is FirstEvent.LATER:
            self._count_gap(reading, time_us)
        self._too_old = False
        return False

    def _count_gap(self, reading: ConnectionProgress, first_us: int) -> None:
        """Where posts never stop, a first event long after what was asked for says that the rest is gone."""
        asked = reading.place
        if asked is None or self._options.quiet or self._too_old:
            return
        if first_us - asked.time_us > self._limits.silence_seconds * _SECOND_US:
            self.gaps += 1

    def _skipped(self, place: JetstreamCursor | None) -> JetstreamCursor | None:
        """Where to go on after a frame that is too large: behind it, once it has come for the third time.

        Its own number and time are not known, so the step doubles until one is large enough.
        """
        if place is None or self._stuck < 3:
            return place
        self.gaps += 1
        step = 2 ** min(self._stuck - 3, 16)
        if place.marks:
            return JetstreamCursor(place.time_us, place.server, (Mark(place.newest + step, ANY_EVENT),))
        rewind = int(self._limits.rewind_seconds * _SECOND_US)
        return JetstreamCursor(place.time_us + rewind + step * _SECOND_US, place.server)

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
    """The source of a specification `bluesky:…`.

    Raises:
        BadSettings: it cannot be understood, or the dictionary is none.
        UnreadableInput: the dictionary cannot be read.
    """
    named = settings.bluesky_zstd_dictionary
    options = read_options(f"bluesky:{argument}")
    # The accounts of a network of one's own are nobody else's business, unless one says so.
    public = options.servers == PUBLIC_SERVERS or "bluesky_directory" in settings.model_fields_set
    return BlueskySource(
        options,
        directory=settings.bluesky_directory if public else "",
        images=settings.bluesky_images,
        dictionary=None if named is None else read_dictionary(named),
    )


def _too_large(place: JetstreamCursor | None, server: str, largest_bytes: int) -> DeadLetter:
    return dead_letter(
        origin=f"{SOURCE}:{place or server}",
        source=SOURCE,
        cause=FrameFault.FRAME_TOO_LARGE.value,
        message=f"{server} began a frame of more than {largest_bytes:,} bytes, which was not read",
        body=b"",
        position=place.time_us if place else 0,
    )
