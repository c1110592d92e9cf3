"""What a source of posts is: five methods, and one piece of state, its cursor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from tagstream.posts import Event


@dataclass(frozen=True, slots=True)
class Received:
    """One event of a source and the cursor from which reading goes on after it.

    Saving `cursor` promises that this event and everything before it is safe (invariant 1). `supersedes`: the origin of
    a dead letter that an earlier run may have made of a part of this event, and which goes with its effect.
    """

    event: Event
    cursor: str
    supersedes: str | None = None


class Source(Protocol):
    """A feed. One owner reads it, one call at a time.

    `name` is stable over restarts: the cursor is kept under it. `next_batch` waits for at least one event and
    returns at most `limit` of them, in order; an empty answer means that the feed has ended, for good. It may be
    cancelled at any await without losing an event. Malformed input is yielded as a `DeadLetter`, never raised.
    `close` may be called at any time, twice too. `counts` says, at any time, how often what happened that gave no
    event: a gap, a frame passed over, a photo that cannot be had. Its names are a closed list that stands from the
    start, the zeros too (invariant 6).

    Raises:
        UnreadableInput: the feed cannot be opened, or cannot be read any further.
    """

    name: str

    async def open(self, cursor: str | None) -> None: ...

    async def next_batch(self, limit: int) -> Sequence[Received]: ...

    async def close(self) -> None: ...

    def counts(self) -> Mapping[str, int]: ...


class Share(NamedTuple):
    """Parts of a whole feed, from 0 to 1: what was read before it was opened, and what was handed over up to now."""

    begun: float
    read: float


@runtime_checkable
class Measured(Protocol):
    """A source that has an end, and knows how far it is; None where it cannot say."""

    def share_read(self) -> Share | None: ...


def named(prefix: str, counts: Mapping[str, int]) -> dict[str, int]:
    """The counts, each name behind the prefix and an underscore."""
    return {f"{prefix}_{name}": number for name, number in counts.items()}
