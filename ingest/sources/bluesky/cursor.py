"""The cursor of a Bluesky feed: the position that is saved, and how far its marks can be trusted. Pure.

::

    TIME@SERVER                            a server that does not number its events, or the form of earlier versions
    TIME@SERVER/NUMBER-MARK/NUMBER-MARK…   one that does: the last events, by its numbers and by what they were

The time is the server's own clock and the numbers are its own, so neither means much to another server. A server may
give a number to another event after a crash, and one that is built anew counts from 1 again. So each number stands
beside a mark of the event that had it, and reading goes on some events before the last, where both can be compared.
"""

import hashlib
import re
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from tagstream.errors import CorruptState

# A server takes a smaller cursor for a number, and a larger one for microseconds.
FIRST_TIME = 10**15
# The number of last events that are remembered, and so read again when reading goes on.
RECENT_MARKS = 8
# A server writes its events in blocks of 4,096, and may give so many numbers anew after a crash.
DEEP_NUMBERS = 4096
ANY_EVENT = "any"

_MARK = re.compile(r"([1-9][0-9]{0,14})-([0-9a-f]{10}|any)")


class Mark(NamedTuple):
    """An event that was read: its number, and a digest that tells it from any other.

    The digest `ANY_EVENT` means that nothing is known of the event.
    """

    number: int
    event: str


@dataclass(frozen=True, slots=True)
class JetstreamCursor:
    """The microseconds of the last event, the server that dated it, and the marks of the last events, oldest first."""

    time_us: int
    server: str
    marks: tuple[Mark, ...] = ()

    def __str__(self) -> str:
        return "/".join((f"{self.time_us}@{self.server}", *(f"{mark.number}-{mark.event}" for mark in self.marks)))

    @property
    def newest(self) -> int:
        """The number of the last event; 0 where there are none."""
        return self.marks[-1].number if self.marks else 0

    def step_back(self, times: int) -> int | None:
        """Returns the number to go on from: some events back, at the second attempt a whole block.

        Returns None to go on by time.
        """
        recent = self.marks[-RECENT_MARKS:]
        if times == 0 and recent:
            return recent[0].number
        if times == 1 and len(self.marks) > RECENT_MARKS:
            return self.marks[0].number
        return None


def read_cursor(cursor: str | None) -> JetstreamCursor | None:
    """Reads a saved cursor; returns None for the live end.

    Raises:
        CorruptState: it is none of ours.
    """
    if not cursor:
        return None
    position, *rest = cursor.split("/")
    time, _, server = position.partition("@")
    marks = [_MARK.fullmatch(text) for text in rest]
    if not (time.isascii() and time.isdigit() and len(time) <= 17 and server) or not all(marks):
        raise CorruptState(f"the saved cursor {cursor[:80]!r} is not one of a Bluesky feed")
    return JetstreamCursor(int(time), server, tuple(Mark(int(mark[1]), mark[2]) for mark in marks if mark))


def mark_of(*what: object) -> str:
    """Returns a digest that tells an event from any other, whichever server gives it in whichever form."""
    return hashlib.blake2b("\0".join(map(str, what)).encode(errors="surrogatepass"), digest_size=5).hexdigest()


class Trail:
    """The marks of the events that one connection gave, so that reading can go on from them.

    No single event moves it. A number that is far too large is left behind by the next events; they count as the
    server's new numbers only when two in a row agree.
    """

    def __init__(self, marks: tuple[Mark, ...] = ()) -> None:
        self._recent = deque(marks[-RECENT_MARKS:], maxlen=RECENT_MARKS)
        self._deep = deque(marks[:-RECENT_MARKS], maxlen=2)
        self._suspect: Mark | None = None

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The marks, oldest first."""
        first = self._recent[0].number if self._recent else 0
        return (*(mark for mark in self._deep if mark.number < first), *self._recent)

    def add(self, mark: Mark) -> None:
        """Takes in the next event that was read."""
        if not self._recent or mark.number > self._recent[-1].number:
            self._append(mark)
        elif mark in self._recent or mark in self._deep:
            self._suspect = None  # read again, unchanged
        elif self._suspect is not None and self._suspect.number < mark.number:
            self._go_back(self._suspect, mark)
        else:
            self._suspect = mark

    def _append(self, mark: Mark) -> None:
        self._suspect = None
        self._recent.append(mark)
        if not self._deep or mark.number - self._deep[-1].number >= DEEP_NUMBERS:
            self._deep.append(mark)

    def _go_back(self, first: Mark, second: Mark) -> None:
        """Follows a server that counts on from a smaller number: marks from there on no longer hold."""
        for marks in (self._recent, self._deep):
            while marks and marks[-1].number >= first.number:
                marks.pop()
        self._append(first)
        self._append(second)
