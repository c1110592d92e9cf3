"""The closing of a WebSocket in bounded time, whatever the other end does."""

import asyncio
from contextlib import suppress

import aiohttp

CLOSE_SECONDS = 1.0


async def close_in_time(socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
    """Closes the WebSocket within `CLOSE_SECONDS` and without an error; it is given up either way.

    aiohttp waits for the answer to its closing frame for a while after each frame, so that it would listen for ever to
    a server that sends on instead of answering.
    """
    with suppress(aiohttp.ClientError, OSError):  # a TimeoutError is an OSError
        async with asyncio.timeout(CLOSE_SECONDS):
            await socket.close()
