"""Work that nobody has to wait for: what ends a run in time, whatever is blocked or still computing.

`unless_stopped` gives up a wait when a stop comes; `DaemonThreadPool` computes in threads that the end of the process
does not wait for. An executor of the standard library is joined at exit, so that one long inference, which nothing can
interrupt, would hold up a stop until a supervisor kills.
"""

import asyncio
import os
import queue
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any, NoReturn, ParamSpec, TypeVar

Answer = TypeVar("Answer")
P = ParamSpec("P")


async def unless_stopped(stop: asyncio.Event, work: Awaitable[Answer]) -> Answer | None:
    """The answer of the work; None if `stop` was set first: the work is then cancelled, and has ended on return."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for one in (working, stopping):
            one.cancel()
        await asyncio.wait((working, stopping))
        if not working.cancelled():
            working.exception()  # seen here, or asyncio would print what nobody waits for any more


class _PoolThread(threading.Thread):
    """A thread of a pool: told from the daemon threads of the libraries."""


def is_computing() -> bool:
    """Whether a thread of a pool is still there: once all pools are shut down, because it computes."""
    return any(isinstance(thread, _PoolThread) for thread in threading.enumerate())


def leave(code: int) -> NoReturn:
    """Ends the process while a thread computes: the interpreter's own end would tear the model down under it."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)


class DaemonThreadPool(Executor):
    """A fixed number of daemon threads."""

    def __init__(self, threads: int, name: str) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._waiting: set[Future[Any]] = set()
        self._threads = [
            _PoolThread(target=self._work, name=f"{name}_{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[P, Answer], /, *args: P.args, **kwargs: P.kwargs) -> Future[Answer]:
        """The answer to come of `fn(*args, **kwargs)`."""
        future: Future[Answer] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # whatever it is, it belongs to the one who waits
                future.set_exception(error)

        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        self._tasks.put(run)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends each thread after what was submitted; with `cancel_futures`, after what it computes at the moment."""
        if cancel_futures:
            for future in list(self._waiting):
                future.cancel()
        for _ in self._threads:
            self._tasks.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
