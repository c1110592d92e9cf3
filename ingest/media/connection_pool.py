"""HTTP connections to the hosts of photos, kept open for a while, because most photos of a network come from one host.

Owns when a connection is used again and when it is closed. A connection that did not end its exchange cleanly is never
used again. The client library's own pool is not used: there, a request that is cancelled while it connects leaves its
place in the pool taken, and here limits cancel requests all the time.
"""

import ssl
import time
from collections import deque
from collections.abc import Callable, Collection

import httpcore

from tagstream.network.address import Endpoint
from tagstream.network.pinned import PinnedBackend, Resolve

IDLE_SECONDS = 15.0
MAX_IDLE = 32


class HttpConnection:
    """One connection to one origin. `reused`: it has carried an exchange before."""

    def __init__(self, origin: httpcore.Origin, backend: PinnedBackend, ssl_context: ssl.SSLContext) -> None:
        self.origin = origin
        self.reused = False
        self.idle_since = 0.0
        self._backend = backend
        self._http = httpcore.AsyncHTTPConnection(
            origin, ssl_context, keepalive_expiry=IDLE_SECONDS, network_backend=backend
        )

    async def request(self, request: httpcore.Request) -> httpcore.Response:
        """Sends the request. The caller reads the answer's body and closes the answer."""
        return await self._http.handle_async_request(request)

    @property
    def ended(self) -> bool:
        """Whether the server has closed the connection, as far as it was read."""
        return self._backend.meter.ended

    @property
    def usable(self) -> bool:
        """Whether the last exchange is over and the server has not closed the connection."""
        return self._http.is_idle() and not self._http.has_expired()

    async def close(self) -> None:
        """Closes the connection and its socket."""
        try:
            await self._http.aclose()
        finally:
            await self._backend.close()


class ConnectionPool:
    """Idle connections, taken for one exchange and given back afterwards, however the exchange ended."""

    def __init__(
        self,
        resolve: Resolve,
        allowed: Collection[Endpoint],
        max_response_bytes: int,
        ssl_context: ssl.SSLContext,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolve = resolve
        self._allowed = allowed
        self._max_bytes = max_response_bytes
        self._ssl_context = ssl_context
        self._clock = clock
        self._idle: deque[HttpConnection] = deque()

    def take(self, origin: httpcore.Origin, *, fresh: bool = False) -> HttpConnection:
        """Returns an idle connection to this origin, or a new one, which connects with its first request."""
        if not fresh:
            for connection in reversed(self._idle):
                if connection.origin == origin and connection.usable:
                    self._idle.remove(connection)
                    connection.reused = True
                    return connection
        backend = PinnedBackend(self._resolve, self._allowed, self._max_bytes)
        return HttpConnection(origin, backend, self._ssl_context)

    async def give_back(self, connection: HttpConnection) -> None:
        """Keeps the connection if it can be used again, else closes it. Closes those that were idle for too long."""
        now = self._clock()
        connection.idle_since = now
        if connection.usable:
            self._idle.append(connection)
        else:
            await connection.close()
        while self._idle and (len(self._idle) > MAX_IDLE or now - self._idle[0].idle_since > IDLE_SECONDS):
            await self._idle.popleft().close()

    async def close(self) -> None:
        """Closes the idle connections."""
        while self._idle:
            await self._idle.popleft().close()
