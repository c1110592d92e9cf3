"""The guard before every page: which host was asked, who asks, how often, and the headers of every answer.

Posts are hostile, so a page may run nothing but our own script and load nothing from elsewhere. A host name that is
not ours is refused, because a page of somebody else could otherwise reach a server on this machine by a name of its
own (DNS rebinding).
"""

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cachetools import TTLCache
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from search.web.connections import client_of

COOKIE = "tagstream_token"
_MINUTE = 60.0
_CLIENTS = 10_000
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask.

    Attributes:
        hosts: the names by which the server may be asked, besides those of this machine.
        token: what every request must bring, as a bearer token or in the cookie; None on a loopback address.
        requests_per_minute: how many requests of one address are answered in a minute.
    """

    hosts: frozenset[str] = frozenset()
    token: str | None = field(default=None, repr=False)
    requests_per_minute: int = 600

    def admits(self, given: str | None) -> bool:
        """Says whether this is the token, or none is needed."""
        if self.token is None:
            return True
        return given is not None and hmac.compare_digest(given.encode(), self.token.encode())


class Guard:
    """The ASGI middleware that lets a request through, or answers it."""

    def __init__(self, app: ASGIApp, access: Access, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._access = access
        self._clock = clock
        self._counts: TTLCache[str, list[float]] = TTLCache(_CLIENTS, _MINUTE, timer=clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request that may not pass, and hands on every other; adds the headers to each answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        if scope["method"] == "HEAD":  # is answered as GET, without the body
            await (refusal or self._app)({**scope, "method": "GET"}, receive, _without_body(send_with_headers))
            return
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._is_known_host(headers.get("host", "")):
            return _error(421, "This server is not known by that host name: start it with --host-name NAME.")
        if self._is_too_often(scope):
            return _error(429, "Too many requests from this address: try again in a minute.", {"Retry-After": "60"})
        allowed = ("GET", "HEAD", "POST") if scope["path"] == "/token" else ("GET", "HEAD")
        if scope["method"] not in allowed:
            return _error(405, "This server is read-only.", {"Allow": ", ".join(allowed)})
        if scope["path"] in ("/token", "/static/style.css") or self._access.admits(_token_of(headers)):
            return None
        if "text/html" in headers.get("accept", ""):
            return RedirectResponse("/token", status_code=303)
        return _error(401, "This server needs its token.", {"WWW-Authenticate": "Bearer"})

    def _is_known_host(self, host: str) -> bool:
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        return name.lower() in _LOOPBACK or name.lower() in self._access.hosts

    def _is_too_often(self, scope: Scope) -> bool:
        """Counts the requests of the address in the last minute."""
        client = client_of(scope.get("client"))
        now = self._clock()
        times = [moment for moment in self._counts.get(client, []) if now - moment < _MINUTE]
        times.append(now)
        self._counts[client] = times[-self._access.requests_per_minute - 1 :]
        return len(times) > self._access.requests_per_minute


def _token_of(headers: Headers) -> str | None:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    return cookie_parser(headers.get("cookie", "")).get(COOKIE)


def _without_body(send: Send) -> Send:
    """Returns a `send` of an answer that ends with its headers, also where its body has no end."""
    ended = False

    async def send_head(message: Message) -> None:
        nonlocal ended
        if ended:
            return
        if message["type"] == "http.response.body":
            ended, message = True, {"type": "http.response.body", "body": b"", "more_body": False}
        await send(message)

    return send_head


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": message}, status, headers)
