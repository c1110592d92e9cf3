"""One version of the tagger on a Triton server, asked by name over gRPC: deadlines, a few quick retries, no patience.

::

    batch ─▶ room for one more? ─▶ same export still there? ─▶ infer, with a deadline ─▶ emissions
                                                                 │ unavailable   a few quick retries, ModelUnavailable
                                                                 │ refused       is it well? once more, UntaggablePost
                                                                 │ not found     BadSettings

Owns what is asked of the server and how long. Lives on one event loop and knows nothing of threads. Whoever gets
`ModelUnavailable` waits without limit (`breaker.py`); here every call ends. Keeps invariant 7.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, TypeVar

import grpc
import numpy as np
from tritonclient.grpc import InferInput, InferRequestedOutput, aio
from tritonclient.utils import InferenceServerException

from tagstream.errors import CorruptState, ModelUnavailable, UntaggablePost
from workers.breaker import BackOff
from workers.decoder import TAGS, FloatArray
from workers.encoding import BUCKET, FEATURES, ModelInput
from workers.repository import ModelVersion
from workers.triton_contract import INPUTS, OUTPUT, hashes_of, rows_accepted
from workers.triton_errors import translate

Answer = TypeVar("Answer")

ATTEMPTS = 3
_BACK_OFF = BackOff(0.05, 0.5)
# Of the time that a request has, the part that it may spend in the server's queue: what is not begun by then would be
# worked out for nobody.
_QUEUE_SHARE = 0.8
_CHANNEL = [
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

    def __init__(self, address: str, version: ModelVersion, *, deadline_seconds: float, concurrency: int) -> None:
        self.max_rows = 0
        self._address = address
        self._name = version.name
        self._version = str(version.version)
        self._model = f"{version.name}@{version.version}"
        self._hashes = hashes_of(version)
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

    async def open(self) -> None:
        """Waits until the server has the version, for as long as the deadline allows.

        Raises:
            ModelUnavailable: it does not answer in time.
            BadSettings: it does not have this version, or is no Triton.
            CorruptState: it has another export of it.
        """
        await self._persistently(self._verify, attempts=None)

    async def infer(self, batch: ModelInput) -> FloatArray:
        """Emissions (rows, length, 9) of a batch of at most `max_rows` rows.

        Raises:
            ModelUnavailable: it does not answer now, to this batch or to any.
            UntaggablePost: it fails on this batch, twice, and between them it was well.
            BadSettings, CorruptState: as `open`: the server came back with another model.
        """
        async with self._room:
            try:
                return await self._persistently(lambda seconds: self._ask(batch, seconds))
            except UntaggablePost:
                # A failing server and a guilty batch look the same, so both are asked again.
                await self._expect_health()
                return await self._persistently(lambda seconds: self._ask(batch, seconds))

    async def _expect_health(self) -> None:
        empty = ModelInput(*(np.zeros((1, BUCKET, *more), np.int32) for more in ((), (), (FEATURES,))))
        try:
            await self._persistently(lambda seconds: self._ask(empty, seconds))
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
                pause = _BACK_OFF.delay(attempt, random.random())
                if attempt == attempts or loop.time() + pause >= end:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError("count() ended")

    async def _ask(self, batch: ModelInput, seconds: float) -> FloatArray:
        end = asyncio.get_running_loop().time() + seconds
        await self._verify_new_connection(seconds)
        left = max(0.001, end - asyncio.get_running_loop().time())
        request_id = str(next(self._request_ids))
        answer = await self._call(
            self._server.infer(
                self._name,
                _tensors(batch),
                self._version,
                [InferRequestedOutput(OUTPUT)],
                request_id,
                timeout=int(_QUEUE_SHARE * left * 1_000_000),
                client_timeout=left,
            )
        )
        return self._emissions(answer, request_id, (*batch.pieces.shape, len(TAGS)))

    def _emissions(self, answer: Any, request_id: str, expected: tuple[int, ...]) -> FloatArray:
        """The answer's tensor, if it is one to this request: a server that mixes up two is believed in nothing."""
        emissions: FloatArray | None = answer.as_numpy(OUTPUT)
        shape = None if emissions is None else emissions.shape
        if emissions is None or shape != expected or answer.get_response().id != request_id:
            raise CorruptState(
                f"{self._where} gave request {request_id} the answer to request {answer.get_response().id}, {OUTPUT} "
                f"of shape {shape} instead of {expected}: it mixes up its answers. Restart it; nothing of this batch "
                "was acknowledged"
            )
        return emissions

    async def _verify_new_connection(self, seconds: float) -> None:
        """A server that was away may come back with another model, and gRPC connects again without a word."""
        if self._server._channel.get_state() is not grpc.ChannelConnectivity.READY:
            self._verified = False
        if not self._verified:
            async with self._verifying:
                if not self._verified:
                    await self._verify(seconds)

    async def _verify(self, seconds: float) -> None:
        config = await self._call(
            self._server.get_model_config(self._name, self._version, as_json=True, client_timeout=seconds)
        )
        self.max_rows = rows_accepted(config["config"], self._hashes, self._where)
        self._verified = True

    async def _call(self, call: Awaitable[Any]) -> Any:
        try:
            return await call
        except InferenceServerException as error:
            raise translate(error, self._model, self._address) from error

    @property
    def _where(self) -> str:
        return f"{self._model} at grpc://{self._address}"


def _tensors(batch: ModelInput) -> list[Any]:
    tensors = []
    for name in INPUTS:
        array = getattr(batch, name)
        tensor = InferInput(name, array.shape, "INT32")
        tensor.set_data_from_numpy(array)
        tensors.append(tensor)
    return tensors
