"""The hours in which a subject was mentioned often, and what recurs by them: daily or weekly, about the same time.

What came at this time on two of the last seven days is daily; what came a week ago is expected again. Once at the same
hour of another day is no habit: tomorrow may bring another flood.
"""

from array import array
from bisect import bisect_left
from struct import pack, unpack
from typing import Any

DAYS = 7
SPREAD = 1
"""What recurs may come an hour earlier or later."""
SCATTER = 0.5
"""The deviation of what recurs, as a share of it: a show has a third more viewers, and is no event."""


_COUNT_BITS = 18
"""Enough for twelve blocks of as many authors as the window holds posts."""
_MAX_COUNT = (1 << _COUNT_BITS) - 1
_PACKED_SIZE = 8


class NotableHours:
    """The most authors of a block and the sum over its blocks, for each hour of the last week that had many.

    Packed in one number an hour, because a week of 50,000 subjects may have eight million: so they take 70 MiB.
    """

    __slots__ = ("_hours",)

    def __init__(self) -> None:
        self._hours = array("q")  # in order of time

    def __bool__(self) -> bool:
        return bool(self._hours)

    def note(self, hour: int, authors: int) -> None:
        """Notes a block of the hour, no earlier than any before; forgets what is older than a week."""
        peak, total = 0, 0
        if self._hours and self._hours[-1] >= _packed(hour):
            _, peak, total = _unpacked(self._hours.pop())
        self._hours.append(_packed(hour, max(peak, authors), total + authors))
        del self._hours[: bisect_left(self._hours, _packed(hour - DAYS * 24 - SPREAD))]

    def recurring(self, hour: int, blocks: float) -> float:
        """Returns the authors to expect of so many blocks in the hour, because it was so before."""
        days = [self._about(hour - day * 24, blocks) for day in range(1, DAYS + 1)]
        return max(days[-1], sorted(days)[-2])

    def _about(self, hour: int, blocks: float) -> float:
        first = bisect_left(self._hours, _packed(hour - SPREAD))
        after = bisect_left(self._hours, _packed(hour + SPREAD + 1), first)
        near = map(_unpacked, self._hours[first:after])
        return max((min(peak * blocks, total) for _, peak, total in near), default=0.0)

    def state(self) -> bytes:
        return pack(f"<{len(self._hours)}q", *self._hours)

    @classmethod
    def of(cls, state: Any) -> "NotableHours":
        hours = cls()
        hours._hours.extend(unpack(f"<{len(state) // _PACKED_SIZE}q", state))
        return hours


def _packed(hour: int, peak: int = 0, total: int = 0) -> int:
    return (hour << 2 * _COUNT_BITS) + (min(peak, _MAX_COUNT) << _COUNT_BITS) + min(total, _MAX_COUNT)


def _unpacked(packed: int) -> tuple[int, int, int]:
    return packed >> 2 * _COUNT_BITS, (packed >> _COUNT_BITS) & _MAX_COUNT, packed & _MAX_COUNT
