"""When a batch closes: at a token budget, a post count, or a deadline measured from its first post.

Pure: the clock is passed in, nothing sleeps, nothing is awaited. Posts are grouped by length bucket, because an
inference server merges only equal shapes and because an answer must not depend on who shares the batch. The figures
that judge the rule (fill, wait, why it closed) are kept here, where it is decided.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Closed(StrEnum):
    """Why a batch was closed; the value is what the metric prints."""

    TOKENS = "tokens"
    COUNT = "count"
    DEADLINE = "deadline"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class Batch(Generic[Item]):
    """Items of one length bucket, in the order they were added.

    `length` is the padded length of each row in word pieces, `rows` the rows of all items, `opened` the clock's
    reading when the first item came.
    """

    items: tuple[Item, ...]
    length: int
    rows: int
    opened: float
    closed: Closed

    @property
    def tokens(self) -> int:
        """What the batch costs: padded length times rows."""
        return self.length * self.rows


@dataclass(slots=True)
class BatchFigures:
    """What the closed batches looked like. Every reason stands at zero from the start."""

    batches: dict[Closed, int] = field(default_factory=lambda: dict.fromkeys(Closed, 0))
    items: int = 0
    tokens: int = 0
    budgeted_tokens: int = 0
    wait_seconds: float = 0.0
    longest_wait_seconds: float = 0.0

    @property
    def fill(self) -> float:
        """The share of the token budget that batches with rows used, 0 to 1 (more with an oversized post)."""
        return self.tokens / self.budgeted_tokens if self.budgeted_tokens else 0.0

    @property
    def mean_wait_seconds(self) -> float:
        """How long a batch stood open, from its first item."""
        return self.wait_seconds / max(1, sum(self.batches.values()))


@dataclass(slots=True)
class _Open(Generic[Item]):
    """A batch that still takes items."""

    opened: float
    deadline: float
    rows: int = 0
    items: list[Item] = field(default_factory=list)


class MicroBatcher(Generic[Item]):
    """Forms batches of at most `token_budget` tokens and `max_count` items, none open longer than `deadline_seconds`.

    An item whose own cost exceeds the budget is a batch by itself, never a blocked head. Items without rows cost no
    tokens and share the bucket of their length.
    """

    def __init__(
        self, *, token_budget: int, max_count: int, deadline_seconds: float, clock: Callable[[], float]
    ) -> None:
        self.figures = BatchFigures()
        self._token_budget = token_budget
        self._max_count = max_count
        self._deadline_seconds = deadline_seconds
        self._clock = clock
        self._open: dict[int, _Open[Item]] = {}

    def add(self, item: Item, *, length: int, rows: int) -> list[Batch[Item]]:
        """Takes an item of `rows` rows of `length` word pieces; returns the batches that this closes, oldest first."""
        closed: list[Batch[Item]] = []
        bucket = self._open.get(length)
        if bucket is not None and length * (bucket.rows + rows) > self._token_budget:
            closed.append(self._close(length, Closed.TOKENS))
            bucket = None
        if bucket is None:
            now = self._clock()
            bucket = self._open[length] = _Open(now, now + self._deadline_seconds)
        bucket.items.append(item)
        bucket.rows += rows
        if rows and length * (bucket.rows + 1) > self._token_budget:
            closed.append(self._close(length, Closed.TOKENS))
        elif len(bucket.items) >= self._max_count:
            closed.append(self._close(length, Closed.COUNT))
        return closed

    def due(self) -> Batch[Item] | None:
        """Closes and returns the batch whose deadline came first; None while none has come."""
        if not self._open:
            return None
        length, bucket = min(self._open.items(), key=lambda item: item[1].deadline)
        return self._close(length, Closed.DEADLINE) if bucket.deadline <= self._clock() else None

    def next_deadline(self) -> float | None:
        """When `due` will next have something, on the injected clock; None while nothing is open."""
        if not self._open:
            return None
        return min(bucket.deadline for bucket in self._open.values())

    def drain(self) -> list[Batch[Item]]:
        """Closes and returns everything that is open, oldest first."""
        closed = [self._close(length, Closed.DRAIN) for length in list(self._open)]
        return sorted(closed, key=lambda batch: batch.opened)

    def _close(self, length: int, why: Closed) -> Batch[Item]:
        bucket = self._open.pop(length)
        batch = Batch(tuple(bucket.items), length, bucket.rows, bucket.opened, why)
        wait = self._clock() - bucket.opened
        figures = self.figures
        figures.batches[why] += 1
        figures.items += len(batch.items)
        figures.tokens += batch.tokens
        figures.budgeted_tokens += self._token_budget if batch.tokens else 0
        figures.wait_seconds += wait
        figures.longest_wait_seconds = max(figures.longest_wait_seconds, wait)
        return batch
