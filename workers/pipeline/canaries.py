"""Canaries: posts known to be good, by which a stage tells a defect of ours from hostile posts.

::

    an unexpected error of one value ─▶ canaries ─┬▶ they pass: the value is poison, and dead-lettered alone
                                                  └▶ they fail, too: a defect, `Fatal`, nothing is acknowledged

Counting failures cannot tell the two apart: any number of hostile posts may come in a row. Owns how often canaries are
tried: a verdict holds for `BELIEVED_FAILURES` failures and `BELIEVED_SECONDS`, so canaries cost a fixed share of what
the failures cost, and a defect that begins after a verdict dead-letters no more good posts than that. Keeps
invariant 11.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tagstream.errors import Fatal, Retryable
from workers.pipeline.retry import RetryGate

Value = TypeVar("Value")

BELIEVED_FAILURES = 32
BELIEVED_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class CanaryCheck(Generic[Value]):
    """The functions by which one stage is checked.

    `canaries` gives values known to be good, each time other ones, so that no cache answers for them. `examine` gives
    the error of every value that fails by itself, under its index; it does what `work` does, without effect. A stage
    whose work has no effect needs `examine` only where a value costs little alone: it then finds all poison values of a
    batch at once. `replacement` gives the value to work on in place of a poison one: the one that holds its dead
    letter.
    """

    canaries: Callable[[], Awaitable[Sequence[Value]]]
    examine: Callable[[Sequence[Value]], Awaitable[Mapping[int, Exception]]] | None = None
    replacement: Callable[[Value, Exception], Value] | None = None


class Judge(Generic[Value]):
    """The judge over one stage's unexpected errors, by its canaries. `asked` counts how often they were tried."""

    def __init__(
        self,
        stage: str,
        check: CanaryCheck[Value],
        work: Callable[[Sequence[Value]], Awaitable[Any]],
        gate: RetryGate,
        clock: Callable[[], float],
    ) -> None:
        self.asked = 0
        self._stage = stage
        self._check = check
        self._work = work
        self._gate = gate
        self._clock = clock
        self._believed = 0
        self._believed_until = 0.0
        self._asking = asyncio.Lock()

    async def judge(self, error: Exception) -> None:
        """Returns if the value that failed with this unexpected error is poison.

        Raises:
            Fatal: values known to be good fail as well.
        """
        async with self._asking:  # failures that come meanwhile wait for the verdict
            if self._believed > 0 and self._clock() < self._believed_until:
                self._believed -= 1
                return
            await self._gate.run(lambda: self._ask(error))
            self._believed = BELIEVED_FAILURES - 1
            self._believed_until = self._clock() + BELIEVED_SECONDS

    async def _ask(self, error: Exception) -> None:
        self.asked += 1
        try:
            canaries = await self._check.canaries()
            if self._check.examine is None:
                await self._work(canaries)
            elif failures := await self._check.examine(canaries):
                raise next(iter(failures.values()))
        except (Fatal, Retryable):
            raise
        except Exception as defect:
            raise Fatal(
                f"stage {self._stage} fails on posts that are known to be good, with {type(defect).__name__}: {defect} "
                f"(and on a post of the feed with {type(error).__name__}). That is a defect or a broken installation, "
                "not the posts; nothing from here on was acknowledged"
            ) from defect
