"""One child process as its parent sees it: started, asked one request at a time, watched, ended.

Owns the limits of one request. After anything but a whole answer in time the child is ended, because its late answer
would be taken for the answer to the next request. Nothing that a child sends is believed beyond its bounds.
"""

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass

from ingest.sandbox import lock_down, program
from ingest.sandbox.errors import Died, HandlerFailed, NotStarted, OutOfMemory, OutOfTime, StoodStill

START_SECONDS = 20.0
_SHORTEST_WATCH_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """The resources of a child and the cost of one request.

    `processor_seconds` are the child's own; `still_seconds` are by the clock, for a machine that is busy. `niceness` is
    how far the child stands behind other processes.
    """

    memory_bytes: int
    processor_seconds: float
    still_seconds: float = 20.0
    answer_bytes: int = 16 * 1024 * 1024
    niceness: int = 0


class Child:
    """One process that answers one request at a time."""

    def __init__(self, process: asyncio.subprocess.Process, limits: SandboxLimits) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._requests = process.stdin
        self._answers = process.stdout
        self._limits = limits
        self._seconds_at_start = self.processor_seconds
        self.asked = 0
        self.filtered = False

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.returncode is not None

    @property
    def processor_seconds(self) -> float:
        """The processor time used so far.

        Where the system does not tell it, the time that has passed, which is never less.
        """
        if sys.platform != "linux":
            return time.monotonic()
        if self.ended:
            return 0.0
        try:
            # The clock that clock_getcpuclockid(3) returns; Python offers it for threads alone.
            return time.clock_gettime((~self.pid << 3) | 2)
        except OSError:  # the child has just ended
            return 0.0

    @property
    def used_seconds(self) -> float:
        """The processor time used since the child was started."""
        return self.processor_seconds - self._seconds_at_start

    @classmethod
    async def start(cls, module: str, limits: SandboxLimits) -> "Child":
        """Starts a child that has imported the module, has locked itself down and is ready.

        Raises:
            NotStarted: the child did not come so far; the message says why.
        """
        lock_down.keep_memory_private()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                program.__file__,
                json.dumps(_order_for(module, limits)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"MALLOC_ARENA_MAX": "1"},
                cwd="/",
                start_new_session=True,  # an interrupt from the terminal is for the parent to handle
            )
        except OSError as error:
            raise NotStarted(f"no process for {module} could be started: {error}") from error
        child = cls(process, limits)
        try:
            await child._become_ready(module)
        except BaseException:
            await child.end()
            raise
        return child

    async def ask(self, request: bytes) -> bytes:
        """Returns the child's answer to the request.

        Raises:
            HandlerFailed: the module's code raised.
            OutOfTime, OutOfMemory: the request took more than it may.
            StoodStill: no answer came in time.
            Died: the child ended, or sent no possible answer.
        """
        self.asked += 1
        exchange = asyncio.ensure_future(self._exchange(request))
        try:
            status, answer = await self._watched(exchange)
        except BaseException:
            exchange.cancel()
            await asyncio.gather(exchange, return_exceptions=True)
            await self.end()
            raise
        if status == program.ANSWERED:
            return answer
        if status == program.FAILED:
            raise HandlerFailed(answer[: program.MESSAGE_BYTES].decode("utf-8", "replace"))
        if status == program.NO_MEMORY:
            raise OutOfMemory(f"more than {self._limits.memory_bytes:,} bytes of memory")
        await self.end()
        raise Died(f"an answer of a kind ({status}) that there is none of")

    async def end(self) -> None:
        """Ends the process, if it has not ended."""
        if self._process.returncode is None:
            self._process.kill()
        self._requests.close()
        await self._process.wait()
        # Both pipes are closed by now; reading to the end lets the transport notice.
        await self._answers.read()

    async def _become_ready(self, module: str) -> None:
        try:
            async with asyncio.timeout(START_SECONDS):
                status, answer = await self._read_answer()
        except TimeoutError as error:
            raise NotStarted(f"a process for {module} was not ready within {START_SECONDS:g} s") from error
        except Died as error:
            raise NotStarted(f"a process for {module} ended while it started") from error
        if status != program.READY or len(answer) != 1:
            message = (
                answer[: program.MESSAGE_BYTES].decode("utf-8", "replace") if status == program.NOT_STARTED else ""
            )
            raise NotStarted(f"a process for {module} is not ready: {message or 'it says something else'}")
        self.filtered = bool(answer[0] & lock_down.FILTERED)

    async def _watched(self, exchange: "asyncio.Future[tuple[int, bytes]]") -> tuple[int, bytes]:
        """Waits for the exchange and stops it if it costs too much. Looks at the cost as seldom as the limits allow."""
        limits = self._limits
        still_until = time.monotonic() + limits.still_seconds
        allowed = self.processor_seconds + limits.processor_seconds
        while True:
            left = min(allowed - self.processor_seconds, still_until - time.monotonic())
            await asyncio.wait({exchange}, timeout=max(left, _SHORTEST_WATCH_SECONDS))
            if exchange.done():
                return exchange.result()
            if self.processor_seconds >= allowed:
                raise OutOfTime(f"more than {limits.processor_seconds:g} s of processor time")
            if time.monotonic() >= still_until:
                raise StoodStill(f"no answer within {limits.still_seconds:g} s")

    async def _exchange(self, request: bytes) -> tuple[int, bytes]:
        try:
            self._requests.write(program.REQUEST.pack(len(request)))
            self._requests.write(request)
            await self._requests.drain()
        except OSError as error:
            raise Died("the child has ended") from error
        return await self._read_answer()

    async def _read_answer(self) -> tuple[int, bytes]:
        try:
            status, length = program.ANSWER.unpack(await self._answers.readexactly(program.ANSWER.size))
            if length > self._limits.answer_bytes:
                raise Died(f"an answer of {length:,} bytes, more than {self._limits.answer_bytes:,}")
            return status, await self._answers.readexactly(length)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Died("the child has ended") from error


def _order_for(module: str, limits: SandboxLimits) -> program.Order:
    return {
        "module": module,
        "path": [os.path.abspath(entry) for entry in sys.path],
        "parent": os.getpid(),
        "memory_bytes": limits.memory_bytes,
        "niceness": limits.niceness,
    }
