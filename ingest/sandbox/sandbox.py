"""A few child processes for one module; a child that misbehaves is replaced by one that waits already.

Owns when a child is started, ended and given up, and what its end says about its request. One death may have any cause,
so the request is asked again of another child, once.
"""

import asyncio
import time
import warnings
from collections.abc import Callable

from ingest.sandbox.child import Child, SandboxLimits
from ingest.sandbox.errors import Died, NotStarted

# A child is replaced now and then, so that a leak stays small and its bounded life is not used up.
REQUESTS_A_CHILD = 5_000
PROCESSOR_SECONDS_A_CHILD = 600.0
PAUSE_AFTER_A_FAILED_START_SECONDS = 5.0

_WARNING = (
    "The kernel gives no filter of system calls (seccomp) here: children that read pictures and documents run with "
    "limits alone. The setting `sandbox_required` refuses to go on like this; docs/explanation/media.md says what is "
    "missing."
)
_warned: list[str] = []


class Sandbox:
    """Asks children that run `module`, at most `processes` at a time.

    `filter_required`: a child without the filter of system calls is refused; otherwise a warning is given, once.
    """

    def __init__(
        self,
        module: str,
        limits: SandboxLimits,
        *,
        processes: int = 1,
        filter_required: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._module = module
        self._limits = limits
        self._slots = asyncio.Semaphore(processes)
        self._filter_required = filter_required
        self._clock = clock
        self._idle: list[Child] = []
        self._spare: asyncio.Task[Child] | None = None
        self._not_before = 0.0
        self._closed = False
        self.unfiltered = 0
        """The number of children that were started without the filter of system calls."""

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The ids of the children that wait for a request."""
        return tuple(child.pid for child in self._idle)

    async def ask(self, request: bytes) -> bytes:
        """Returns the answer of `handle` to this request.

        Raises:
            SandboxError: there is no answer; its subclasses say why.
        """
        async with self._slots:
            try:
                return await self._ask_one(request)
            except Died:
                return await self._ask_one(request)

    async def close(self) -> None:
        """Ends the children that wait; a child that is at work ends with its request."""
        self._closed = True
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.cancel()
            await _give_up(spare)
        while self._idle:
            await self._idle.pop().end()

    async def _ask_one(self, request: bytes) -> bytes:
        child = await self._take()
        self._keep_spare()
        try:
            return await child.ask(request)
        finally:
            await self._give_back(child)

    async def _take(self) -> Child:
        while self._idle:
            child = self._idle.pop()
            if not child.ended:
                return child
            await child.end()
        spare, self._spare = self._spare, None
        if spare is None or (spare.done() and _failed(spare)):
            return await self._start()
        try:
            return await spare
        except asyncio.CancelledError:
            await _give_up(spare)
            raise

    async def _start(self) -> Child:
        if self._clock() < self._not_before:
            raise NotStarted(f"processes for {self._module} do not start; trying again in a moment")
        try:
            child = await Child.start(self._module, self._limits)
            if not child.filtered:
                await self._unprotected(child)
        except NotStarted:
            self._not_before = self._clock() + PAUSE_AFTER_A_FAILED_START_SECONDS
            raise
        return child

    async def _unprotected(self, child: Child) -> None:
        self.unfiltered += 1
        if self._filter_required:
            await child.end()
            raise NotStarted("the kernel gives no filter of system calls here, and `sandbox_required` asks for it")
        if not _warned:
            _warned.append(_WARNING)
            warnings.warn(_WARNING, RuntimeWarning, stacklevel=2)

    async def _give_back(self, child: Child) -> None:
        worn = child.asked >= REQUESTS_A_CHILD or child.used_seconds >= PROCESSOR_SECONDS_A_CHILD
        if not child.ended and not worn and not self._closed:
            self._idle.append(child)
            return
        await child.end()
        self._keep_spare()

    def _keep_spare(self) -> None:
        """Starts a spare child while another still works, because starting takes long."""
        if self._closed or self._idle:
            return
        failed = self._spare is not None and self._spare.done() and _failed(self._spare)
        if self._spare is None or (failed and self._clock() >= self._not_before):
            self._spare = asyncio.create_task(self._start())
            self._spare.add_done_callback(_retrieve_exception)


async def _give_up(spare: "asyncio.Task[Child]") -> None:
    """Ends a spare that nobody will take, if it starts after all."""
    for started in await asyncio.gather(spare, return_exceptions=True):
        if isinstance(started, Child):
            await started.end()


def _failed(spare: "asyncio.Task[Child]") -> bool:
    return spare.cancelled() or spare.exception() is not None


def _retrieve_exception(task: "asyncio.Task[Child]") -> None:
    """Retrieves the exception of a spare that nobody took, or asyncio would print it."""
    if not task.cancelled():
        task.exception()
