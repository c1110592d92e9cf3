"""Pictures decoded in a sandbox: what one may cost, and what the sandbox's word says about the picture.

A picture is guilty where it takes too much time or memory, or where two processes in a row died on it; a process that
stands still is not the picture's fault. Believes nothing a process says beyond the limits of the contract.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ingest.media import decode_process
from ingest.media.fair_share import FairShare, QueueFull
from ingest.media.sniff import Format
from ingest.sandbox.child import SandboxLimits
from ingest.sandbox.errors import NotStarted, OutOfMemory, OutOfTime, SandboxError, StoodStill
from ingest.sandbox.sandbox import Sandbox
from tagstream.media_reasons import PhotoReason, PhotoRefused

MAX_SIDE = 30_000
# Photos of networks take a tenth of it, those of cameras half. What takes longer stands behind every other process.
FIRST_TRY_SECONDS = 0.25
SLOW_NICENESS = 10
SLOW_WAITING = 4
_REASONS = {
    decode_process.UNDECODABLE: PhotoReason.UNDECODABLE,
    decode_process.TOO_MANY_PIXELS: PhotoReason.TOO_MANY_PIXELS,
    decode_process.TOO_COSTLY: PhotoReason.TOO_COSTLY,
}


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one picture may cost. `still_seconds`: how long a process may give no answer, on a machine that is busy."""

    max_pixels: int
    memory_bytes: int
    processor_seconds: float = 3.0
    still_seconds: float = 20.0
    max_side: int = MAX_SIDE


def memory_for(max_pixels: int) -> int:
    """Bytes in which the largest picture can be decoded: four copies of four bytes a pixel, for a WebP (two canvases,
    the frame, the picture), and half of one to spare; its file, several times, and the process itself."""
    return 192 * 1024 * 1024 + 18 * max_pixels


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """Width and height of the original, as it is meant to be seen; the thumbnail is a JPEG without metadata."""

    width: int
    height: int
    thumbnail: bytes


class TakesLonger(Exception):
    """Not decoded in the short time of a first try: a picture for `second_try`."""


class DecoderPool:
    """At most `processes` decoding at a time in the quick lane, half as many in the slow one, both shared fairly.

    ::

        first try, 0.25 s ─▶ decoded
              └─ longer, or large ─▶ second try, its whole time, behind everybody else ─▶ decoded

    So pictures that take long wait for each other and not the many for them; of both lanes' turns the host whose
    pictures have taken most waits longest. Processes are started when they are first needed.
    """

    def __init__(
        self,
        processes: int,
        limits: DecodeLimits,
        clock: Callable[[], float] = time.monotonic,
        *,
        filter_required: bool = False,
    ) -> None:
        self._limits = limits

        def lane(processes: int, seconds: float, niceness: int) -> Sandbox:
            return Sandbox(
                decode_process.__name__,
                SandboxLimits(
                    memory_bytes=limits.memory_bytes,
                    processor_seconds=min(seconds, limits.processor_seconds),
                    still_seconds=limits.still_seconds,
                    answer_bytes=decode_process.ANSWER.size + decode_process.THUMBNAIL_BYTES,
                    niceness=niceness,
                ),
                processes=processes,
                filter_required=filter_required,
                clock=clock,
            )

        slow = max(1, processes // 2)
        self._quick = lane(processes, FIRST_TRY_SECONDS, 0)
        self._slow = lane(slow, limits.processor_seconds, SLOW_NICENESS)
        self._quick_slots = FairShare(processes, clock=clock)
        self._slow_slots = FairShare(slow, max_waiting=SLOW_WAITING * slow, clock=clock)

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Of the processes that wait for a picture, of both lanes."""
        return self._quick.process_ids + self._slow.process_ids

    @property
    def unfiltered(self) -> int:
        """How many processes were started without the filter of system calls."""
        return self._quick.unfiltered + self._slow.unfiltered

    async def decode(self, content: bytes, kind: Format) -> DecodedImage:
        """The picture's size and thumbnail, however many tries it takes.

        Raises:
            PhotoRefused: it cannot be decoded, or costs too much; or no decoder can be had.
        """
        try:
            return await self.first_try(content, kind, "")
        except TakesLonger:
            return await self.second_try(content, kind, "")

    async def first_try(self, content: bytes, kind: Format, host: str) -> DecodedImage:
        """The picture of this host, if it can be had quickly, as nearly all can.

        Raises:
            TakesLonger: it cannot.
            PhotoRefused: as `decode`.
        """
        hurry = self._limits.processor_seconds > FIRST_TRY_SECONDS
        async with self._quick_slots.slot(host):
            try:
                return await self._ask(self._quick, content, kind, hurry=hurry)
            except OutOfTime as error:
                if hurry:
                    raise TakesLonger from error
                raise _too_costly(error) from error

    async def second_try(self, content: bytes, kind: Format, host: str) -> DecodedImage:
        """The picture of this host, in its whole time.

        Raises:
            PhotoRefused: as `decode`; or too many such pictures wait already (`late`).
        """
        try:
            async with self._slow_slots.slot(host):
                return await self._ask(self._slow, content, kind, hurry=False)
        except OutOfTime as error:
            raise _too_costly(error) from error
        except QueueFull as error:
            raise PhotoRefused(PhotoReason.LATE, f"too many pictures that take long, and of {host} too many") from error

    async def close(self) -> None:
        """Ends the processes that wait; one that is at work ends with its picture."""
        await self._quick.close()
        await self._slow.close()

    async def _ask(self, sandbox: Sandbox, content: bytes, kind: Format, *, hurry: bool) -> DecodedImage:
        limits, number = self._limits, decode_process.FORMATS.index(kind)
        header = decode_process.REQUEST.pack(number, hurry, limits.max_pixels, limits.max_side)
        try:
            answer = await sandbox.ask(header + content)
        except OutOfTime:
            raise
        except (NotStarted, StoodStill) as error:
            raise PhotoRefused(PhotoReason.NO_DECODER, str(error)) from error
        except OutOfMemory as error:
            raise _too_costly(error) from error
        except SandboxError as error:
            raise PhotoRefused(PhotoReason.UNDECODABLE, f"no decoder could make anything of it: {error}") from error
        if hurry and answer[:1] == bytes([decode_process.TAKES_LONGER]):
            raise TakesLonger
        return self._decoded(answer)

    def _decoded(self, answer: bytes) -> DecodedImage:
        if len(answer) >= decode_process.ANSWER.size:
            verdict, width, height = decode_process.ANSWER.unpack_from(answer)
            if verdict in _REASONS:
                raise PhotoRefused(_REASONS[verdict], "refused by the decoder")
            thumbnail = answer[decode_process.ANSWER.size :]
            sane = 0 < width <= self._limits.max_side and 0 < height <= self._limits.max_side
            if verdict == decode_process.FOUND and sane and thumbnail.startswith(b"\xff\xd8\xff"):
                return DecodedImage(width, height, thumbnail)
        raise PhotoRefused(PhotoReason.UNDECODABLE, "the decoder's answer is none that ours would give")


def _too_costly(error: SandboxError) -> PhotoRefused:
    return PhotoRefused(PhotoReason.TOO_COSTLY, f"decoding takes {error}")
