"""Liveness is progress, and the page says so."""

import socket

import aiohttp
import pytest

from tagstream.errors import BadSettings
from workers.faust.liveness import HealthPage, Metric, Standing, Watch, exposition

ONE = ("posts", 0)
LIMIT = 10.0


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def watched(*looks: tuple[float, int | None, int, bool]) -> bool:
    """Whether the partition counts as stuck after looks of (seconds since the last, committed, end, excused)."""
    clock = Clock()
    watch = Watch(LIMIT, clock)
    for seconds, committed, end, excused in looks:
        clock.now += seconds
        watch.observe({ONE: Standing(committed, 0, end)}, excused=excused)
    return watch.stuck == (ONE,)


@pytest.mark.parametrize(
    ("looks", "stuck"),
    [
        ([(0, None, 5, False), (10, None, 5, False)], True),
        ([(0, 2, 5, False), (10, 2, 9, False)], True),
        ([(0, None, 5, False), (9, None, 5, False)], False),
        ([(0, 2, 5, False), (9, 3, 5, False), (9, 3, 5, False)], False),
        ([(0, 5, 5, False), (100, 5, 5, False)], False),
        ([(0, 5, 5, False), (100, 5, 5, False), (1, 5, 6, False), (9, 5, 6, False)], False),
        ([(0, 2, 5, False), (100, 2, 5, True)], False),
        ([(0, 2, 5, False), (100, 2, 5, True), (9, 2, 5, False)], False),
        ([(0, 2, 5, False), (100, 2, 5, True), (10, 2, 5, False), (10, 2, 5, False)], True),
    ],
)
def test_stuck_is_work_without_a_commit_and_without_an_excuse(
    looks: list[tuple[float, int | None, int, bool]], stuck: bool
) -> None:
    assert watched(*looks) is stuck


def test_a_partition_that_comes_new_gets_its_time_and_one_that_goes_is_forgotten() -> None:
    clock = Clock()
    watch = Watch(LIMIT, clock)
    watch.observe({ONE: Standing(0, 0, 5)}, excused=False)
    clock.now += LIMIT
    watch.observe({("posts", 1): Standing(0, 0, 5)}, excused=False)
    assert watch.stuck == ()
    watch.observe({ONE: Standing(0, 0, 5)}, excused=False)
    assert watch.stuck == ()


def test_a_broker_that_does_not_answer_is_an_excuse() -> None:
    clock = Clock()
    watch = Watch(LIMIT, clock)
    watch.observe({ONE: Standing(0, 0, 5)}, excused=False)
    clock.now += LIMIT
    watch.excuse()
    assert watch.stuck == ()


def test_records_that_retention_took_are_no_lag() -> None:
    assert (Standing(None, 40, 50).lag, Standing(10, 40, 50).lag, Standing(50, 40, 50).lag) == (10, 10, 0)


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
