"""The client for addresses that come from outside."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from ipaddress import IPv4Address
from typing import Any

import aiohttp
import httpcore
import httpx
import pytest
from aiohttp import web

from ingest.sources.network.source import FeedUnavailable
from ingest.sources.network.untrusted_client import AddressRefused, UntrustedClient, is_same_origin, refusing_redirects
from tagstream.settings import REPOSITORY


class Names:
    """Answers names as it is told; any other is its own address."""

    def __init__(self) -> None:
        self.addresses: dict[str, list[str]] = {}

    async def __call__(self, host: str, _: int) -> Sequence[str]:
        return self.addresses.get(host, [host])


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """That of a server which says what it was asked for, slowly at `/slow`, and sends `/away` elsewhere."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/away":
            raise web.HTTPFound("http://10.0.0.1/metadata")
        if request.path == "/slow":
            await asyncio.Event().wait()
        return web.Response(text="x" * 3000 if request.path == "/long" else request.headers["Host"])

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def get(client: UntrustedClient, address: str, *, named: bool) -> str:
    async with client.stream(address, {}, named=named) as response:
        return (await response.aread()).decode()


def client(names: Names, *allowed: int, max_bytes: int = 1_000_000) -> UntrustedClient:
    endpoints = [(IPv4Address("127.0.0.1"), port) for port in allowed]
    return UntrustedClient({}, httpx.Timeout(0.5), max_bytes, allowed=endpoints, resolve=names)


async def test_what_the_user_names_may_be_private_and_what_a_server_names_may_not(port: int) -> None:
    outside = client(Names())
    address = f"http://127.0.0.1:{port}/"
    assert await get(outside, address, named=True) == f"127.0.0.1:{port}"
    with pytest.raises(AddressRefused):
        await get(outside, address, named=False)
    await outside.close()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433", "intern"],
)
async def test_private_addresses_in_any_form_are_refused(host: str) -> None:
    names = Names()
    names.addresses = {"intern": ["10.0.0.7"], "0x7f.1": ["127.0.0.1"], "2130706433": ["127.0.0.1"]}
    outside = client(names)
    with pytest.raises(AddressRefused, match="not public"):
        await get(outside, f"http://{host}/", named=False)
    await outside.close()


async def test_an_exact_pair_is_allowed_and_no_other_port(port: int) -> None:
    outside = client(Names(), port)
    assert await get(outside, f"http://127.0.0.1:{port}/", named=False)
    with pytest.raises(AddressRefused):
        await get(outside, f"http://127.0.0.1:{port + 1}/", named=False)
    await outside.close()


async def test_a_name_that_was_public_does_not_become_private(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = httpcore.AnyIOBackend.connect_tcp

    async def on_loopback_only(backend: httpcore.AnyIOBackend, host: str, *rest: Any) -> httpcore.AsyncNetworkStream:
        if host != "127.0.0.1":
            raise httpcore.ConnectError("no way there")
        return await connect(backend, host, *rest)

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", on_loopback_only)
    names = Names()
    outside = client(names)
    names.addresses["feeds.example"] = ["93.184.215.14"]
    with pytest.raises(httpx.ConnectError, match="no way there"):
        await get(outside, f"http://feeds.example:{port}/", named=True)
    names.addresses["feeds.example"] = ["127.0.0.1"]
    with pytest.raises(AddressRefused, match="public before"):
        await get(outside, f"http://feeds.example:{port}/", named=True)
    names.addresses["intranet.example"] = ["127.0.0.1"]
    assert await get(outside, f"http://intranet.example:{port}/", named=True) == f"intranet.example:{port}"
    await outside.close()


async def test_failures_are_those_of_the_client_library(port: int) -> None:
    outside = client(Names(), max_bytes=1000)
    with pytest.raises(httpx.ReadTimeout):
        await get(outside, f"http://127.0.0.1:{port}/slow", named=True)
    with pytest.raises(httpx.TransportError, match="more than"):
        await get(outside, f"http://127.0.0.1:{port}/long", named=True)
    with pytest.raises(httpx.ConnectError):
        await get(outside, "http://127.0.0.1:1/", named=True)
    await outside.close()


async def test_a_proxy_of_the_environment_is_for_what_the_user_names(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    outside = client(Names())
    assert await get(outside, "http://feeds.example/", named=True) == "feeds.example"
    with pytest.raises(AddressRefused):
        await get(outside, "http://10.0.0.1/", named=False)
    await outside.close()


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("http://news.example/other", True),
        ("https://news.example/feed", True),
        ("https://NEWS.example:443/feed", True),
        ("http://news.example:8080/feed", False),
        ("http://www.news.example/feed", False),
        ("http://news.example.evil.example/", False),
    ],
)
def test_one_server_is_one_origin(address: str, same: bool) -> None:
    assert is_same_origin(address, "http://news.example/feed") is same


async def test_where_no_redirect_is_needed_none_is_followed(port: int) -> None:
    tracing = [refusing_redirects("server.example")]
    async with aiohttp.ClientSession(trace_configs=tracing) as session:
        for ask in (session.get, session.ws_connect):
            with pytest.raises(FeedUnavailable, match=r"server\.example sends us to 'http://10\.0\.0\.1/metadata'"):
                await ask(f"http://127.0.0.1:{port}/away")


def test_every_client_that_reads_networks_follows_no_redirect_by_itself() -> None:
    cures, found = ("refusing_redirects", "allow_redirects=False"), 0
    for file in (REPOSITORY / "ingest").rglob("*.py"):
        source = file.read_text(encoding="utf-8")
        assert "follow_redirects=True" not in source, file
        if "ClientSession(" in source:
            found += 1
            assert any(cure in source for cure in cures), file
    assert found >= 2
