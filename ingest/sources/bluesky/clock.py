"""What time it is at a Jetstream server, by the events that it gives. Pure, but for our own clock as a bound.

A server dates an event by when it saw it. But its operator may bring dates along from elsewhere, and then a live edit
says that it is years old. So no single event moves this clock: it shows what two of the last three have reached, and
never goes back.
"""

import time
from collections import deque
from collections.abc import Callable

# No server's clock is further ahead of ours than that.
_AHEAD_US = 3600 * 1_000_000


class FeedClock:
    """`latest_us`: what it shows; 0 before the first event."""

    def __init__(self, wall_us: Callable[[], int] = lambda: time.time_ns() // 1000) -> None:
        self.latest_us = 0
        self._wall_us = wall_us
        self._last: deque[int] = deque(maxlen=3)

    def start(self, time_us: int) -> None:
        """Shows that time from now on: another connection is read, perhaps of another server."""
        self.latest_us = time_us
        self._last.clear()
        if time_us:
            self._last.append(time_us)

    def believes(self, time_us: int) -> bool:
        return time_us <= self._wall_us() + _AHEAD_US

    def take(self, time_us: int) -> int:
        """Takes in the date of an event; the answer is when the event can have been seen at the earliest.

        That is its own date, or what the clock shows where that is later.
        """
        if not self.believes(time_us):
            return self.latest_us or self._wall_us()
        self._last.append(time_us)
        reached = self._last[0] if len(self._last) == 1 else sorted(self._last)[-2]
        self.latest_us = max(self.latest_us, reached)
        return max(self.latest_us, time_us)
