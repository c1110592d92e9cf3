"""The image encoder's network on a Triton server, behind a circuit breaker: nobody waits for a server that is away.

::

    pictures ─▶ away? ─no─▶ parts that the server takes ─▶ Triton ─▶ logits, regions
                 │ yes                                       │ ModelUnavailable
                 └─▶ ModelUnavailable, at once ◀─────────────┘ from here on, while a blank picture is sent
                                                               again and again, until the server answers

The first pictures of an outage wait for their deadline, later ones not at all, and no picture of a post is used to find
the end of the outage. Keeps invariant 9.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import TypeVar

import numpy as np

from tagstream.errors import Fatal, ModelUnavailable
from tagstream.runtime.backoff import BackOff
from workers.images.classifier import FloatArray, Pixels
from workers.models.image_repository import ImageVersion
from workers.triton.client import TritonClient
from workers.triton.connection import TritonConnection
from workers.triton.contract import image_encoder_on_triton
from workers.triton.parts import infer_in_parts

Answer = TypeVar("Answer")

# The pause before the first blank picture of an outage; longer each time that pictures fail right after an outage.
PAUSE = BackOff(0.5, 30.0)
# The pause between blank pictures, which cost next to nothing: a server that is back should be found soon.
PROBING = BackOff(0.5, 2.0)


class TritonImageNetwork:
    """An `ImageEncoderNetwork` that asks Triton for the version of the name, number and hashes of `version`.

    `address` is host:port. `deadline_seconds` bounds each request with its retries; at most `concurrency` requests run
    at a time. A server that does not answer raises nothing here, because it may come yet.

    Raises:
        BadSettings: the server does not have this version, or is no Triton.
        CorruptState: the server has another export of the version.
    """

    def __init__(
        self,
        address: str,
        version: ImageVersion,
        *,
        deadline_seconds: float,
        concurrency: int,
        pause: BackOff = PAUSE,
        probing: BackOff = PROBING,
    ) -> None:
        self._connection = TritonConnection(
            address, image_encoder_on_triton(version), deadline_seconds=deadline_seconds, concurrency=concurrency
        )
        # Neither refers to this object: without other references it must end, and the thread of the connection with it.
        self._breaker = CircuitBreaker(pause, probing)
        try:
            self._run(lambda client: client.open(attempts=1))
        except ModelUnavailable:
            pass  # the breaker is open, and closes when the server comes
        except BaseException:
            self.close()
            raise

    def __call__(self, pictures: Sequence[Pixels], *, regions: bool) -> tuple[FloatArray, FloatArray | None]:
        """Returns logits (pictures, classes) and, on request, regions (pictures, 49, width).

        Raises:
            ModelUnavailable: the server does not answer now, whatever the pictures.
            UntaggablePost: the server fails on these pictures and on no others.
            BadSettings, CorruptState: the server came back with another model.
        """
        rows = {"pixels": np.stack(pictures)}
        # Regions have a hundred times as many bytes as logits, and labels do not need them.
        outputs = ["logits", "regions"] if regions else ["logits"]
        logits, *features = self._run(lambda client: infer_in_parts(client, rows, outputs))
        return logits, features[0] if features else None

    def close(self) -> None:
        """Abandons running requests and ends the thread. Further calls do nothing."""
        self._connection.close()

    def _run(self, work: Callable[[TritonClient], Awaitable[Answer]]) -> Answer:
        breaker = self._breaker
        return self._connection.run(lambda client: breaker.call(client, work))


class CircuitBreaker:
    """A circuit breaker around a server: it opens at the first failure and probes with blank pictures until it closes.

    Lives on the event loop of its client. Only an answer to real pictures resets the count of failures: a server that
    answers blank pictures and nothing else is tried ever more rarely.
    """

    def __init__(self, pause: BackOff, probing: BackOff) -> None:
        self._pause = pause
        self._probing_pause = probing
        self._failures = 0
        self._reason: str | None = None
        self._fatal: Fatal | None = None
        self._probing: asyncio.Task[None] | None = None

    async def call(self, client: TritonClient, work: Callable[[TritonClient], Awaitable[Answer]]) -> Answer:
        """Returns the answer of `work`.

        Raises:
            ModelUnavailable: at once while the breaker is open; from `work`, which opens the breaker.
            Fatal: a probe found another model on the server, or none.
        """
        if self._fatal is not None:
            raise self._fatal
        if self._reason is not None:
            raise ModelUnavailable(f"{self._reason}; it is not waited for")
        try:
            answer = await work(client)
        except ModelUnavailable as error:
            if self._reason is None:  # of several calls that fail together the first opens the breaker
                self._failures += 1
                self._reason = str(error)
                self._probing = asyncio.create_task(self._probe_until_healthy(client))
            raise
        self._failures = 0
        return answer

    async def _probe_until_healthy(self, client: TritonClient) -> None:
        await asyncio.sleep(self._pause.delay(self._failures))
        for probes in count(1):
            try:
                await client.expect_health(attempts=1)
            except Fatal as error:
                self._fatal = error
                return
            except Exception as error:  # the server is not healthy yet, whatever the error; probing goes on
                self._reason = str(error)
            else:
                self._reason = None
                return
            await asyncio.sleep(self._probing_pause.delay(probes))
