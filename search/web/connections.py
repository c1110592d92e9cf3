"""Connections of clients: each request must arrive in time, and one address may have so many connections.

uvicorn waits for the rest of a request for ever: some hundred half-sent ones would keep everybody else out.
"""

import asyncio
import ipaddress
from typing import cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 10.0
CONNECTIONS_OF_A_CLIENT = 64
_TOO_MANY = b"HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 10\r\n\r\n"
_CLIENT_PREFIX_BITS = 64


def client_of(address: tuple[str, int] | None) -> str:
    """Returns whom an address counts as: of IPv6 its network of 64 bits, all of which one machine may have."""
    host = address[0] if address else ""
    if ":" not in host:
        return host
    try:
        version_6 = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if version_6.ipv4_mapped is not None:
        return str(version_6.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(version_6), _CLIENT_PREFIX_BITS), strict=False))


class BoundedConnection(H11Protocol):
    """HTTP/1.1 of one connection, which ends where a request, with its body, is not complete in `REQUEST_SECONDS`."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins the time of the first request, or refuses the connection."""
        super().connection_made(cast(asyncio.Transport, transport))
        client = client_of(self.client)
        others = (client_of(cast(H11Protocol, one).client) for one in self.connections)
        if sum(other == client for other in others) > CONNECTIONS_OF_A_CLIENT:
            self.transport.write(_TOO_MANY)
            self.transport.close()
            return
        self._time_the_request()

    def data_received(self, data: bytes) -> None:
        """Takes a piece of a request."""
        super().data_received(data)
        self._time_the_request()

    def on_response_complete(self) -> None:
        """Goes on to the next request, a part of which may have come already."""
        super().on_response_complete()
        self._time_the_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the time of the request with the connection."""
        super().connection_lost(exc)
        self._end_the_time()

    def _time_the_request(self) -> None:
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY) or self.transport.is_closing():
            self._end_the_time()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def _end_the_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
