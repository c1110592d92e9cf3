"""The command `tagstream serve`: the page and the JSON API of an index."""

import asyncio

import click

from search.cli.http_address import HttpAddress
from search.open import opened_index
from search.web.server import listening_at, serving
from tagstream.cli.options import TagstreamCommand, current_settings, index_option, run_until_stopped


@click.command(cls=TagstreamCommand)
@index_option
@click.option(
    "--http",
    "address",
    type=HttpAddress(),
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
    place = listening_at(address, settings, host_names, requests_per_minute)

    async def work(stop: asyncio.Event) -> None:
        async with opened_index(settings) as index, serving(index, place, settings.index) as running:
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()

    run_until_stopped(work, is_service=True)
