"""The server of the page and the API: where it listens, who may ask, how it starts and ends."""

import asyncio
import ipaddress
import re
import socket
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn

from search.index import EntityIndex
from search.web.app import create_app
from search.web.connections import BoundedConnection
from search.web.guard import Access
from search.web.streams import Streams
from tagstream.cli.console import note
from tagstream.errors import BadSettings, ServiceUnavailable
from tagstream.settings import PREFIX, Settings

_TOKEN_VARIABLE = f"{PREFIX}SERVE_TOKEN"
# What a header and a cookie hold as it is.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,512}")


@dataclass(frozen=True, slots=True)
class Listening:
    """The address of a server, and who may ask it."""

    host: str
    port: int
    access: Access


def listening_at(
    address: tuple[str, int], settings: Settings, host_names: Collection[str] = (), requests_per_minute: int = 600
) -> Listening:
    """Returns where a server listens, with the token of the settings.

    Raises:
        BadSettings: other machines reach the address and there is no token, or the token is too short or of others
            than the characters of a token.
    """
    host, port = address
    token = (settings.serve_token.get_secret_value() if settings.serve_token else "") or None
    _check_token(host, token)
    return Listening(
        host, port, Access(frozenset(name.lower() for name in (host, *host_names)), token, requests_per_minute)
    )


@asynccontextmanager
async def serving(index: EntityIndex, place: Listening, index_spec: str) -> AsyncIterator[asyncio.Task[None]]:
    """Serves an open index; the block begins when the server listens, and the server ends with the block.

    Raises:
        ServiceUnavailable: nothing can listen there.
    """
    streams = Streams(index)
    app = create_app(index, access=place.access, index_name=index_spec.rpartition("@")[2], streams=streams)
    config = uvicorn.Config(
        app,
        host=place.host,
        port=place.port,
        http=BoundedConnection,
        ws="none",
        proxy_headers=False,  # anybody can write X-Forwarded-For
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        limit_concurrency=512,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = _Server(config)
    running = asyncio.create_task(_until_ended(server, place))
    listening = asyncio.create_task(server.listening.wait())
    await asyncio.wait({running, listening}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if running.done():
            await running
        yield running
    finally:
        listening.cancel()
        streams.stop()
        server.should_exit = True
        await running


class _Server(uvicorn.Server):
    """A server that says where it listens, and whose end our own handlers of signals decide."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            note(f"http://{f'[{host}]' if ':' in host else host}:{port}/ (Ctrl-C ends it)")
            self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _until_ended(server: uvicorn.Server, place: Listening) -> None:
    try:
        await server.serve()
    except SystemExit as error:  # uvicorn's answer to an address that is taken
        raise ServiceUnavailable(
            f"Nothing can listen on {place.host}:{place.port}: another program does, or the address is not of this "
            "machine. Choose another by --http HOST:PORT."
        ) from error


def _check_token(host: str, token: str | None) -> None:
    if token is not None and not _TOKEN.fullmatch(token):
        raise BadSettings(
            f"{_TOKEN_VARIABLE} is no token of 16 to 512 letters, digits and -._~+/= (it has {len(token)} characters): "
            "set it to the answer of `openssl rand -hex 24`, for example."
        )
    if token is None and not _is_loopback(host):
        raise BadSettings(
            f"{host} is an address that other machines reach: set {_TOKEN_VARIABLE}, for example to the answer of "
            "`openssl rand -hex 24`, or listen on 127.0.0.1."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
