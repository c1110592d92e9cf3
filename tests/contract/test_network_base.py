"""What every network source inherits, on the smallest network there is: lines over TCP.

It proves `ingest/sources/network/source.py`, and the suite itself: each scenario runs here against a source whose right
behaviour is plain to see.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime

import pytest
from network_contract import LARGEST_FRAME_BYTES, QUICK, SILENCE_SECONDS, NetworkContract, read, until
from network_server import ENDLESS_PIECE_BYTES, Refuse, ScriptedServer

from ingest.sources.network.source import (
    QUEUED_CHARACTERS,
    QUEUED_EVENTS,
    FeedUnavailable,
    NetworkSource,
    Reconnecting,
    retry_after_seconds,
)
from tagstream.dead_letter import dead_letter
from tagstream.errors import BadSettings, Fatal
from tagstream.posts import Author, Event, Post
from tagstream.source import Received

CREATED = datetime(2024, 5, 1, 12, tzinfo=UTC)
NOW = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)


def post(number: int, text: str = "Paris") -> Post:
    return Post(id=f"lines:{number}", source="lines", author=Author(id="a"), created_at=CREATED, text=text)


class LineConnection:
    """One client: `event N` and a newline; an empty line is a heartbeat."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def send(self, number: int) -> None:
        await self._write(b"event %d\n" % number)

    async def heartbeat(self) -> None:
        await self._write(b"\n")

    async def garbage(self) -> None:
        await self._write(b"\xff\x00 nonsense\n")

    async def half(self, number: int) -> None:
        await self._write((b"event %d" % number)[:4])

    async def endless(self) -> None:
        await self._write(b"x" * ENDLESS_PIECE_BYTES)

    async def stall(self) -> None:
        """It never answers anything anyway."""

    async def reset(self) -> None:
        self._writer.transport.abort()


class LineServer(ScriptedServer):
    """Answers the number to begin with by `200` and the events, or by a status and a Retry-After."""

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._tasks: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def event_id(self, number: int) -> str:
        return f"lines:{number}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            first = (await reader.readline()).decode().strip()
            fault = self.attempt()
            if isinstance(fault, Refuse):
                writer.write(f"{fault.status} {fault.retry_after or ''}\n".encode())
                return
            writer.write(b"200\n")
            playing = asyncio.create_task(self.play(LineConnection(writer), int(first or self.published), fault))
            gone = asyncio.create_task(reader.read())
            await asyncio.wait({playing, gone}, return_when=asyncio.FIRST_COMPLETED)
            for one in (playing, gone):
                one.cancel()
            await asyncio.gather(playing, gone, return_exceptions=True)
        except ConnectionError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()


class LineSource(NetworkSource):
    """Reads a `LineServer`; the cursor is the number of the next event."""

    def __init__(self, port: int) -> None:
        super().__init__("lines:test", QUICK)
        self._port = port

    async def connect(self, cursor: str | None) -> AsyncGenerator[Received, None]:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=LARGEST_FRAME_BYTES)
        except OSError as error:
            raise FeedUnavailable(f"nobody answers: {error}") from error
        try:
            writer.write(f"{cursor or ''}\n".encode())
            status, _, retry_after = (await self._line(reader)).decode().strip().partition(" ")
            if status in ("401", "403"):
                raise BadSettings("the server refuses us")
            if status != "200":
                raise FeedUnavailable(f"the server says {status}", retry_after_seconds(retry_after))
            place = int(cursor or 0)
            while True:
                if line := (await self._line(reader)).strip():
                    event = self._event(line, place)
                    place = int(event.id.partition(":")[2]) + 1 if isinstance(event, Post) else place
                    yield Received(event, str(place))
        finally:
            writer.transport.abort()

    async def _line(self, reader: asyncio.StreamReader) -> bytes:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                line = await reader.readuntil(b"\n")
        except TimeoutError as error:
            raise FeedUnavailable("the server is silent") from error
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError) as error:
            raise FeedUnavailable(f"the connection ended: {type(error).__name__}") from error
        return line

    @staticmethod
    def _event(line: bytes, place: int) -> Event:
        word, _, number = line.partition(b" ")
        if word == b"event":
            return post(int(number))
        return dead_letter(
            origin=f"lines:test:{place}", source="lines", cause="malformed", message="no event", body=line
        )


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    server = LineServer()
    await server.start()
    yield server
    await server.stop()


class TestLines(NetworkContract):
    def make_source(self, server: ScriptedServer) -> NetworkSource:
        assert isinstance(server, LineServer)
        return LineSource(server.port)


class ScriptSource(NetworkSource):
    """What `connect` does, given as a function of how many connections there were before."""

    def __init__(self, *connections: list[Event | BaseException]) -> None:
        super().__init__("script:test", QUICK)
        self._script = list(connections)
        self.closed = 0

    async def connect(self, cursor: str | None) -> AsyncGenerator[Received, None]:  # noqa: ARG002
        try:
            for step in self._script.pop(0):
                if isinstance(step, BaseException):
                    raise step
                yield Received(step, f"{getattr(step, 'id', '')}")
        finally:
            self.closed += 1


async def test_a_feed_that_ends_for_good_gives_all_and_then_nothing() -> None:
    source = ScriptSource([post(1), post(2)])
    await source.open(None)
    assert [one.cursor for one in await source.next_batch(10)] == ["lines:1", "lines:2"]
    assert await source.next_batch(10) == []
    assert await source.next_batch(10) == []


async def test_what_came_before_a_failure_is_given_before_it_is_raised() -> None:
    source = ScriptSource([post(1), BadSettings("no such host")])
    await source.open(None)
    assert len(await source.next_batch(10)) == 1
    for _ in range(2):
        with pytest.raises(BadSettings, match="no such host"):
            await source.next_batch(10)
    assert source.connections == 1
    await source.close()


async def test_a_defect_of_ours_is_fatal_and_says_what_it_was() -> None:
    source = ScriptSource([post(1), ZeroDivisionError("a defect")])
    await source.open(None)
    await source.next_batch(10)
    with pytest.raises(Fatal, match=r"script:test.*ZeroDivisionError: a defect"):
        await source.next_batch(10)
    await source.close()


@pytest.mark.parametrize("error", [ConnectionResetError("gone"), TimeoutError(), OSError("no route")])
async def test_a_failure_of_the_network_that_connect_let_through_is_no_defect(error: OSError) -> None:
    source = ScriptSource([error], [post(1)])
    await source.open(None)
    with pytest.raises(FeedUnavailable, match="script:test"):
        await source.next_batch(10)
    assert len(await source.next_batch(10)) == 1
    await source.close()


async def test_close_wakes_a_reader_and_closes_the_connection() -> None:
    source = ScriptSource([FeedUnavailable("later", retry_after_seconds=60.0)])
    await source.open(None)
    with pytest.raises(FeedUnavailable):
        await source.next_batch(10)
    reader = asyncio.create_task(source.next_batch(10))
    await asyncio.sleep(0)
    await source.close()
    async with asyncio.timeout(3):
        assert await reader == []
    assert source.closed == 1


async def test_few_large_events_fill_the_queue_as_many_small_ones_do() -> None:
    large = 100_000
    events = [post(number, "x" * large) for number in range(2 * QUEUED_CHARACTERS // large)]
    source = ScriptSource([*events])
    await source.open(None)
    received = await read(source, 1)
    await until(lambda: source.queued >= QUEUED_CHARACTERS // (2 * large))
    for _ in range(20):
        await asyncio.sleep(0)
    assert source.queued * large <= QUEUED_CHARACTERS
    assert source.queued < QUEUED_EVENTS
    while len(received) < len(events):
        received += await read(source, 7)
    assert [one.event for one in received] == events
    await source.close()


async def test_one_event_larger_than_the_queue_passes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.sources.network.source.QUEUED_CHARACTERS", 1000)
    source = ScriptSource([post(1), post(2, "x" * 5000), post(3)])
    await source.open(None)
    async with asyncio.timeout(5):
        received = [one for _ in range(3) for one in await source.next_batch(1)]
    assert [one.cursor for one in received] == ["lines:1", "lines:2", "lines:3"]
    await source.close()


def test_the_delay_doubles_up_to_its_longest_and_is_jittered() -> None:
    longest = Reconnecting(first_seconds=0.5, longest_seconds=60.0, chance=lambda: 1.0)
    shortest = Reconnecting(first_seconds=0.5, longest_seconds=60.0, chance=lambda: 0.0)
    assert [longest.delay(count, None) for count in (1, 2, 3, 8, 100_000)] == [0.5, 1.0, 2.0, 60.0, 60.0]
    assert [shortest.delay(count, None) for count in (1, 2, 3, 8)] == [0.25, 0.5, 1.0, 30.0]


def test_a_server_is_never_asked_sooner_than_it_said_nor_kept_from_it_for_ever() -> None:
    reconnecting = Reconnecting(chance=lambda: 0.0, longest_asked_seconds=900.0)
    assert reconnecting.delay(1, 30.0) == 30.0
    assert reconnecting.delay(1, 1e12) == 900.0
    assert Reconnecting(chance=lambda: 1.0).delay(1, 30.0) == 31.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("Wed, 01 May 2024 12:01:30 GMT", 90.0),
        ("Wed, 01 May 2024 11:00:00 GMT", 0.0),
        ("Wednesday, 01-May-24 12:00:10 GMT", 10.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("1e5", None),
        ("9" * 400, None),
        ("٣", None),
        ("Wed, 99 May 2024 12:01:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds
