"""Reading of one connection ahead of the pipeline, so that the server is answered in time however slow the pipeline is.

::

    socket ─▶ fill: data ─▶ buffer (bounded) ─▶ messages
                    pings ─▶ answered at once

A server waits 5 s for the answer to a ping and for room for a frame, and then drops a client that did not read: the
frames in its buffers are lost with the connection. So the connection is read all the time. When the buffer is full the
connection is ended on purpose (`Behind`), and taken up again where it was, once the buffer is used up. So a pipeline
that is slower than the network costs one connection now and then, and no memory (invariant 6).
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass
from typing import Any

import aiohttp

from ingest.sources.network.source import FeedUnavailable
from ingest.sources.network.websocket import close_in_time
from tagstream.runtime.bounded_buffer import BoundedBuffer

# Four minutes of all posts of the network, at a hundred a second.
BUFFERED_FRAMES = 32_768
BUFFERED_BYTES = 32 * 1024 * 1024
# The memory that a frame costs beside its bytes.
_FRAME_OVERHEAD_BYTES = 256
# After so many messages that were there already, the event loop runs other tasks.
_MESSAGES_IN_A_ROW = 32


class Behind(Exception):
    """The buffer was full: the connection was ended, after every event before that was given."""


class FrameTooLarge(Exception):
    """The server began a frame larger than allowed."""


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """The amount that is read ahead, and the silence after which the server counts as dead."""

    silence_seconds: float = 60.0
    buffered_frames: int = BUFFERED_FRAMES
    buffered_bytes: int = BUFFERED_BYTES


class Intake:
    """The messages of one connection to `server`. `quiet`: an answered ping is a sign of life, too.

    While `waits`, a full buffer is waited for: messages are then looked at and dropped, and no pipeline is in the way.
    """

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse[bool],
        server: str,
        limits: IntakeLimits,
        *,
        quiet: bool,
    ) -> None:
        self._socket = socket
        self._server = server
        self._silence_seconds = limits.silence_seconds
        self._quiet = quiet
        self.waits = False
        self._buffer: BoundedBuffer[tuple[bool, bytes]] = BoundedBuffer(limits.buffered_frames, limits.buffered_bytes)

    async def messages(self) -> AsyncGenerator[tuple[bool, bytes], None]:
        """Yields the data frames (whether they are text, and their bytes) until the connection ends or is dead.

        Raises:
            FeedUnavailable: it ended, broke or fell silent.
            Behind, FrameTooLarge: see there.
        """
        filling = asyncio.create_task(self._fill())
        try:
            taken = 0
            while True:
                yield await self._buffer.get()
                taken += 1
                if taken % _MESSAGES_IN_A_ROW == 0:
                    await asyncio.sleep(0)
        finally:
            filling.cancel()
            await asyncio.wait({filling})

    async def _fill(self) -> None:
        try:
            await self._receive()
        except Behind as behind:
            await close_in_time(self._socket)
            self._buffer.fail(behind)
        except Exception as ending:  # the boundary: whatever it is, it is raised where the messages are taken
            self._buffer.fail(ending)

    async def _receive(self) -> None:
        loop, silence = asyncio.get_running_loop(), self._silence_seconds
        deadline = loop.time() + silence
        while True:
            try:
                async with asyncio.timeout_at(min(deadline, loop.time() + silence / 3)):
                    message = await self._socket.receive()
            except TimeoutError as error:
                if loop.time() >= deadline:
                    raise FeedUnavailable(f"{self._server} gave nothing for {silence:g} s") from error
                await self._answer(self._socket.ping(), deadline)
                continue
            match message.type:
                case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY:
                    await self._keep(message.type is aiohttp.WSMsgType.TEXT, bytes(message.data))
                    # Counted from here, because a full buffer is no fault of the server.
                    deadline = loop.time() + silence
                case aiohttp.WSMsgType.PING | aiohttp.WSMsgType.PONG:
                    if message.type is aiohttp.WSMsgType.PING:
                        await self._answer(self._socket.pong(message.data), deadline)
                    if self._quiet:
                        deadline = loop.time() + silence
                case _:
                    self._raise_end(message.type, message.data)

    async def _keep(self, is_text: bool, body: bytes) -> None:
        weight = len(body) + _FRAME_OVERHEAD_BYTES
        if self.waits:
            await self._buffer.put((is_text, body), weight)
        elif not self._buffer.offer((is_text, body), weight):
            raise Behind

    async def _answer(self, sending: Coroutine[Any, Any, None], deadline: float) -> None:
        """Sends a control frame; a server that does not even take that is dead."""
        try:
            async with asyncio.timeout_at(deadline):
                await sending
        except (TimeoutError, aiohttp.ClientError) as error:
            raise FeedUnavailable(f"{self._server} takes nothing any more") from error

    def _raise_end(self, kind: aiohttp.WSMsgType, data: object) -> None:
        if kind is aiohttp.WSMsgType.ERROR:
            if isinstance(data, aiohttp.WebSocketError) and data.code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
                raise FrameTooLarge
            raise FeedUnavailable(f"{self._server} broke the protocol: {data}")
        raise FeedUnavailable(f"{self._server} ended the connection (code {self._socket.close_code})")
