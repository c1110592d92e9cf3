"""A page that answers at once is answered at once, whatever other clients do with their connections."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack

import aiohttp
import pytest
from stage_bench import until

from tagstream.runtime.bounded_server import BoundedServer
from tagstream.runtime.exposition import Metric
from tagstream.runtime.health_page import HealthPage


@pytest.fixture
async def page() -> AsyncIterator[tuple[HealthPage, int]]:
    large = Metric("m", "gauge", "h", ("n",)).by_label({(f"{number:0>1000}",): number for number in range(4_000)})
    page = HealthPage(lambda: None, lambda: None, lambda: [large])
    page._server = BoundedServer(page._protocol, max_connections=16, longest_seconds=0.5)
    address = await page.open("127.0.0.1:0")
    yield page, int(address.rpartition(":")[2])
    began = time.monotonic()
    await page.close()
    assert time.monotonic() - began < 10


def connected(stack: ExitStack, port: int, number: int, sent: bytes = b"") -> None:
    for _ in range(number):
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        client.sendall(sent)


async def status(port: int) -> int:
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}/health/ready") as answer:
        return answer.status


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /health/ready HT", b"GET / HTTP/1.1\r\nX: ", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"],
    ids=["nothing", "half a line", "half a head", "an answer that nobody reads"],
)
async def test_clients_that_are_slow_hold_up_nobody_and_do_not_pile_up(
    page: tuple[HealthPage, int], sent: bytes
) -> None:
    server, port = page[0]._server, page[1]
    with ExitStack() as stack:
        connected(stack, port, 40, sent)
        async with asyncio.timeout(20):
            assert await status(port) == 200
            assert server.connections <= 16
            await until(lambda: server.connections == 0)
            assert await status(port) == 200


async def test_no_more_than_so_many_are_open_and_each_ends_in_time() -> None:
    server = BoundedServer(asyncio.Protocol, max_connections=8, longest_seconds=0.5)
    port = await server.open("127.0.0.1", 0)
    with ExitStack() as stack:
        connected(stack, port, 30)
        await until(lambda: server.connections > 0)
        assert server.connections <= 8
        await until(lambda: server.connections == 0)
    server.close()


async def test_an_answer_ends_its_connection(page: tuple[HealthPage, int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", page[1])
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(10):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b'{"ok": true, "reason": null}')
    writer.close()
    await writer.wait_closed()
