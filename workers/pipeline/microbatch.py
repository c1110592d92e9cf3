"""Micro-batches: closed at a token budget, a post count, or a deadline measured from the first post.

Pure: the clock is passed in, nothing sleeps, nothing is awaited. Posts are grouped by length bucket, because an
inference server merges only equal shapes and because an answer must not depend on which posts share its batch. The
figures that judge the rule (fill, wait, reason of closing) are kept beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

Item = TypeVar("Item")


class CloseReason(StrEnum):
    """The reason a batch was closed; the metric prints the value."""

    TOKENS = "tokens"
    COUNT = "count"
    DEADLINE = "deadline"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class MicroBatch(Generic[Item]):
    """Items of one length bucket, in the order they were added.

    `length` is the padded length of each sequence in word pieces, `sequences` the number of sequences of all items,
    `opened` the clock's reading when the first item came.
    """

    items: tuple[Item, ...]
    length: int
    sequences: int
    opened: float
    closed: CloseReason

    @property
    def tokens(self) -> int:
        """The cost of the batch: padded length times sequences."""
        return self.length * self.sequences


@dataclass(slots=True)
class BatchFigures:
    """The figures of the closed batches. Every reason stands at zero from the start."""

    batches: dict[CloseReason, int] = field(default_factory=lambda: dict.fromkeys(CloseReason, 0))
    items: int = 0
    tokens: int = 0
    budgeted_tokens: int = 0
    wait_seconds: float = 0.0
    longest_wait_seconds: float = 0.0

    @property
    def fill(self) -> float:
        """The share of the token budget that batches of sequences used, 0 to 1 (more with an oversized post)."""
        return self.tokens / self.budgeted_tokens if self.budgeted_tokens else 0.0

    @property
    def mean_wait_seconds(self) -> float:
        """The mean time in seconds that a batch stood open, from its first item."""
        return self.wait_seconds / max(1, sum(self.batches.values()))


@dataclass(slots=True)
class _Open(Generic[Item]):
    """A batch that still takes items."""

    opened: float
    deadline: float
    sequences: int = 0
    items: list[Item] = field(default_factory=list)


class MicroBatcher(Generic[Item]):
    """Forms batches of at most `token_budget` tokens and `max_count` items, none open longer than `deadline_seconds`.

    An item whose own cost exceeds the budget is a batch by itself, never a blocked head. Items without sequences cost
    no tokens and share the bucket of their length.
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

    def add(self, item: Item, *, length: int, sequences: int) -> list[MicroBatch[Item]]:
        """Takes an item of so many sequences of `length` word pieces; returns the batches it closes, oldest first."""
        closed: list[MicroBatch[Item]] = []
        bucket = self._open.get(length)
        if bucket is not None and length * (bucket.sequences + sequences) > self._token_budget:
            closed.append(self._close(length, CloseReason.TOKENS))
            bucket = None
        if bucket is None:
            now = self._clock()
            bucket = self._open[length] = _Open(now, now + self._deadline_seconds)
        bucket.items.append(item)
        bucket.sequences += sequences
        if sequences and length * (bucket.sequences + 1) > self._token_budget:
            closed.append(self._close(length, CloseReason.TOKENS))
        elif len(bucket.items) >= self._max_count:
            closed.append(self._close(length, CloseReason.COUNT))
        return closed

    def due(self) -> MicroBatch[Item] | None:
        """Closes and returns the batch whose deadline came first; None while none has come."""
        if not self._open:
            return None
        length, bucket = min(self._open.items(), key=lambda item: item[1].deadline)
        return self._close(length, CloseReason.DEADLINE) if bucket.deadline <= self._clock() else None

    def next_deadline(self) -> float | None:
        """Returns the time by the injected clock at which the next batch is due; None while nothing is open."""
        if not self._open:
            return None
        return min(bucket.deadline for bucket in self._open.values())

    def drain(self) -> list[MicroBatch[Item]]:
        """Closes and returns everything that is open, oldest first."""
        closed = [self._close(length, CloseReason.DRAIN) for length in list(self._open)]
        return sorted(closed, key=lambda batch: batch.opened)

    def _close(self, length: int, why: CloseReason) -> MicroBatch[Item]:
        bucket = self._open.pop(length)
        batch = MicroBatch(tuple(bucket.items), length, bucket.sequences, bucket.opened, why)
        wait = self._clock() - bucket.opened
        figures = self.figures
        figures.batches[why] += 1
        figures.items += len(batch.items)
        figures.tokens += batch.tokens
        figures.budgeted_tokens += self._token_budget if batch.tokens else 0
        figures.wait_seconds += wait
        figures.longest_wait_seconds = max(figures.longest_wait_seconds, wait)
        return batch
