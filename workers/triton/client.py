"""One version of a model on a Triton server, asked by name over gRPC: deadlines, a few quick retries, no patience.

::

    rows ─▶ room for one more? ─▶ same export still there? ─▶ infer, with a deadline ─▶ a tensor an output
                                                                │ unavailable   a few quick retries, ModelUnavailable
                                                                │ refused       is it well? once more, UntaggablePost
                                                                │ not found     BadSettings

Owns what is asked of the server and how long. Lives on one event loop and knows nothing of threads, nor of what the
tensors mean. Whoever gets `ModelUnavailable` waits without limit (`workers/pipeline/retry.py`) or goes on without
(`image_network.py`); here every call ends. Keeps invariant 7.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any, TypeVar

import grpc
import numpy.typing as npt
from tritonclient.grpc import InferInput, InferRequestedOutput, aio
from tritonclient.utils import InferenceServerException

from tagstream.errors import CorruptState, ModelUnavailable, UntaggablePost
from tagstream.runtime.backoff import BackOff
from workers.triton.contract import ServedModel, Tensors, output_shape, rows_accepted
from workers.triton.errors import translate

Answer = TypeVar("Answer")

ATTEMPTS = 3
_BACK_OFF = BackOff(0.05, 0.5)
# Of the time that a request has, the part that it may spend in the server's queue: what is not begun by then would be
# worked out for nobody.
_QUEUE_SHARE = 0.8
_CHANNEL = [
    # gRPC takes 4 MiB by default; the regions of a full request are 51 MB at the widest.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    # A connection that a network has silently dropped would otherwise be waited for at every call. Not more often:
    # a server takes frequent pings for an attack.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 2),
    # By default gRPC tries again after up to two minutes, however often it is asked; our own back-off is enough.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # A proxy that the environment names is for the web; the model server is a neighbour.
    ("grpc.enable_http_proxy", 0),
]


class TritonClient:
    """Use as an asynchronous context manager, on the loop that it shall live on.

    `deadline_seconds` bounds one request with its retries; `concurrency` requests are on their way at most, others
    wait for room.
    """

    def __init__(self, address: str, model: ServedModel, *, deadline_seconds: float, concurrency: int) -> None:
        self.max_rows = 0
        self.model = model
        self._address = address
        self._version = str(model.version)
        self._deadline = deadline_seconds
        self._room = asyncio.Semaphore(concurrency)
        self._verifying = asyncio.Lock()
        self._verified = False
        self._request_ids = count(1)

    async def __aenter__(self) -> "TritonClient":
        self._server = aio.InferenceServerClient(self._address, channel_args=_CHANNEL)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    async def open(self, attempts: int | None = None) -> None:
        """Waits until the server has the version, for as long as the deadline (and `attempts`, if given) allows.

        Raises:
            ModelUnavailable: it does not answer in time.
            BadSettings: it does not have this version, or is no Triton.
            CorruptState: it has another export of it.
        """
        await self._persistently(self._verify, attempts)

    async def infer(self, rows: Tensors, outputs: Sequence[str]) -> list[npt.NDArray[Any]]:
        """Those outputs, in that order, of at most `max_rows` rows.

        Raises:
            ModelUnavailable: it does not answer now, to these rows or to any.
            UntaggablePost: it fails on these rows, twice, and between them it was well.
            BadSettings, CorruptState: as `open`: the server came back with another model.
        """
        async with self._room:
            try:
                return await self._persistently(lambda seconds: self._ask(rows, outputs, seconds))
            except UntaggablePost:
                # A failing server and guilty rows look the same, so both are asked again.
                await self.expect_health()
                return await self._persistently(lambda seconds: self._ask(rows, outputs, seconds))

    async def expect_health(self, attempts: int = ATTEMPTS) -> None:
        """Asks for what nothing can be guilty of.

        Raises:
            ModelUnavailable: it does not answer even that.
            BadSettings, CorruptState: as `open`.
        """
        model = self.model
        try:
            await self._persistently(lambda seconds: self._ask(model.blank, list(model.outputs), seconds), attempts)
        except UntaggablePost as error:
            raise ModelUnavailable(f"{error}; it fails on an empty row, too") from error

    async def _persistently(self, ask: Callable[[float], Awaitable[Answer]], attempts: int | None = ATTEMPTS) -> Answer:
        """The answer of `ask`, which is given the seconds that are left, asked again while there are any."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._deadline
        for attempt in count(1):
            try:
                return await ask(end - loop.time())
            except ModelUnavailable:
                pause = _BACK_OFF.delay(attempt)
                if attempt == attempts or loop.time() + pause >= end:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError("count() ended")

    async def _ask(self, rows: Tensors, outputs: Sequence[str], seconds: float) -> list[npt.NDArray[Any]]:
        end = asyncio.get_running_loop().time() + seconds
        await self._verify_new_connection(end)
        left = _seconds_until(end)
        request_id = str(next(self._request_ids))
        answer = await self._call(
            self._server.infer(
                self.model.name,
                self._inputs(rows),
                self._version,
                [InferRequestedOutput(output) for output in outputs],
                request_id,
                timeout=int(_QUEUE_SHARE * left * 1_000_000),
                client_timeout=left,
            )
        )
        return [self._tensor(answer, request_id, output, output_shape(self.model, output, rows)) for output in outputs]

    def _inputs(self, rows: Tensors) -> list[Any]:
        tensors = []
        for name, (kind, _) in self.model.inputs.items():
            tensors.append(InferInput(name, rows[name].shape, kind.removeprefix("TYPE_")))
            tensors[-1].set_data_from_numpy(rows[name])
        return tensors

    def _tensor(self, answer: Any, request_id: str, output: str, expected: tuple[int, ...]) -> npt.NDArray[Any]:
        """The answer's tensor, if it is one to this request: a server that mixes up two is believed in nothing."""
        tensor: npt.NDArray[Any] | None = answer.as_numpy(output)
        shape = None if tensor is None else tensor.shape
        if tensor is None or shape != expected or answer.get_response().id != request_id:
            raise CorruptState(
                f"{self._where} gave request {request_id} the answer to request {answer.get_response().id}, {output} "
                f"of shape {shape} instead of {expected}: it mixes up its answers. Restart it; nothing of this batch "
                "was acknowledged"
            )
        return tensor

    async def _verify_new_connection(self, end: float) -> None:
        """A server that was away may come back with another model, and gRPC connects again without a word."""
        if self._server._channel.get_state() is not grpc.ChannelConnectivity.READY:
            self._verified = False
        if not self._verified:
            async with self._verifying:
                if not self._verified:
                    # Not all the time that there was: those that waited in line would wait for each other's deadlines.
                    await self._verify(_seconds_until(end))

    async def _verify(self, seconds: float) -> None:
        config = await self._call(
            self._server.get_model_config(self.model.name, self._version, as_json=True, client_timeout=seconds)
        )
        self.max_rows = rows_accepted(config["config"], self.model, self._where)
        self._verified = True

    async def _call(self, call: Awaitable[Any]) -> Any:
        try:
            return await call
        except InferenceServerException as error:
            raise translate(error, self.model.label, self._address, self.model.otherwise) from error

    @property
    def _where(self) -> str:
        return f"{self.model.label} at grpc://{self._address}"


def _seconds_until(end: float) -> float:
    """What is left, and never nothing: gRPC takes no deadline that has passed."""
    return max(0.001, end - asyncio.get_running_loop().time())
