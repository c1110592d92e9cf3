"""Connections to a served index: requests that never end, too many of one address, addresses that are only said."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from search.index import EntityIndex
from search.web import connections
from search.web.connections import CONNECTIONS_OF_A_CLIENT, client_of
from search.web.guard import Access
from search.web.server import Listening, serving

PER_MINUTE = 500
GET = b"GET /static/icon.svg HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
async def port(index: EntityIndex, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[int]:
    async with serving(index, Listening("127.0.0.1", 0, Access(requests_per_minute=PER_MINUTE)), "sqlite:posts.db"):
        yield int(capsys.readouterr().err.split("/ ")[0].rpartition(":")[2])


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET / HTT",
        GET,
        b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40\r\n\r\ntoken=",
        GET + b"\r\nPOST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40\r\n\r\ntoken=",
    ],
)
async def test_a_request_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch, port: int, begun: bytes) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begun)
    async with asyncio.timeout(10):
        for _ in range(100):  # a byte now and then gives it no more time
            writer.write(b"x" if begun.endswith((b"token=", b"HTT")) else b"")
            await asyncio.sleep(0.1)
            if reader.at_eof() or reader.exception():
                break
        else:
            pytest.fail("the connection is still open")
    writer.close()


async def test_a_whole_request_takes_as_long_as_its_answer(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(1)
        while b"nothing new" not in await reader.readline():
            pass
        assert not reader.at_eof()
    writer.close()


async def test_one_address_has_so_many_connections_and_others_are_let_in(port: int) -> None:
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_OF_A_CLIENT)]
    for _, writer in opened:
        writer.write(GET)
    one_more, writer = await asyncio.open_connection("127.0.0.1", port)
    assert (await one_more.read()).startswith(b"HTTP/1.1 429")
    writer.close()
    other, other_writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
    other_writer.write(GET + b"\r\n")
    assert (await other.readline()).startswith(b"HTTP/1.1 200")
    other_writer.close()
    for _, writer in opened:
        writer.close()


async def test_an_address_that_a_request_says_counts_for_nothing(port: int) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for number in range(PER_MINUTE):
            said = {"X-Forwarded-For": f"10.0.{number // 250}.{number % 250}"}
            assert (await client.get("/static/icon.svg", headers=said)).status_code == 200
        assert (await client.get("/static/icon.svg", headers={"X-Forwarded-For": "10.9.9.9"})).status_code == 429


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("not:one", "not:one"),
    ],
)
def test_all_addresses_of_one_network_are_one_client(host: str, client: str) -> None:
    assert client_of((host, 1)) == client
    assert client_of(None) == ""
