"""Blocking calls in daemon threads, which the end of the process does not wait for."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

Answer = TypeVar("Answer")


def in_daemon_thread(work: Callable[[], Answer], name: str) -> asyncio.Future[Answer]:
    """Returns the future of `work`, which runs in a daemon thread of its own.

    Cancelling the future gives up the answer and leaves the thread running. For calls that nothing interrupts and that
    may last as long as an outage: a thread of an executor would delay the exit.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()

    def run() -> None:
        try:
            settle = partial(answer.set_result, work())
        except BaseException as error:  # of any kind: it belongs to the caller, who waits
            settle = partial(answer.set_exception, error)
        with suppress(RuntimeError):  # the loop has ended, and its tasks with it
            loop.call_soon_threadsafe(lambda: None if answer.done() else settle())

    threading.Thread(target=run, name=name, daemon=True).start()
    return answer
