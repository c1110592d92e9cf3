"""Pictures decoded in a sandbox: what one may cost, and what the sandbox's word says about the picture.

A picture is guilty where it takes too much time or memory, or where two processes in a row died on it; a process that
stands still is not the picture's fault. Believes nothing a process says beyond the limits of the contract.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ingest.media import decode_process
from ingest.media.refusals import PhotoRefused
from ingest.media.sniff import Format
from ingest.sandbox.child import Limits
from ingest.sandbox.errors import NotStarted, SandboxError, StoodStill, TooCostly
from ingest.sandbox.sandbox import Sandbox
from tagstream.photo_reasons import PhotoReason

MAX_SIDE = 30_000
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
    """Bytes in which the largest picture can be decoded: two copies of four bytes a pixel (the second has its
    transparency multiplied in), its file, and the process itself."""
    return 128 * 1024 * 1024 + 12 * max_pixels


@dataclass(frozen=True, slots=True)
class Decoded:
    """Width and height of the original, as it is meant to be seen; the thumbnail is a JPEG without metadata."""

    width: int
    height: int
    thumbnail: bytes


class Decoders:
    """At most `processes` decoding at a time; each is started when it is first needed."""

    def __init__(
        self,
        processes: int,
        limits: DecodeLimits,
        clock: Callable[[], float] = time.monotonic,
        *,
        filter_required: bool = False,
    ) -> None:
        self._limits = limits
        self._sandbox = Sandbox(
            decode_process.__name__,
            Limits(
                memory_bytes=limits.memory_bytes,
                processor_seconds=limits.processor_seconds,
                still_seconds=limits.still_seconds,
                answer_bytes=decode_process.ANSWER.size + decode_process.THUMBNAIL_BYTES,
            ),
            processes=processes,
            filter_required=filter_required,
            clock=clock,
        )

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Of the processes that wait for a picture."""
        return self._sandbox.process_ids

    async def decode(self, content: bytes, kind: Format) -> Decoded:
        """The picture's size and thumbnail.

        Raises:
            PhotoRefused: it cannot be decoded, or costs too much; or no decoder can be had.
        """
        limits = self._limits
        header = decode_process.REQUEST.pack(decode_process.FORMATS.index(kind), limits.max_pixels, limits.max_side)
        try:
            answer = await self._sandbox.ask(header + content)
        except (NotStarted, StoodStill) as error:
            raise PhotoRefused(PhotoReason.NO_DECODER, str(error)) from error
        except TooCostly as error:
            raise PhotoRefused(PhotoReason.TOO_COSTLY, f"decoding takes {error}") from error
        except SandboxError as error:
            raise PhotoRefused(PhotoReason.UNDECODABLE, f"no decoder could make anything of it: {error}") from error
        return self._decoded(answer)

    async def close(self) -> None:
        """Ends the processes that wait; one that is at work ends with its picture."""
        await self._sandbox.close()

    def _decoded(self, answer: bytes) -> Decoded:
        if len(answer) >= decode_process.ANSWER.size:
            verdict, width, height = decode_process.ANSWER.unpack_from(answer)
            if verdict in _REASONS:
                raise PhotoRefused(_REASONS[verdict], "refused by the decoder")
            thumbnail = answer[decode_process.ANSWER.size :]
            sane = 0 < width <= self._limits.max_side and 0 < height <= self._limits.max_side
            if verdict == decode_process.FOUND and sane and thumbnail.startswith(b"\xff\xd8\xff"):
                return Decoded(width, height, thumbnail)
        raise PhotoRefused(PhotoReason.UNDECODABLE, "the decoder's answer is none that ours would give")
