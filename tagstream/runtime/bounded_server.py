"""A server that no client can block: it keeps few connections open, each for a short time.

An HTTP library waits as long as a client takes to send a request, or to read the answer. The pages here answer at once,
and a probe asks for them now and then: a slower client is broken or hostile. Knows nothing of HTTP.
"""

import asyncio
from collections.abc import Callable
from typing import Any

MAX_CONNECTIONS = 64
LONGEST_SECONDS = 5.0


class BoundedServer:
    """A server of the protocol that `make` returns. Every connection ends after `longest_seconds`.

    A connection beyond `max_connections` ends the oldest one, so a new client is always served.
    """

    def __init__(
        self,
        make: Callable[[], asyncio.Protocol],
        *,
        max_connections: int = MAX_CONNECTIONS,
        longest_seconds: float = LONGEST_SECONDS,
    ) -> None:
        self._make = make
        self._max_connections = max_connections
        self._longest_seconds = longest_seconds
        self._open: dict[_Connection, asyncio.TimerHandle] = {}  # the oldest first
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._open)

    async def open(self, host: str, port: int) -> int:
        """Starts to listen, and returns the port: 0 takes a free one.

        Raises:
            OSError: the address is taken, or none of this machine.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self, self._make()), host, port)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    def close(self) -> None:
        """Stops listening and ends every connection."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._open):
            connection.abort()

    def opened(self, connection: "_Connection") -> None:
        """Counts the connection as open and starts its time."""
        if len(self._open) >= self._max_connections:
            next(iter(self._open)).abort()
        timer = asyncio.get_running_loop().call_later(self._longest_seconds, connection.abort)
        self._open[connection] = timer

    def lost(self, connection: "_Connection") -> None:
        """Counts the connection as open no longer."""
        if (timer := self._open.pop(connection, None)) is not None:
            timer.cancel()


class _Connection(asyncio.Protocol):
    """A connection that passes every call on to the protocol inside."""

    def __init__(self, server: BoundedServer, inner: asyncio.Protocol) -> None:
        self._server = server
        self._inner = inner
        self._transport: Any = None

    def abort(self) -> None:
        self._server.lost(self)
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._server.opened(self)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.lost(self)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
