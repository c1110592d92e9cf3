"""Decoding of images in a sandbox: what one image may cost, and what the sandbox's answer says about it.

An image is at fault where it takes too much time or memory, or where two processes in a row died on it. A process that
stands still is not the image's fault. Answers of a process are checked against the limits of the contract.
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
# Photos of networks take a tenth of this time, those of cameras half. Slower ones run behind every other process.
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
    """The limits on one image. `still_seconds`: how long a process may give no answer, on a machine that is busy."""

    max_pixels: int
    memory_bytes: int
    processor_seconds: float = 3.0
    still_seconds: float = 20.0
    max_side: int = MAX_SIDE


def memory_for(max_pixels: int) -> int:
    """Returns the bytes of memory in which the largest image can be decoded.

    That is four copies of four bytes a pixel for a WebP (two canvases, the frame, the image), half of one to spare, its
    file several times, and the process itself.
    """
    return 192 * 1024 * 1024 + 18 * max_pixels


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """The size of the original, as it is meant to be seen, and a thumbnail: a JPEG without metadata."""

    width: int
    height: int
    thumbnail: bytes


class TakesLonger(Exception):
    """The image was not decoded in the short time of a first try; `second_try` gives it more."""


class DecoderPool:
    """Decoder processes in two lanes: at most `processes` in the quick lane, half as many in the slow one, both shared
    fairly.

    ::

        first try, 0.25 s ─▶ decoded
              └─ longer, or large ─▶ second try, its whole time, behind everybody else ─▶ decoded

    So slow images wait for each other, and the many quick ones do not wait for them. In both lanes, the host whose
    images have taken most time waits longest. Processes are started when they are first needed.
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

        def new_lane(processes: int, seconds: float, niceness: int) -> Sandbox:
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

        slow_processes = max(1, processes // 2)
        self._quick = new_lane(processes, FIRST_TRY_SECONDS, 0)
        self._slow = new_lane(slow_processes, limits.processor_seconds, SLOW_NICENESS)
        self._quick_slots = FairShare(processes, clock=clock)
        self._slow_slots = FairShare(slow_processes, max_waiting=SLOW_WAITING * slow_processes, clock=clock)

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The ids of the processes that wait for an image, in both lanes."""
        return self._quick.process_ids + self._slow.process_ids

    @property
    def unfiltered(self) -> int:
        """The number of processes that were started without the filter of system calls."""
        return self._quick.unfiltered + self._slow.unfiltered

    async def decode(self, content: bytes, kind: Format) -> DecodedImage:
        """Returns the image's size and thumbnail, however many tries that takes.

        Raises:
            PhotoRefused: it cannot be decoded, or costs too much; or there is no decoder.
        """
        try:
            return await self.first_try(content, kind, "")
        except TakesLonger:
            return await self.second_try(content, kind, "")

    async def first_try(self, content: bytes, kind: Format, host: str) -> DecodedImage:
        """Decodes an image of this host if it can be done quickly, as nearly all can.

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
        """Decodes an image of this host in its whole time.

        Raises:
            PhotoRefused: as `decode`; or too many slow images wait already (`late`).
        """
        try:
            async with self._slow_slots.slot(host):
                return await self._ask(self._slow, content, kind, hurry=False)
        except OutOfTime as error:
            raise _too_costly(error) from error
        except QueueFull as error:
            raise PhotoRefused(PhotoReason.LATE, f"too many pictures that take long, and of {host} too many") from error

    async def close(self) -> None:
        """Ends the processes that wait; a process that is at work ends with its image."""
        await self._quick.close()
        await self._slow.close()

    async def _ask(self, sandbox: Sandbox, content: bytes, kind: Format, *, hurry: bool) -> DecodedImage:
        limits, format_index = self._limits, decode_process.FORMATS.index(kind)
        header = decode_process.REQUEST.pack(format_index, hurry, limits.max_pixels, limits.max_side)
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
