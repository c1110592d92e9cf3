"""The image model's network on a Triton server, which nobody waits for while it is away.

::

    pictures ─▶ away? ─no─▶ parts that the server takes ─▶ Triton ─▶ logits, regions
                 │ yes                                       │ ModelUnavailable
                 └─▶ ModelUnavailable, at once ◀─────────────┘ from here on, while a blank picture is asked for
                                                               again and again, until it is answered

Owns the memory of an outage: the first pictures of one wait their deadline, none after them waits at all, and no
picture is risked to find its end. Keeps invariant 9.
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
from workers.triton.connection import TritonConnection, infer_in_parts
from workers.triton.contract import image_encoder_on_triton

Answer = TypeVar("Answer")

# Before pictures are risked again, and each of them a deadline: the longer, the oftener that failed.
PAUSE = BackOff(0.5, 30.0)
# Between blank pictures, which cost next to nothing: a server that is back should be found soon.
PROBING = BackOff(0.5, 2.0)


class TritonImageNetwork:
    """Answers by the version that Triton serves under the same name, number and hashes as `version`.

    `address` is host:port; `deadline_seconds` bounds each request with its retries; `concurrency` requests are on
    their way at most. A server that does not answer is no error here: it may come yet.

    Raises:
        BadSettings: the server does not have this version, or is no Triton.
        CorruptState: the server has another export of it.
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
        # Neither refers to this object: it must end, and the thread with it, when nobody holds it any more.
        self._outage = _Outage(pause, probing)
        try:
            self._run(lambda client: client.open(attempts=1))
        except ModelUnavailable:
            pass  # the outage has begun, and will end
        except BaseException:
            self.close()
            raise

    def __call__(self, pictures: Sequence[Pixels], *, regions: bool) -> tuple[FloatArray, FloatArray | None]:
        """Logits (pictures, classes) and, where they are asked for, regions (pictures, 49, width).

        Raises:
            ModelUnavailable: the server does not answer now, whatever the pictures.
            UntaggablePost: it fails on these pictures and on no others.
            BadSettings, CorruptState: it came back with another model.
        """
        rows = {"pixels": np.stack(pictures)}
        # Regions are a hundred times as many bytes as logits, and labels need none.
        outputs = ["logits", "regions"] if regions else ["logits"]
        logits, *features = self._run(lambda client: infer_in_parts(client, rows, outputs))
        return logits, features[0] if features else None

    def close(self) -> None:
        """Gives up what is on its way and ends the thread. May be called again."""
        self._connection.close()

    def _run(self, work: Callable[[TritonClient], Awaitable[Answer]]) -> Answer:
        outage = self._outage
        return self._connection.run(lambda client: outage.unless_away(client, work))


class _Outage:
    """Whether the server is away. Lives on the loop of its client.

    Only an answer to pictures forgets the failures: a server that answers blanks and no more is asked ever more rarely.
    """

    def __init__(self, pause: BackOff, probing: BackOff) -> None:
        self._pause = pause
        self._probing_pause = probing
        self._failures = 0
        self._reason: str | None = None
        self._fatal: Fatal | None = None
        self._probing: asyncio.Task[None] | None = None

    async def unless_away(self, client: TritonClient, work: Callable[[TritonClient], Awaitable[Answer]]) -> Answer:
        """The answer of `work`.

        Raises:
            ModelUnavailable: at once while the server is away; by `work`, it is from now on.
        """
        if self._fatal is not None:
            raise self._fatal
        if self._reason is not None:
            raise ModelUnavailable(f"{self._reason}; it is not waited for")
        try:
            answer = await work(client)
        except ModelUnavailable as error:
            if self._reason is None:  # of several that fail together the first tells it
                self._failures += 1
                self._reason = str(error)
                self._probing = asyncio.create_task(self._until_well(client))
            raise
        self._failures = 0
        return answer

    async def _until_well(self, client: TritonClient) -> None:
        await asyncio.sleep(self._pause.delay(self._failures))
        for probes in count(1):
            try:
                await client.expect_health(attempts=1)
            except Fatal as error:
                self._fatal = error
                return
            except Exception as error:  # whatever it is, the server is not well, and must not be given up for it
                self._reason = str(error)
            else:
                self._reason = None
                return
            await asyncio.sleep(self._probing_pause.delay(probes))
