"""Blocking calls that the end of the process does not wait for."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

Answer = TypeVar("Answer")


def in_daemon_thread(work: Callable[[], Answer], name: str) -> asyncio.Future[Answer]:
    """The work's answer, from a thread of its own. Cancelling it gives up the answer, not the thread.

    For calls that nothing interrupts and that may last as long as an outage: a thread of an executor holds up the exit.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()

    def run() -> None:
        try:
            settle = partial(answer.set_result, work())
        except BaseException as error:  # whatever it is, it belongs to the one who waits
            settle = partial(answer.set_exception, error)
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(lambda: None if answer.done() else settle())

    threading.Thread(target=run, name=name, daemon=True).start()
    return answer
