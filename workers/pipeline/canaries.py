"""How a defect of ours is told from hostile posts: by values known to be good, worked on beside them.

::

    an unexpected error of one value ─▶ canaries ─┬▶ they pass: the value is guilty, and buried alone
                                                  └▶ they fail, too: a defect, `Fatal`, nothing is acknowledged

Counting failures cannot tell the two: any number of hostile posts may come in a row. Owns how often canaries are asked:
a verdict holds for `BELIEVED_FAILURES` failures and `BELIEVED_SECONDS`, so that they cost a fixed share of what the
failures cost, and a defect that begins after a verdict buries no more good posts than that. Keeps invariant 11.
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
class Check(Generic[Value]):
    """How a stage is checked.

    `canaries` gives values known to be good, each time others, so that no memory answers for them. `examine` says which
    values fail by themselves, by their place; it does what `work` does and has no effect. A stage whose work has none
    needs it only where values cost little alone; then it finds all guilty ones of a batch at once. `instead` is what
    is worked on in place of a guilty value: that which holds its dead letter.
    """

    canaries: Callable[[], Awaitable[Sequence[Value]]]
    examine: Callable[[Sequence[Value]], Awaitable[Mapping[int, Exception]]] | None = None
    instead: Callable[[Value, Exception], Value] | None = None


class Judge(Generic[Value]):
    """Asks the canaries of one stage. `asked` counts how often."""

    def __init__(
        self,
        stage: str,
        check: Check[Value],
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
        """Returns if a value that failed with this unexpected error is guilty.

        Raises:
            Fatal: values known to be good fail as well.
        """
        async with self._asking:  # whoever failed meanwhile waits for the verdict
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
