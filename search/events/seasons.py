"""The hours in which a subject was mentioned often, and what recurs by them: daily or weekly, about the same time.

What came at this time on two of the last seven days is daily; what came a week ago is expected again. Once at the same
hour of another day is no habit: tomorrow may bring another flood.
"""

from typing import Any

DAYS = 7
SPREAD = 1
"""What recurs may come an hour earlier or later."""
SCATTER = 0.5
"""The deviation of what recurs, as a share of it: a show has a third more viewers, and is no event."""


class NotableHours:
    """The most authors of a block and the sum over its blocks, for each hour of the last week that had many."""

    __slots__ = ("_hours",)

    def __init__(self) -> None:
        self._hours: dict[int, tuple[int, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._hours)

    def note(self, hour: int, authors: int) -> None:
        """Notes a block of the hour, and forgets what is older than a week."""
        peak, total = self._hours.get(hour, (0, 0))
        self._hours[hour] = max(peak, authors), total + authors
        for old in [old for old in self._hours if old < hour - DAYS * 24 - SPREAD]:
            del self._hours[old]

    def recurring(self, hour: int, blocks: float) -> float:
        """Returns the authors to expect of so many blocks in the hour, because it was so before."""
        days = [self._about(hour - day * 24, blocks) for day in range(1, DAYS + 1)]
        return max(days[-1], sorted(days)[-2])

    def _about(self, hour: int, blocks: float) -> float:
        near = [self._hours[one] for one in range(hour - SPREAD, hour + SPREAD + 1) if one in self._hours]
        return max((min(peak * blocks, total) for peak, total in near), default=0.0)

    def state(self) -> list[Any]:
        return [[hour, *counts] for hour, counts in sorted(self._hours.items())]

    @classmethod
    def of(cls, state: Any) -> "NotableHours":
        hours = cls()
        hours._hours = {hour: (peak, total) for hour, peak, total in state}
        return hours
