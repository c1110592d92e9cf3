"""What time it is at a Jetstream server, by the events that it gives, and by nothing else. Pure.

A server dates an event by when it saw it. But its operator may bring dates along from elsewhere, and then a live edit
says that it is years old, or to come. So no single event moves this clock: it shows what two of the last three have
reached, and never goes back. Our own clock has no say: it may be wrong by hours, and a post is not.
"""

from collections import deque


class FeedClock:
    """`latest_us`: what it shows; 0 before the first event."""

    def __init__(self) -> None:
        self._reached_us = 0
        self._last: deque[int] = deque(maxlen=3)

    @property
    def latest_us(self) -> int:
        # The first date of all is shown until a second one has confirmed it, or not.
        return self._reached_us or (self._last[-1] if self._last else 0)

    def start(self, time_us: int) -> None:
        """Shows that time from now on: another connection is read, perhaps of another server."""
        self._reached_us = time_us
        self._last.clear()
        if time_us:
            self._last.append(time_us)

    def take(self, time_us: int) -> int:
        """Takes in the date of an event; the answer is when the event can have been seen at the earliest.

        That is its own date, or what the clock shows where that is later.
        """
        self._last.append(time_us)
        if len(self._last) > 1:
            self._reached_us = max(self._reached_us, sorted(self._last)[-2])
        return max(self._reached_us, time_us)
