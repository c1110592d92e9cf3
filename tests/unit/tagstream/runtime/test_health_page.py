"""The health page: what it answers, its metrics, and the addresses it refuses."""

import socket

import aiohttp
import pytest

from tagstream.errors import BadSettings
from tagstream.runtime.exposition import Metric
from tagstream.runtime.health_page import HealthPage


async def test_the_page_answers_and_two_workers_find_room_on_one_host() -> None:
    state: dict[str, str | None] = {"live": None, "ready": "joining the group"}
    pages = [HealthPage(lambda: state["live"], lambda: state["ready"], lambda: []) for _ in range(2)]
    addresses = [await page.open("127.0.0.1:0") for page in pages]
    assert len(set(addresses)) == 2
    async with aiohttp.ClientSession() as session:
        for path, status in (("/health/live", 200), ("/health/ready", 503), ("/metrics", 200), ("/table", 404)):
            async with session.get(addresses[0] + path) as answer:
                assert answer.status == status
        state["live"] = "stuck"
        async with session.get(addresses[1] + "/health/live") as answer:
            assert (answer.status, (await answer.json())["reason"]) == (503, "stuck")
    for page in pages:
        await page.close()


@pytest.mark.parametrize("port", ["taken", "70000"])
async def test_an_address_that_cannot_be_had_is_a_matter_of_settings(port: str) -> None:
    page = HealthPage(lambda: None, lambda: None, lambda: [])
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        number = other.getsockname()[1] if port == "taken" else port
        with pytest.raises(BadSettings, match="TAGSTREAM_WORKER_HTTP"):
            await page.open(f"127.0.0.1:{number}")
    await page.close()


async def test_a_scrape_gets_the_format_that_it_asks_for_and_the_figures_of_its_moment() -> None:
    events = Metric("tagstream_test_events_total", "counter", "Events.")
    counted = iter((1, 2))
    page = HealthPage(lambda: None, lambda: None, lambda: [events.single(next(counted))])
    address = f"{await page.open('127.0.0.1:0')}/metrics"
    async with aiohttp.ClientSession() as session:
        async with session.get(address) as answer:
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert "\ntagstream_test_events_total 1.0\n" in await answer.text()
        openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8"
        async with session.get(address, headers={"Accept": openmetrics}) as answer:
            assert answer.headers["Content-Type"].startswith(openmetrics)
            text = await answer.text()
            assert "# TYPE tagstream_test_events counter\n" in text
            assert text.endswith("tagstream_test_events_total 2.0\n# EOF\n")
    await page.close()
