"""One connection to a Jetstream server as it is read: how it was begun, and where it is. Pure."""

from ingest.sources.bluesky.opened import Opened
from ingest.sources.bluesky.place import Mark, Place, Trail
from ingest.sources.bluesky.resumption import Resumption


class Reading:
    """Its place moves with what is read of it; `events` were."""

    def __init__(self, place: Place | None, resumption: Resumption, server: str) -> None:
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
        self.place = Place(latest_us, self.server, self._trail.marks)

    def pass_over(self, opened: Opened) -> None:
        """Goes on behind an event from before what was asked for: the time that is looked for stays."""
        self.events += 1
        self._note(opened)
        if self.place is not None:
            self.place = Place(self.resumption.asked_us, self.server, self._trail.marks)

    def _note(self, opened: Opened) -> None:
        if opened.number is not None:
            self._trail.add(Mark(opened.number, opened.mark))
