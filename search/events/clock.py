"""The clock of the feed: the newest minute that several authors have reached.

An archive is years old and a hostile account may date its posts as it likes, so neither the clock of the machine nor
the newest post says how late it is in a feed. A minute is reached when `AUTHORS` distinct authors have written in it
or later; a jump of more than a day takes `AUTHORS_FOR_A_JUMP`. What the clock says depends on the set of posts noted,
except that it never goes back.
"""

from datetime import datetime
from typing import Any, Self

from search.events.minutes import DAY, to_minute, to_number
from search.events.snapshots import pack, unpack

AUTHORS = 3
AUTHORS_FOR_A_JUMP = 10
"""More than a day ahead at once: an archive with a gap does so, but so do a few accounts with a wrong clock."""

_KIND, _VERSION = "feed clock", 1


class FeedClock:
    """The newest minute of a feed; see the module.

    Keeps the newest minute of each of the few authors who are ahead, and nothing of the others.
    """

    def __init__(self) -> None:
        self._newest: int | None = None
        self._ahead: dict[int | str, int] = {}

    @property
    def newest(self) -> datetime | None:
        """The newest minute that several authors have reached; None before that."""
        return None if self._newest is None else to_minute(self._newest)

    def note(self, author: int | None, minute: datetime, post_id: str) -> None:
        """Notes a post; one without an author is its own author. Notes of the past change nothing."""
        number = to_number(minute)
        if self._newest is not None and number <= self._newest:
            return
        name = post_id if author is None else author
        if number <= self._ahead.get(name, number - 1):
            return
        self._ahead[name] = number
        self._advance()
        self._forget_all_but_the_newest()

    def _advance(self) -> None:
        """Moves to the newest minute that enough authors have reached, if there is one."""
        ahead = sorted(self._ahead.values(), reverse=True)
        for enough in (AUTHORS, AUTHORS_FOR_A_JUMP):
            if len(ahead) < enough:
                return
            reached = ahead[enough - 1]
            if enough == AUTHORS_FOR_A_JUMP or self._newest is None or reached - self._newest <= DAY:
                self._newest = reached
                self._ahead = {name: number for name, number in self._ahead.items() if number > reached}
                return

    def _forget_all_but_the_newest(self) -> None:
        """Keeps the authors furthest ahead within a day and the ones beyond it, each few enough to be bounded."""
        near = DAY + (self._newest or 0)
        kept: dict[int | str, int] = {}
        for group in (
            [item for item in self._ahead.items() if item[1] <= near],
            [item for item in self._ahead.items() if item[1] > near],
        ):
            kept.update(sorted(group, key=_newest_first)[:AUTHORS_FOR_A_JUMP])
        self._ahead = kept

    def snapshot(self) -> bytes:
        """Returns the state, the same bytes for the same state."""
        return pack(_KIND, _VERSION, [self._newest, sorted(self._ahead.items(), key=_newest_first)])

    @classmethod
    def restore(cls, snapshot: bytes) -> Self:
        """Returns the clock of a snapshot.

        Raises:
            CorruptState: the bytes are no snapshot of a clock.
        """
        return unpack(_KIND, _VERSION, snapshot, cls._of)

    @classmethod
    def _of(cls, state: Any) -> Self:
        newest, ahead = state
        clock = cls()
        clock._newest = None if newest is None else int(newest)
        clock._ahead = {name: int(number) for name, number in ahead}
        return clock


def _newest_first(item: tuple[int | str, int]) -> tuple[int, str]:
    return -item[1], str(item[0])
