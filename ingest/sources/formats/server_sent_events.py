"""Parsing of server-sent events (the event stream of the HTML standard), in memory that no input can exhaust. Pure.

A line ends with LF, CR or CRLF, wherever the pieces are cut, and with nothing else: U+2028 is text. A line that begins
with a colon is a comment, which servers send as a sign of life; a blank line ends an event. Unknown fields are ignored,
as the standard asks. Knows nothing of HTTP, nor of the meaning of an event.
"""

from dataclasses import dataclass

MAX_EVENT_BYTES = 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event: its name (`message` where it has none) and its data, whose lines are joined by LF."""

    name: str
    data: bytes


class EventTooLong(Exception):
    """An event passes the limit before it ends. `beginning` is as much of it as the limit allows.

    `before` are the whole events that came before it in the same piece.
    """

    def __init__(self, beginning: bytes, limit: int) -> None:
        super().__init__(f"an event has more than {limit:,} bytes")
        self.beginning = beginning
        self.before: list[ServerSentEvent] = []


class ServerSentEventReader:
    """Takes bytes in any pieces: the events do not depend on how the input was cut."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._limit = max_event_bytes
        self._line = bytearray()
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0
        self._after_carriage_return = False
        self._at_beginning = True

    def feed(self, piece: bytes) -> list[ServerSentEvent]:
        """Returns the events that `piece` completes.

        Raises:
            EventTooLong: an event or a line is over the limit. Nothing can be read after it.
        """
        events: list[ServerSentEvent] = []
        try:
            self._read(piece, events)
        except EventTooLong as error:
            error.before = events
            raise
        return events

    def _read(self, piece: bytes, events: list[ServerSentEvent]) -> None:
        if piece and self._after_carriage_return:
            piece = piece.removeprefix(b"\n")
            self._after_carriage_return = False
        if piece.endswith(b"\r"):
            self._after_carriage_return = True
        *ended, rest = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for part in ended:
            self._hold(part)
            event = self._end_line()
            if event is not None:
                events.append(event)
        self._hold(rest)

    def _hold(self, part: bytes) -> None:
        if self._size + len(self._line) + len(part) > self._limit:
            beginning = b"\n".join([*self._data, bytes(self._line) + part])
            raise EventTooLong(beginning[: self._limit], self._limit)
        self._line += part

    def _end_line(self) -> ServerSentEvent | None:
        line = bytes(self._line)
        self._line.clear()
        if self._at_beginning:
            line = line.removeprefix(_BYTE_ORDER_MARK)
            self._at_beginning = False
        if not line:
            return self._end_event()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            # Each line costs memory of its own, also an empty one.
            self._size += len(value) + 1
        elif name == b"event":
            self._name = value.decode(errors="replace")
        return None

    def _end_event(self) -> ServerSentEvent | None:
        name, data = self._name, self._data
        self._name, self._data, self._size = "", [], 0
        return ServerSentEvent(name or "message", b"\n".join(data)) if data else None
