"""The window of requests: how it narrows and widens, and that it lets no more through than it says."""

import asyncio

import pytest

from tagstream.errors import ModelUnavailable, UntaggablePost
from workers.triton.window import RequestWindow


async def end(window, error=None):
    async with window.room():
        if error is not None:
            raise error


async def late(window):
    with pytest.raises(ModelUnavailable):
        await end(window, ModelUnavailable("late"))


async def test_each_late_answer_halves_it_down_to_a_post_and_each_answer_widens_it():
    window = RequestWindow(8)
    widths = []
    for _ in range(10):
        await late(window)
        widths.append(window.width)
    assert widths == [4, 2, 1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 32, 1 / 32]
    assert window.share == 1 / 32
    answers = 0
    while window.width < 8:
        await end(window)
        answers += 1
    assert window.width == 8
    assert window.share == 1
    assert 100 < answers < 200


async def test_requests_that_are_late_together_narrow_it_once():
    window = RequestWindow(8)
    go = asyncio.Event()

    async def late_with_all():
        async with window.room():
            await go.wait()
            raise ModelUnavailable("late")

    asked = [asyncio.create_task(late_with_all()) for _ in range(8)]
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(*asked, return_exceptions=True)
    assert window.width == 4


async def test_a_refused_batch_leaves_it_as_it_is():
    window = RequestWindow(8)
    with pytest.raises(UntaggablePost):
        await end(window, UntaggablePost("poison"))
    assert window.width == 8


@pytest.mark.parametrize(("narrowings", "at_a_time"), [(0, 8), (1, 4), (2, 2), (3, 1), (5, 1)])
async def test_no_more_run_at_a_time_than_it_is_wide(narrowings, at_a_time):
    window = RequestWindow(8)
    for _ in range(narrowings):
        await late(window)
    running = 0
    most = 0

    async def run():
        nonlocal running, most
        async with window.room():
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1
            raise UntaggablePost("an answer that does not widen")

    await asyncio.gather(*[run() for _ in range(20)], return_exceptions=True)
    assert most == at_a_time
