"""A pool of daemon threads, and a wait that a stop ends: neither a blocked call nor a long computation delays a stop.

Python joins the threads of its own executors at exit. One long inference, which nothing can interrupt, would hold up a
stop there until a supervisor kills the process.
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
    """Returns the answer of the work; None if `stop` is set first: the work is then cancelled, and has ended."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.wait((working, stopping))
        if not working.cancelled():
            working.exception()  # retrieved here, or asyncio would print it


class _PoolThread(threading.Thread):
    """A thread of a pool, distinct from the daemon threads of libraries."""


def is_computing() -> bool:
    """Says whether a thread of a pool is alive. After all pools are shut down, it is alive because it computes."""
    return any(isinstance(thread, _PoolThread) for thread in threading.enumerate())


def leave(code: int) -> NoReturn:
    """Ends the process at once. The interpreter's own end would free a model while a thread computes with it."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)


class DaemonThreadPool(Executor):
    """An executor with a fixed number of daemon threads, which the end of the process does not wait for."""

    def __init__(self, threads: int, name: str) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._waiting: set[Future[Any]] = set()
        self._threads = [
            _PoolThread(target=self._work, name=f"{name}_{index}", daemon=True) for index in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[P, Answer], /, *args: P.args, **kwargs: P.kwargs) -> Future[Answer]:
        """Returns the future of `fn(*args, **kwargs)`, which a thread calls as soon as one is free."""
        future: Future[Answer] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # of any kind: it belongs to the caller, who waits
                future.set_exception(error)

        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        self._tasks.put(run)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the threads after all submitted calls; with `cancel_futures`, after the calls that run now."""
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
