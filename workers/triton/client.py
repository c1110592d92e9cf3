"""The client of one model version on a Triton server, over gRPC, with deadlines and a few quick retries.

::

    rows ─▶ room for one more? ─▶ same export still there? ─▶ infer, with a deadline ─▶ a tensor an output
                                                                │ unavailable   a few quick retries, ModelUnavailable
                                                                │ refused       is it well? once more, UntaggablePost
                                                                │ not found     BadSettings

The client lives on one event loop; it knows nothing of threads, nor of the meaning of the tensors. Every call ends
within its deadline. On `ModelUnavailable` the caller waits without limit (`workers/pipeline/retry.py`) or goes on
without an answer (`image_network.py`). Keeps invariant 7.
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
from workers.triton.window import RequestWindow

Answer = TypeVar("Answer")

ATTEMPTS = 3
_BACK_OFF = BackOff(0.05, 0.5)
# The share of its time that a request may spend in the server's queue: an inference that begins later would end after
# the deadline.
_QUEUE_SHARE = 0.8
_CHANNEL = [
    # gRPC takes 4 MiB by default; the regions of a full request are 51 MB at the widest.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    # Without pings every call would wait for a connection that a network has silently dropped. More frequent pings look
    # like an attack to a server.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 2),
    # By default gRPC reconnects only after up to two minutes, however often it is called. The back-off here is enough.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # The proxy of the environment is for the web; the model server is on the local network.
    ("grpc.enable_http_proxy", 0),
]


class TritonClient:
    """A client of one served model: an asynchronous context manager, used on the event loop that it was entered on.

    `deadline_seconds` bounds one request with its retries. At most `concurrency` requests run at a time, fewer and
    smaller ones while answers come too late; others wait.
    """

    def __init__(self, address: str, model: ServedModel, *, deadline_seconds: float, concurrency: int) -> None:
        self.max_rows = 0
        self.model = model
        self._address = address
        self._version = str(model.version)
        self._deadline = deadline_seconds
        self._concurrency = concurrency
        self._room = asyncio.Semaphore(concurrency)
        self._windows: dict[object, RequestWindow] = {}
        self._verifying = asyncio.Lock()
        self._verified = False
        self._request_ids = count(1)

    async def __aenter__(self) -> "TritonClient":
        self._server = aio.InferenceServerClient(self._address, channel_args=_CHANNEL)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    async def open(self, attempts: int | None = None) -> None:
        """Waits until the server has the version, for as long as the deadline and `attempts`, if given, allow.

        Raises:
            ModelUnavailable: the server does not answer in time.
            BadSettings: the server does not have this version, or is no Triton.
            CorruptState: the server has another export of the version.
        """
        await self._persistently(self._verify, attempts)

    def window_of(self, rows: Tensors) -> RequestWindow:
        """Returns the window of rows of this shape.

        Each shape has one of its own, because the server joins requests of one shape: eight of 8 long posts are 64 long
        posts on one core, and late where eight of 64 short ones are not.
        """
        shape = tuple(array.shape[1:] for array in rows.values())
        return self._windows.setdefault(shape, RequestWindow(self._concurrency))

    async def infer(self, rows: Tensors, outputs: Sequence[str]) -> list[npt.NDArray[Any]]:
        """Returns those outputs, in that order, of at most `max_rows` rows.

        Raises:
            ModelUnavailable: the server does not answer now, to these rows or to any.
            UntaggablePost: the server failed on these rows twice, and was healthy in between.
            BadSettings, CorruptState: the server came back with another model, as in `open`.
        """
        async with self.window_of(rows).room(), self._room:
            try:
                return await self._persistently(lambda seconds: self._ask(rows, outputs, seconds))
            except UntaggablePost:
                # A failing server and poison rows look the same, so both are tried again.
                await self.expect_health()
                return await self._persistently(lambda seconds: self._ask(rows, outputs, seconds))

    async def expect_health(self, attempts: int = ATTEMPTS) -> None:
        """Sends the blank row, which every healthy server answers.

        Raises:
            ModelUnavailable: the server does not answer even that.
            BadSettings, CorruptState: as in `open`.
        """
        model = self.model
        try:
            await self._persistently(lambda seconds: self._ask(model.blank, list(model.outputs), seconds), attempts)
        except UntaggablePost as error:
            raise ModelUnavailable(f"{error}; it fails on an empty row, too") from error

    async def _persistently(self, ask: Callable[[float], Awaitable[Answer]], attempts: int | None = ATTEMPTS) -> Answer:
        """Calls `ask` with the seconds that are left, again and again while there are any; returns its answer."""
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
        """Returns a tensor of the answer, after checking that it answers this request.

        Raises:
            CorruptState: the server mixes up its answers.
        """
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
        """Checks the model again after each reconnection, of which gRPC tells nothing: the server may have another."""
        if self._server._channel.get_state() is not grpc.ChannelConnectivity.READY:
            self._verified = False
        if not self._verified:
            async with self._verifying:
                if not self._verified:
                    # The time that is left now, not that of the start: callers in line would add up their deadlines.
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
    """Returns the seconds that are left, a little at least: gRPC takes no deadline that has passed."""
    return max(0.001, end - asyncio.get_running_loop().time())
