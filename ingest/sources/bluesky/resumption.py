"""The resumption of a feed: what a server is asked for, whether it complied, and the position reached. Pure.

Reading goes on by number, where the server is the one that gave the numbers: at `step` 0 some events back, at 1 a block
further. Otherwise it goes on by time, also after the numbers turned out to be those of other events. A server answers a
time with the start of its newest segment, hours of feed perhaps, so events from before that time are passed over here.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from ingest.sources.bluesky.cursor import ANY_EVENT, FIRST_TIME, JetstreamCursor, Mark, Trail
from ingest.sources.bluesky.opened import Opened
from tagstream.posts import MAX_REVISION

# The step at which numbers are no longer tried.
BY_TIME = 2


class FirstEvent(Enum):
    """The first numbered event of a connection, compared with the events read before."""

    GOES_ON = "goes_on"  # after what was read before, without a gap
    LATER = "later"  # than anything that is remembered: there may be a gap
    RENUMBERED = "renumbered"  # the numbers are those of other events


@dataclass(slots=True)
class Resumption:
    """The beginning of one connection: `cursor` is the one requested of the server, None for its live end.

    Events before `asked_us` are passed over, until two of three events in a row have reached it; it is 0 from then on.
    No event after `live_us` is too old, whatever was asked for.
    """

    cursor: int | None = None
    by_number: bool = False
    newest: int = 0
    asked_us: int = 0
    known: dict[int, str] = field(default_factory=dict)
    verdict: FirstEvent | None = None
    live_us: int = MAX_REVISION
    waiting: bool = True  # for the first event that counts
    last: deque[bool] = field(default_factory=lambda: deque(maxlen=3))  # whether they had reached what was asked for

    def verdict_on(self, number: int | None, event: str) -> FirstEvent:
        """Compares the first event with the events read before, for a connection that was asked for by number."""
        if self.verdict is None:
            self.verdict = self._verdict(number, event) if self.by_number else FirstEvent.LATER
        return self.verdict

    def _verdict(self, number: int | None, event: str) -> FirstEvent:
        if number is None or self.cursor is None or number < self.cursor:
            return FirstEvent.RENUMBERED  # a server that restarted with fewer events goes to its live end, silently
        if number > self.newest:
            return FirstEvent.LATER
        return FirstEvent.GOES_ON if self.known.get(number) in (event, ANY_EVENT) else FirstEvent.RENUMBERED

    def is_earlier(self, time_us: int) -> bool:
        """Says whether an event is from before the time that was asked for.

        None is once the feed has reached that time. One date alone may be wrong, and does not end the passing over. But
        an event beside one that has reached the time may be new, and is given.
        """
        if not self.asked_us:
            return False
        self.last.append(time_us >= min(self.asked_us, self.live_us))
        if sum(self.last) > 1:
            self.asked_us = 0
        return not any(self.last)


def resumption_of(
    cursor: JetstreamCursor | None, *, same_server: bool, step: int, rewind_us: int, floor_us: int, now_us: int
) -> Resumption:
    """Returns how to go on from a position; by time, that is `rewind_us` before it.

    `floor_us` is the time that an earlier connection was asked for and did not reach. `now_us`, our own clock, can only
    end the passing over early, where a server had dated the position wrongly. If our clock is behind, more is read
    again, and nothing is lost.
    """
    live_us = now_us - rewind_us
    if cursor is None:
        return Resumption()
    number = cursor.step_back(step) if same_server else None
    if number is not None:
        return Resumption(
            number, by_number=True, newest=cursor.newest, known=dict(cursor.marks), asked_us=floor_us, live_us=live_us
        )
    # A smaller number than that would be taken for the number of an event.
    asked_us = max(FIRST_TIME, cursor.time_us - rewind_us)
    return Resumption(asked_us, asked_us=asked_us, live_us=live_us)


class ConnectionProgress:
    """The progress of one connection: the position moves with the events read, of which there were `events`."""

    def __init__(self, cursor: JetstreamCursor | None, resumption: Resumption, server: str) -> None:
        self.cursor = cursor
        self.resumption = resumption
        self.server = server
        self.events = 0
        self._begun_at = cursor
        self._trail = Trail(cursor.marks if cursor is not None and resumption.by_number else ())

    @property
    def has_moved(self) -> bool:
        """Whether the connection gave anything that was not read before."""
        before, now = self._begun_at, self.cursor
        return before is None or now is None or (before.newest, before.time_us) != (now.newest, now.time_us)

    def take(self, opened: Opened, latest_us: int) -> None:
        """Goes on after an event; after one that was read before, the position stays."""
        self.events += 1
        self._note(opened)
        self.cursor = JetstreamCursor(latest_us, self.server, self._trail.marks)

    def pass_over(self, opened: Opened) -> None:
        """Goes on after an event from before the time that was asked for; that time stays in the position."""
        self.events += 1
        self._note(opened)
        if self.cursor is not None:
            self.cursor = JetstreamCursor(self.resumption.asked_us, self.server, self._trail.marks)

    def _note(self, opened: Opened) -> None:
        if opened.number is not None:
            self._trail.add(Mark(opened.number, opened.mark))
