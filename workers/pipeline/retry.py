"""The gate before a dependency that may be down: one caller at a time retries, with back-off, without limit.

An outage is not poison (invariant 7), so a gate never gives up. While the dependency is down all callers but one stand
still, so that the rate of retries does not grow with the number of batches in flight.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from tagstream.errors import Poison, Retryable
from tagstream.runtime.backoff import BackOff

Result = TypeVar("Result")


class RetryGate:
    """A gate that lets all calls through until one raises `Retryable`; then one call at a time, each after a wait.

    The first call that succeeds opens the gate again. `outages` counts how often it closed, `retries` the calls that
    were repeated.
    """

    def __init__(
        self,
        back_off: BackOff | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.outages = 0
        self.retries = 0
        self._back_off = back_off or BackOff()
        self._sleep = sleep
        self._chance = chance
        self._failures = 0
        self._reason: Retryable | None = None
        self._probing = asyncio.Lock()
        self._open = asyncio.Event()

    @property
    def waiting_for(self) -> str | None:
        """The last answer of a dependency that is down; None while it works."""
        return None if self._reason is None else f"{type(self._reason).__name__}: {self._reason}"

    async def run(self, operation: Callable[[], Awaitable[Result]]) -> Result:
        """Returns the result of the operation, which is called again until it no longer raises `Retryable`."""
        while True:
            if self._reason is None:
                with suppress(Retryable):
                    return await self._attempt(operation)
            async with self._probing:
                if self._reason is not None:
                    await self._wait(self._back_off.delay(self._failures, self._chance()))
                    self.retries += 1
                    with suppress(Retryable):
                        return await self._attempt(operation)
                    self._failures += 1

    async def _wait(self, seconds: float) -> None:
        """Waits that long, but no longer than until a call that was on its way is answered after all."""
        waits = [asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(self._open.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _attempt(self, operation: Callable[[], Awaitable[Result]]) -> Result:
        try:
            result = await operation()
        except Retryable as error:
            # Calls that fail together are one failure: counted each, they would make a blink of the server a long wait.
            if self._reason is None:
                self.outages += 1
                self._failures = 1
                self._open.clear()
            self._reason = error
            raise
        except Poison:
            self._answered()  # a refusal of one post is an answer: the dependency works
            raise
        self._answered()
        return result

    def _answered(self) -> None:
        self._reason = None
        self._failures = 0
        self._open.set()
