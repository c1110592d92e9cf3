"""The contract of a source of posts, for the author of a source.

A source turns a feed (a network, a file, a database) into events: posts, deletions, erasures, changes of an account's
status, and dead letters. A run owns one source and calls it as follows, one call at a time::

    open(cursor) ─▶ next_batch(limit) ─▶ next_batch(limit) ─▶ … ─▶ [] ─▶ close()
                         │ events, each with the cursor after it
                         ▼
                    tag, index, publish ─▶ the run saves the cursor of what is safe ─▶ open(cursor) of the next run

`counts()` may be called at any time, before `open` and after `close` too.

**Cursors.** A cursor is text that only its source understands: the position just after one event. The run saves it once
that event and every one before it are safe, under the source's `name`, and gives it back to `open` after a restart.
Reading then goes on with the next event. A source that cannot resume exactly reads some events again (they have the
same ids, so that repeating them is harmless), and counts what its feed can no longer give as a gap. It never skips an
event silently.

**Errors**, by their class in `tagstream/errors.py`:

    Retryable   the feed is away, overloaded, or asks us to wait: the run pauses and calls the same method again
    Fatal       the feed can never be read like this (BadSettings, UnreadableInput, CorruptState): the run publishes
                what it was given before, and ends with the message
    DeadLetter  one malformed item: not an error, but an event in its place, made by `tagstream.dead_letter.dead_letter`

Any other exception is a defect of the source and ends the run. So no item may raise it, whatever the feed holds.

**Opening.** A package offers a source by an entry point of the group `tagstream.sources` (`tagstream/plugins.py`). It
names a function `opener(argument, settings) -> Source`, which `--source example:ARGUMENT` calls. The opener checks its
argument and its settings (`BadSettings`). It reads nothing and connects to nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from tagstream.posts import Event

SOURCE_MEMBERS = ("name", "open", "next_batch", "close", "counts")
"""The members that an object needs to be a source."""


@dataclass(frozen=True, slots=True)
class Received:
    """One event of a source.

    Attributes:
        event: a post, deletion, erasure, account status or dead letter. Lone surrogates are U+FFFD by now
            (`tagstream.posts.clean_text`).
        cursor: the position just after this event. Saving it promises that this event and everything before it are safe
            (invariant 1). Several events may share the cursor before them; a run that ends between them repeats some.
        supersedes: the `origin` of a dead letter that an earlier run may have made of a part of this event. It is
            removed together with the effect of this event.
    """

    event: Event
    cursor: str
    supersedes: str | None = None


class Source(Protocol):
    """A feed. One run owns it, and makes one call at a time; only `close` and `counts` may come during another call.

    Attributes:
        name: the specification in a form that stays the same over restarts, `scheme:…` first. The cursor is kept
            under it, so two feeds never share a name. It holds no password and no token.
    """

    name: str

    async def open(self, cursor: str | None) -> None:
        """Prepares to read on after the cursor; from the beginning (of a live feed: from now) where None.

        Called once a run, before anything is read; again if it raised `Retryable`. A network may connect only with its
        first `next_batch`.

        Raises:
            Retryable: the feed is away for now.
            UnreadableInput: the feed cannot be opened, or is not the one of which the cursor was saved.
            CorruptState: the cursor is none that this source gave.
        """

    async def next_batch(self, limit: int) -> Sequence[Received]:
        """Waits for at least one event, and returns at most `limit` of them, in the feed's order.

        An empty answer means that the feed has ended for good; a live feed never gives one. A batch is not held back
        until it is full: what is there is returned. The call may be cancelled at any await, and must then lose nothing:
        the next call returns the events that the cancelled one had read.

        Reads no further ahead than a bounded buffer holds, so that a run that stops calling slows the feed down
        (invariant 6).

        Raises:
            Retryable: an attempt to read failed; the next call goes on trying.
            Fatal: the feed cannot be read any further. Raised after every event before it was returned.
        """
        ...

    async def close(self) -> None:
        """Releases what is open, within seconds.

        Called at the end of a run, perhaps twice, perhaps during `next_batch`. Events that were read and not
        returned are dropped: their cursors were never saved, so they are read again.
        """

    def counts(self) -> Mapping[str, int]:
        """Returns how often something happened that gave no event, by name: `gap`, `reconnect`, `passed_over_reblog`.

        Names are a closed list: all of them stand there from the start, at zero (invariant 6). They become metrics
        and parts of the progress line, so they are short, in lower case, with underscores. Answers at once.
        """
        ...


class Share(NamedTuple):
    """Two parts of a whole feed, from 0 to 1: what had been read when this run opened it, and what it handed over."""

    begun: float
    read: float


@runtime_checkable
class Measured(Protocol):
    """A source that has an end and knows how far away it is: the run then shows a percentage."""

    def share_read(self) -> Share | None:
        """Returns how much of the feed was handed over; None where this feed has no known end."""


def named(prefix: str, counts: Mapping[str, int]) -> dict[str, int]:
    """Puts the prefix and an underscore before the name of each count."""
    return {f"{prefix}_{name}": count for name, count in counts.items()}
