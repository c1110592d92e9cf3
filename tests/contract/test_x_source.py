"""The contract of network sources, on the filtered stream of X.

X goes on from no cursor: it gives the last minutes once more. All events of the log lie in them, so a resume may
repeat as many as there are before its cursor.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from network_contract import LARGEST_FRAME_BYTES, QUICK, SILENCE_SECONDS, NetworkContract
from network_server import ENDLESS_PIECE_BYTES, Refuse, ScriptedServer
from x_server import (
    RULES,
    STREAM,
    STREAM_HEAD,
    TOKEN,
    Chunks,
    RuleBook,
    answer,
    frame,
    problem_in,
    read_request,
    snowflake,
)

from ingest.sources.network.source import NetworkSource
from ingest.sources.x.source import XSource

BEGAN = datetime(2024, 5, 1, 12, tzinfo=UTC)
BEGAN_MS = int(BEGAN.timestamp() * 1000)
NOW = BEGAN + timedelta(seconds=60)


class XConnectionPlayed:
    """One client of the stream."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._chunks = Chunks(writer)
        self._begun = False

    async def send(self, number: int) -> None:
        await self._chunks.say(document(number))

    async def heartbeat(self) -> None:
        await self._chunks.heartbeat()

    async def garbage(self) -> None:
        await self._chunks.write(b'{"data": \xff nonsense\r\n')

    async def half(self, number: int) -> None:
        await self._chunks.write(json.dumps(document(number)).encode()[:40])

    async def endless(self) -> None:
        beginning, self._begun = b"" if self._begun else b'{"data": {"text": "', True
        await self._chunks.write(beginning + b"x" * (ENDLESS_PIECE_BYTES - len(beginning)))

    async def stall(self) -> None:
        """Nothing to do: what is not sent does not come."""

    async def reset(self) -> None:
        self._writer.transport.abort()


def identifier(number: int) -> int:
    return snowflake(BEGAN_MS + number)


def document(number: int) -> dict[str, object]:
    return frame(identifier(number))


class XServer(ScriptedServer):
    """X: without `backfill_minutes` it begins with now, with it with the oldest event, which is younger than that."""

    def __init__(self) -> None:
        super().__init__()
        self.port = 0
        self.book = RuleBook()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def event_id(self, number: int) -> str:
        return f"x:{identifier(number)}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while request := await read_request(reader):
                assert request.headers["authorization"] == f"Bearer {TOKEN}"
                assert request.headers["user-agent"].startswith("tagstream/")
                if request.path == RULES:
                    writer.write(self.book.handle(request))
                    continue
                assert request.path == STREAM
                assert problem_in(STREAM, request.query) is None
                fault = self.attempt()
                if isinstance(fault, Refuse):
                    said = {} if fault.retry_after is None else {"retry_after": fault.retry_after}
                    writer.write(answer(fault.status, {"title": "Refused", "detail": "Not now."}, **said))
                    continue
                writer.write(STREAM_HEAD)
                first = 0 if "backfill_minutes" in dict(request.query) else self.published
                playing = asyncio.create_task(self.play(XConnectionPlayed(writer), first, fault))
                gone = asyncio.create_task(reader.read())
                await asyncio.wait({playing, gone}, return_when=asyncio.FIRST_COMPLETED)
                for one in (playing, gone):
                    one.cancel()
                await asyncio.gather(playing, gone, return_exceptions=True)
                return
        except ConnectionError:
            pass
        finally:
            self._tasks.discard(task)
            with suppress(ConnectionError):
                writer.close()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    server = XServer()
    await server.start()
    yield server
    await server.stop()


class TestX(NetworkContract):
    overlap = 10

    def make_source(self, server: ScriptedServer) -> NetworkSource:
        assert isinstance(server, XServer)
        return XSource(
            TOKEN,
            base=f"http://127.0.0.1:{server.port}",
            rules=("rain",),
            backfill_minutes=5,
            reconnecting=QUICK,
            silence_seconds=SILENCE_SECONDS,
            rate_limited_seconds=0.02,
            max_frame_bytes=LARGEST_FRAME_BYTES,
            now=lambda: NOW,
        )
