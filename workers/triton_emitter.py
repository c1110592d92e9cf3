"""The tagger's network on a Triton server: an `Emitter` for any number of threads.

::

    tagging threads ─▶ parts of some tokens each ─▶ one event loop, in a thread of its own ─▶ Triton

Owns that thread. gRPC's asynchronous client belongs to one loop, and the loop of the pipeline must not wait for
tensors, so this one is the emitter's own. It ends with `close`, or with the process.
"""

import asyncio
import threading
import weakref
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from tagstream.errors import ModelUnavailable, ServiceUnavailable
from workers.decoder import FloatArray
from workers.encoding import ModelInput
from workers.repository import ModelVersion
from workers.triton_client import TritonClient

Answer = TypeVar("Answer")

# A post of 10,000 characters has 4,000 tokens: in one request one core of the server works on it for half a second, and
# all that came after it waits; in parts every core does.
TOKENS_A_REQUEST = 2048


class TritonEmitter:
    """Emissions by the version that Triton serves under the same name, number and hashes as `version`.

    `address` is host:port; `deadline_seconds` bounds each request with its retries; `concurrency` requests are on
    their way at most.

    Raises:
        ServiceUnavailable: no answer within the deadline.
        BadSettings: the server does not have this version, or is no Triton.
        CorruptState: the server has another export of it.
    """

    def __init__(self, address: str, version: ModelVersion, *, deadline_seconds: float, concurrency: int) -> None:
        self._thread = _ClientThread(
            lambda: TritonClient(address, version, deadline_seconds=deadline_seconds, concurrency=concurrency)
        )
        self._closing = weakref.finalize(self, self._thread.close)
        try:
            self._thread.run(lambda client: client.open())
        except ModelUnavailable as error:
            self.close()
            raise ServiceUnavailable(
                f"--models grpc://{address}: no answer within {deadline_seconds:g} s ({error}): start the server, or "
                "let more time pass with TAGSTREAM_MODEL_DEADLINE_SECONDS"
            ) from error
        except BaseException:
            self.close()
            raise

    def __call__(self, batch: ModelInput) -> FloatArray:
        """Emissions (rows, length, 9) of a batch of any number of rows.

        Raises:
            ModelUnavailable: the server does not answer now, whatever the posts.
            UntaggablePost: it fails on this batch and on no other.
        """
        return self._thread.run(lambda client: _in_parts(client, batch))

    def close(self) -> None:
        """Gives up what is on its way and ends the thread. May be called again."""
        self._closing()


async def _in_parts(client: TritonClient, batch: ModelInput) -> FloatArray:
    rows, length = batch.pieces.shape
    step = min(client.max_rows, max(1, TOKENS_A_REQUEST // length))
    if rows <= step:
        return await client.infer(batch)
    parts = [slice(start, start + step) for start in range(0, rows, step)]
    asked = [ModelInput(batch.pieces[part], batch.segments[part], batch.features[part]) for part in parts]
    return np.concatenate(await _all_of([client.infer(part) for part in asked]))


async def _all_of(calls: Sequence[Awaitable[FloatArray]]) -> list[FloatArray]:
    """Every answer; the first failure is raised once all have ended, so that none goes on unwatched."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if not isinstance(answer, BaseException)]


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
        """The result of `work`, awaited on the loop, in whichever thread this is called."""

        async def working() -> Answer:
            return await work(self._running.client)

        with self._submitting:  # so that nothing is handed to a loop that has ended
            if self._closed:
                raise ModelUnavailable("the connection to the model server was closed")
            future = asyncio.run_coroutine_threadsafe(working(), self._running.loop)
        try:
            return future.result()
        except CancelledError as error:
            raise ModelUnavailable(
                "the connection to the model server was closed in the middle of a request"
            ) from error

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
