"""Waiting for a dependency that is down: one caller at a time asks again, with jittered back-off, without limit.

An outage is not poison (invariant 7), so nothing here ever gives up. While the breaker is open all callers but one
stand still, so that the rate of asking does not grow with the number of batches in flight.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from tagstream.errors import Poison, Retryable

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class BackOff:
    """How long to wait before asking again: doubling from `first_seconds` up to `longest_seconds`.

    Each wait is drawn between half of that and all of it, so that many processes do not ask in step.
    """

    first_seconds: float = 0.1
    longest_seconds: float = 10.0

    def delay(self, failures: int, chance: float) -> float:
        """Seconds to wait after that many failures in a row (1 or more); `chance` is drawn from 0 to 1."""
        # The exponent is capped because an outage of days would overflow a float.
        full = min(self.longest_seconds, self.first_seconds * 2.0 ** min(failures - 1, 60))
        return full * (0.5 + chance / 2)


class Breaker:
    """Closed: calls go through. Open after a `Retryable`: one call at a time, after a wait; a success closes it."""

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

    @property
    def waiting_for(self) -> str | None:
        """What the dependency last answered, while it is down; None while it works."""
        return None if self._reason is None else f"{type(self._reason).__name__}: {self._reason}"

    async def run(self, operation: Callable[[], Awaitable[Result]]) -> Result:
        """The result of the operation, called again until it no longer raises `Retryable`."""
        while True:
            if self._reason is None:
                with suppress(Retryable):
                    return await self._attempt(operation)
            async with self._probing:
                if self._reason is not None:
                    await self._sleep(self._back_off.delay(self._failures, self._chance()))
                    self.retries += 1
                    with suppress(Retryable):
                        return await self._attempt(operation)

    async def _attempt(self, operation: Callable[[], Awaitable[Result]]) -> Result:
        try:
            result = await operation()
        except Retryable as error:
            self.outages += self._reason is None
            self._reason = error
            self._failures += 1
            raise
        except Poison:
            self._answered()  # a refusal of one post is an answer: the dependency works
            raise
        self._answered()
        return result

    def _answered(self) -> None:
        self._reason = None
        self._failures = 0
