"""Pictures decoded by processes without rights, a few that live long; whoever misbehaves is replaced.

Owns the processes: when one is started, ended, given up, and what its end says about the picture it was at. A picture
is guilty where the kernel ended the process for its time, or where two processes in a row died on it; a process that
stands still is not the picture's fault. Believes nothing a process says beyond the limits of the contract.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ingest.media import decode_process
from ingest.media.refusals import PhotoRefused
from ingest.media.sniff import Format
from tagstream.photo_reasons import PhotoReason

MAX_SIDE = 30_000
# A long-lived process is replaced now and then, so that a leak in a decoder stays small.
PICTURES_A_PROCESS = 5_000
START_SECONDS = 20.0
PAUSE_AFTER_A_FAILED_START_SECONDS = 5.0
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
    processor_seconds: int = 2
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


class _Died(Exception):
    """The process ended, or says what none of ours would say."""


class _DecodeProcess:
    """One process, one picture at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._requests = process.stdin
        self._answers = process.stdout
        self.pictures = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    @classmethod
    async def start(cls, limits: DecodeLimits) -> "_DecodeProcess":
        """A process that is ready.

        Raises:
            PhotoRefused: it could not be started.
        """
        arguments = (limits.max_pixels, limits.max_side, limits.memory_bytes, limits.processor_seconds)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                str(Path(decode_process.__file__)),
                *map(str, arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"MALLOC_ARENA_MAX": "1"},
                cwd="/",
                start_new_session=True,  # an interrupt from the terminal is for us to handle
            )
        except OSError as error:
            raise PhotoRefused(PhotoReason.NO_DECODER, f"no decoder could be started: {error}") from error
        worker = cls(process)
        try:
            async with asyncio.timeout(START_SECONDS):
                ready = await worker._answers.readexactly(len(decode_process.READY))
        except (TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            await worker.end()
            raise PhotoRefused(PhotoReason.NO_DECODER, "a decoder ended while it started") from error
        except BaseException:
            await worker.end()
            raise
        if ready != decode_process.READY:
            await worker.end()
            raise PhotoRefused(PhotoReason.NO_DECODER, "a decoder said something else than that it is ready")
        return worker

    async def ask(self, content: bytes, kind: Format) -> tuple[int, int, int, bytes]:
        """Verdict, width, height and thumbnail.

        Raises:
            _Died: it gave no whole answer, or none that could be.
        """
        self.pictures += 1
        request = decode_process.REQUEST.pack(decode_process.FORMATS.index(kind), len(content))
        try:
            self._requests.write(request)
            self._requests.write(content)
            await self._requests.drain()
            answer = await self._answers.readexactly(decode_process.ANSWER.size)
            verdict, width, height, length = decode_process.ANSWER.unpack(answer)
            if length > decode_process.THUMBNAIL_BYTES:
                raise _Died
            return verdict, width, height, await self._answers.readexactly(length)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise _Died from error

    async def end(self) -> int:
        """Ends it, if it has not ended; its return code."""
        if self._process.returncode is None:
            self._process.kill()
        self._requests.close()
        code = await self._process.wait()
        # Both pipes are closed by now; reading to the end lets the transport notice.
        await self._answers.read()
        return code


class Decoders:
    """At most `processes` decoding at a time; each is started when it is first needed."""

    def __init__(self, processes: int, limits: DecodeLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._turns = asyncio.Semaphore(processes)
        self._limits = limits
        self._clock = clock
        self._idle: list[_DecodeProcess] = []
        self._not_before = 0.0
        self._closed = False

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Of the processes that wait for a picture."""
        return tuple(worker.pid for worker in self._idle)

    async def decode(self, content: bytes, kind: Format) -> Decoded:
        """The picture's size and thumbnail.

        Raises:
            PhotoRefused: it cannot be decoded, or costs too much; or no decoder can be had.
        """
        async with self._turns:
            for _ in range(2):
                worker = await self._worker()
                try:
                    async with asyncio.timeout(self._limits.still_seconds):
                        answer = await worker.ask(content, kind)
                except _Died:
                    if await worker.end() == -signal.SIGXCPU:
                        raise PhotoRefused(
                            PhotoReason.TOO_COSTLY, f"decoding takes more than {self._limits.processor_seconds} s"
                        ) from None
                    continue
                except TimeoutError as error:
                    await worker.end()
                    raise PhotoRefused(
                        PhotoReason.NO_DECODER, f"a decoder stood still for {self._limits.still_seconds:g} s"
                    ) from error
                except BaseException:
                    # Its answer, yet to come, would be taken for that of the next picture.
                    await worker.end()
                    raise
                await self._keep(worker)
                return self._decoded(*answer)
            raise PhotoRefused(PhotoReason.UNDECODABLE, "two decoders died on it")

    async def close(self) -> None:
        """Ends the processes that wait; one that is at work ends with its picture."""
        self._closed = True
        while self._idle:
            await self._idle.pop().end()

    async def _worker(self) -> _DecodeProcess:
        while self._idle:
            worker = self._idle.pop()
            if not worker.ended:
                return worker
            await worker.end()
        if self._clock() < self._not_before:
            raise PhotoRefused(PhotoReason.NO_DECODER, "decoders do not start; trying again in a moment")
        try:
            return await _DecodeProcess.start(self._limits)
        except PhotoRefused:
            self._not_before = self._clock() + PAUSE_AFTER_A_FAILED_START_SECONDS
            raise

    async def _keep(self, worker: _DecodeProcess) -> None:
        if self._closed or worker.pictures >= PICTURES_A_PROCESS:
            await worker.end()
        else:
            self._idle.append(worker)

    def _decoded(self, verdict: int, width: int, height: int, thumbnail: bytes) -> Decoded:
        if verdict in _REASONS:
            raise PhotoRefused(_REASONS[verdict], "refused by the decoder")
        sane = 0 < width <= self._limits.max_side and 0 < height <= self._limits.max_side
        if verdict != decode_process.FOUND or not sane or not thumbnail.startswith(b"\xff\xd8\xff"):
            raise PhotoRefused(PhotoReason.UNDECODABLE, "the decoder's answer is none that ours would give")
        return Decoded(width, height, thumbnail)
