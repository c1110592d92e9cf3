"""The time at a Jetstream server, told by the events that it gives, and by nothing else. Pure.

A server dates an event by when it saw it. But its operator may import dates from elsewhere, and then a live edit claims
to be years old, or to lie ahead. So no single event moves this clock: it shows what two of the last three events have
reached, and never goes back. Our own clock has no say: it may be wrong by hours, and a post is not.
"""

from collections import deque


class JetstreamClock:
    """A clock that events drive. `latest_us` is the time that it shows; 0 before the first event."""

    def __init__(self) -> None:
        self._reached_us = 0
        self._last: deque[int] = deque(maxlen=3)

    @property
    def latest_us(self) -> int:
        # The first date of all is shown until a second one has confirmed it, or has not.
        return self._reached_us or (self._last[-1] if self._last else 0)

    def start(self, time_us: int) -> None:
        """Shows that time from now on: another connection is read, perhaps to another server."""
        self._reached_us = time_us
        self._last.clear()
        if time_us:
            self._last.append(time_us)

    def take(self, time_us: int) -> int:
        """Takes in the date of an event; returns when the event can have been seen at the earliest.

        That is its own date, or the time of the clock where that is later.
        """
        self._last.append(time_us)
        if len(self._last) > 1:
            self._reached_us = max(self._reached_us, sorted(self._last)[-2])
        return max(self._reached_us, time_us)
