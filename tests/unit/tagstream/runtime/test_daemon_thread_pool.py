"""What a stop does not wait for."""

import asyncio
import threading
from concurrent.futures import CancelledError

import pytest

from tagstream.runtime.daemon_thread_pool import DaemonThreadPool, is_computing, unless_stopped


async def test_an_answer_that_comes_before_the_stop() -> None:
    assert await unless_stopped(asyncio.Event(), asyncio.sleep(0, "answer")) == "answer"


async def test_a_stop_cancels_the_work_and_waits_for_its_end() -> None:
    stop, ended = asyncio.Event(), False

    async def work() -> str:
        nonlocal ended
        stop.set()
        try:
            return await asyncio.Event().wait() and "answer"
        finally:
            await asyncio.sleep(0)
            ended = True

    assert await unless_stopped(stop, work()) is None
    assert ended


async def test_an_error_of_the_work_is_raised_and_one_of_its_end_is_not() -> None:
    stop = asyncio.Event()

    async def work() -> None:
        try:
            stop.set()
            await asyncio.Event().wait()
        finally:
            raise ZeroDivisionError

    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await unless_stopped(asyncio.Event(), fail())
    assert await unless_stopped(stop, work()) is None


@pytest.fixture
def no_other_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides the threads that other tests of this process have left idle."""
    enumerate_all, before = threading.enumerate, set(threading.enumerate())
    monkeypatch.setattr(threading, "enumerate", lambda: [one for one in enumerate_all() if one not in before])


@pytest.mark.usefixtures("no_other_pools")
def test_a_pool_answers_raises_and_ends() -> None:
    pool = DaemonThreadPool(2, "test")
    assert list(pool.map(abs, range(-100, 0))) == list(range(100, 0, -1))
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result(10)
    assert pool.submit(abs, -1).result(10) == 1
    pool.shutdown()
    assert not is_computing()


@pytest.mark.usefixtures("no_other_pools")
def test_a_pool_that_is_shut_down_begins_nothing_more_and_waits_for_nobody() -> None:
    pool = DaemonThreadPool(1, "test")
    begun, end = threading.Event(), threading.Event()
    computing = pool.submit(lambda: begun.set() or end.wait(20))
    waiting = pool.submit(abs, -1)
    assert begun.wait(10)
    pool.shutdown(wait=False, cancel_futures=True)
    with pytest.raises(CancelledError):
        waiting.result(10)
    assert is_computing()
    end.set()
    assert computing.result(10)
    pool.shutdown()
    assert not is_computing()
