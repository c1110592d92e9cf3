"""The health page: what it answers, its metrics, and the addresses it refuses."""

import socket

import aiohttp
import pytest

from tagstream.errors import BadSettings
from tagstream.runtime.health_page import HealthPage, Metric, exposition


def test_figures_as_prometheus_reads_them() -> None:
    text = exposition([Metric("lag", "gauge", "Records.", {'topic="posts"': 123456789, "": 2})])
    assert text.splitlines() == [
        "# HELP tagstream_worker_lag Records.",
        "# TYPE tagstream_worker_lag gauge",
        'tagstream_worker_lag{topic="posts"} 123456789',
        "tagstream_worker_lag 2",
    ]


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
