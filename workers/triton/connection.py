"""A connection to one version of a model on a Triton server, for any number of threads.

::

    threads ─▶ one event loop, in a thread of its own ─▶ parts that the server takes ─▶ Triton

gRPC's asynchronous client belongs to one event loop, and the loop of the pipeline must not wait for tensors. So the
connection has a loop of its own, in a thread of its own. The thread ends with `close`, with the last reference to the
connection, or with the process.
"""

import asyncio
import threading
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import TypeVar

from tagstream.errors import ModelUnavailable
from workers.triton.client import TritonClient
from workers.triton.contract import ServedModel

Answer = TypeVar("Answer")


class TritonConnection:
    """A connection to a served model. It sends nothing before `run` is called.

    `address` is host:port. `deadline_seconds` bounds each request with its retries; at most `concurrency` requests run
    at a time.
    """

    def __init__(self, address: str, model: ServedModel, *, deadline_seconds: float, concurrency: int) -> None:
        self._thread = _ClientThread(
            lambda: TritonClient(address, model, deadline_seconds=deadline_seconds, concurrency=concurrency)
        )
        self._closing = weakref.finalize(self, self._thread.close)

    def run(self, work: Callable[[TritonClient], Awaitable[Answer]]) -> Answer:
        """Awaits `work` on the loop of the connection and returns its result. Any thread may call this.

        Raises:
            ModelUnavailable: the connection was closed.
        """
        return self._thread.run(work)

    def close(self) -> None:
        """Abandons running requests and ends the thread. Further calls do nothing."""
        self._closing()


@dataclass(frozen=True, slots=True)
class _Running:
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event
    client: TritonClient


class _ClientThread:
    """A thread with an event loop and a client on it, both of which end together."""

    def __init__(self, make: Callable[[], TritonClient]) -> None:
        started: Future[_Running] = Future()
        self._closed = False
        self._submitting = threading.Lock()
        self._thread = threading.Thread(target=asyncio.run, args=(_serve(make, started),), name="triton", daemon=True)
        self._thread.start()
        self._running = started.result()

    def run(self, work: Callable[[TritonClient], Awaitable[Answer]]) -> Answer:
        """Awaits `work` on the loop and returns its result."""

        async def working() -> Answer:
            return await work(self._running.client)

        with self._submitting:  # so that no work is handed to a loop that has ended
            if self._closed:
                raise ModelUnavailable("the connection to the model server was closed")
            future = asyncio.run_coroutine_threadsafe(working(), self._running.loop)
        try:
            return future.result()
        except CancelledError as error:
            raise ModelUnavailable(
                "the connection to the model server was closed in the middle of a request"
            ) from error
        finally:
            del future  # it would keep its exception alive, and through the traceback the caller's objects

    def close(self) -> None:
        with self._submitting:
            if self._closed:
                return
            self._closed = True
        self._running.loop.call_soon_threadsafe(self._running.stop.set)
        if threading.current_thread() is not self._thread:
            self._thread.join()


async def _serve(make: Callable[[], TritonClient], started: "Future[_Running]") -> None:
    try:
        async with make() as client:
            stop = asyncio.Event()
            started.set_result(_Running(asyncio.get_running_loop(), stop, client))
            await stop.wait()
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(error)
