"""The cursor of a Bluesky feed: `TIME@SERVER`, because the time is that of the server's own clock. Pure."""

from dataclasses import dataclass

from tagstream.errors import CorruptState


@dataclass(frozen=True, slots=True)
class Place:
    """The microseconds of the last event, and the server that dated it."""

    time_us: int
    server: str

    def __str__(self) -> str:
        return f"{self.time_us}@{self.server}"


def read_place(cursor: str | None) -> Place | None:
    """The place that a saved cursor names; None for the live end.

    Raises:
        CorruptState: it is none of ours.
    """
    if not cursor:
        return None
    time, _, server = cursor.partition("@")
    if not (time.isascii() and time.isdigit() and len(time) <= 17 and server):
        raise CorruptState(f"the saved place {cursor[:80]!r} is not one of a Bluesky feed")
    return Place(int(time), server)
