"""The command `tagstream serve`: the page and the JSON API of an index."""

import asyncio
import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import click
import uvicorn

from search.open import opened_index
from search.web.app import create_app
from search.web.guard import Access
from search.web.streams import Streams
from tagstream.cli.console import note
from tagstream.cli.options import TagstreamCommand, current_settings, index_option, run_until_stopped
from tagstream.errors import BadSettings, ServiceUnavailable

TOKEN_VARIABLE = "TAGSTREAM_SERVE_TOKEN"
_MIN_TOKEN_LENGTH = 16


class _Address(click.ParamType):
    """An address to listen on: `HOST:PORT`, or `:PORT` and `PORT` on this machine alone."""

    name = "host:port"

    def convert(
        self, value: str | tuple[str, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, _, port = value.rpartition(":")
        host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
        if not port.isdigit() or not 0 <= int(port) < 65_536:
            self.fail(f"{value!r} is no address such as 127.0.0.1:8080", param, ctx)
        return host, int(port)


class _Server(uvicorn.Server):
    """A server that says where it listens, and whose end our own handlers of signals decide."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            note(f"http://{f'[{host}]' if ':' in host else host}:{port}/ (Ctrl-C ends it)")

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@click.command(cls=TagstreamCommand)
@index_option
@click.option(
    "--http",
    "address",
    type=_Address(),
    default="127.0.0.1:8080",
    show_default=True,
    metavar="HOST:PORT",
    help="Where to listen. Any address but one of this machine needs a token.",
)
@click.option(
    "--host-name",
    "host_names",
    multiple=True,
    metavar="NAME",
    help="A name by which browsers ask for this server, besides localhost; may be given several times.",
)
@click.option(
    "--requests-per-minute",
    type=click.IntRange(1, 1_000_000),
    default=600,
    show_default=True,
    help="How many requests of one address are answered in a minute.",
)
def serve(
    index_spec: str | None, address: tuple[str, int], host_names: tuple[str, ...], requests_per_minute: int
) -> None:
    """Show an index in a browser, and answer its JSON API. Read-only.

    The pages are Now, Trends, Events, Search, Name and System; the API is described by /api/openapi.json. On an address
    that other machines reach, TAGSTREAM_SERVE_TOKEN must hold a token of at least 16 characters: browsers are asked for
    it, programs send `Authorization: Bearer TOKEN`.
    """
    settings = current_settings(index=index_spec)
    host, port = address
    token = os.environ.get(TOKEN_VARIABLE) or None
    _check_token(host, token)
    access = Access(frozenset(name.lower() for name in (host, *host_names)), token, requests_per_minute)

    async def work(stop: asyncio.Event) -> None:
        async with opened_index(settings) as index:
            streams = Streams(index)
            name = settings.index.rpartition("@")[2]
            app = create_app(index, access=access, index_name=name, streams=streams)
            await _serve(app, host, port, streams, stop)

    run_until_stopped(work, is_service=True)


def _check_token(host: str, token: str | None) -> None:
    if token is not None and len(token) < _MIN_TOKEN_LENGTH:
        raise BadSettings(f"{TOKEN_VARIABLE} is shorter than {_MIN_TOKEN_LENGTH} characters: choose a longer one.")
    if token is None and not _is_loopback(host):
        raise BadSettings(
            f"{host} is an address that other machines reach: set {TOKEN_VARIABLE}, for example to the answer of "
            "`openssl rand -hex 24`, or listen on 127.0.0.1."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _serve(app: object, host: str, port: int, streams: Streams, stop: asyncio.Event) -> None:
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        limit_concurrency=512,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = _Server(config)
    serving = asyncio.create_task(_until_ended(server, host, port))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    streams.stop()
    server.should_exit = True
    stopping.cancel()
    await serving


async def _until_ended(server: uvicorn.Server, host: str, port: int) -> None:
    try:
        await server.serve()
    except SystemExit as error:  # uvicorn's answer to an address that is taken
        raise ServiceUnavailable(
            f"Nothing can listen on {host}:{port}: another program does, or the address is not of this machine. "
            "Choose another by --http HOST:PORT."
        ) from error
