"""How a Jetstream server is asked to go on, and what its first events say of whether it did. Pure.

By number, where the server is the one that gave the numbers: `step` 0 some events back, 1 a block further. By time
otherwise, and after the numbers turned out to be those of other events: a server answers that with the start of its
newest segment, hours of feed perhaps, so what is older than asked for is passed over here.
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
    """What the first numbered event of a connection says."""

    GOES_ON = "goes_on"  # after what was read before, without a gap
    LATER = "later"  # than anything that is remembered: there may be a gap
    RENUMBERED = "renumbered"  # the numbers are those of other events


@dataclass(slots=True)
class Resumption:
    """One connection's beginning: `cursor` is what the server is asked for, None for its live end.

    `asked_us`: what is older is passed over, until two of three events in a row have reached it; 0 once they have.
    `live_us`: nothing after that is too old, whatever was asked for.
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

    def judge(self, number: int | None, event: str) -> FirstEvent:
        """What the first event says, of a connection that was asked for by number."""
        if self.verdict is None:
            self.verdict = self._judged(number, event) if self.by_number else FirstEvent.LATER
        return self.verdict

    def _judged(self, number: int | None, event: str) -> FirstEvent:
        if number is None or self.cursor is None or number < self.cursor:
            return FirstEvent.RENUMBERED  # a server that restarted with fewer events goes to its live end, silently
        if number > self.newest:
            return FirstEvent.LATER
        return FirstEvent.GOES_ON if self.known.get(number) in (event, ANY_EVENT) else FirstEvent.RENUMBERED

    def is_earlier(self, time_us: int) -> bool:
        """Whether an event is from before what was asked for by time; none is once the feed has reached that.

        One date alone may be wrong, and does not end the passing over. But what comes beside one that has reached it
        may be new, and is given.
        """
        if not self.asked_us:
            return False
        self.last.append(time_us >= min(self.asked_us, self.live_us))
        if sum(self.last) > 1:
            self.asked_us = 0
        return not any(self.last)


def resumption_of(
    place: JetstreamCursor | None, *, same_server: bool, step: int, rewind_us: int, floor_us: int, now_us: int
) -> Resumption:
    """How to go on from a place; by time `rewind_us` before it. `floor_us`: an earlier connection did not get there.

    `now_us`, our own clock, can only end the passing over early, where a server had dated the place wrongly. If it is
    behind, more is read again, and nothing is lost.
    """
    live_us = now_us - rewind_us
    if place is None:
        return Resumption()
    number = place.step_back(step) if same_server else None
    if number is not None:
        return Resumption(
            number, by_number=True, newest=place.newest, known=dict(place.marks), asked_us=floor_us, live_us=live_us
        )
    # A smaller number than that would be taken for the number of an event.
    asked_us = max(FIRST_TIME, place.time_us - rewind_us)
    return Resumption(asked_us, asked_us=asked_us, live_us=live_us)


class ConnectionProgress:
    """Its place moves with what is read of it; `events` were."""

    def __init__(self, place: JetstreamCursor | None, resumption: Resumption, server: str) -> None:
        self.place = place
        self.resumption = resumption
        self.server = server
        self.events = 0
        self._begun_at = place
        self._trail = Trail(place.marks if place is not None and resumption.by_number else ())

    @property
    def has_moved(self) -> bool:
        """Whether it gave anything that was not read before."""
        before, now = self._begun_at, self.place
        return before is None or now is None or (before.newest, before.time_us) != (now.newest, now.time_us)

    def take(self, opened: Opened, latest_us: int) -> None:
        """Goes on behind an event; behind one that was read before the place stays where it is."""
        self.events += 1
        self._note(opened)
        self.place = JetstreamCursor(latest_us, self.server, self._trail.marks)

    def pass_over(self, opened: Opened) -> None:
        """Goes on behind an event from before what was asked for: the time that is looked for stays."""
        self.events += 1
        self._note(opened)
        if self.place is not None:
            self.place = JetstreamCursor(self.resumption.asked_us, self.server, self._trail.marks)

    def _note(self, opened: Opened) -> None:
        if opened.number is not None:
            self._trail.add(Mark(opened.number, opened.mark))
