"""Conversion of the events of a Mastodon stream. Pure.

::

    update, status.update ─▶ Post (a status without one is counted)   delete ─▶ Deletion, for ever: ids never come back
    everything else       ─▶ counted                                  no event of the protocol ─▶ DeadLetter

The protocol: docs.joinmastodon.org/methods/streaming and the server's own streaming service. The origin of a dead
letter follows from its content, so that it is the same at every replay.
"""

import hashlib
import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace

from ingest.sources.error_isolation import identified_dead_letter, isolate_error
from ingest.sources.formats.json_fields import Fields, LineFault, MalformedLine, read_object, refuse, short
from ingest.sources.mastodon.status import PassedOverStatus, dead_letter_of_status, read_status, status_id
from tagstream.dead_letter import dead_letter
from tagstream.posts import DeadLetter, Deletion, Event, native_id

EVENT_TOO_LONG = "event_too_long"
_KNOWN_GOOD = (
    b'{"id": "112039999999999999", "created_at": "2024-03-04T10:00:00.123Z", "visibility": "public", '
    b'"content": "<p>Rain in #Porto</p>", "account": {"id": "7", "acct": "ann"}}'
)


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event as its transport gave it: its name and its payload, which is JSON or the id of a status."""

    name: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Oversized:
    """An event that passed the limit before it ended; `beginning` is the part of it that was read."""

    beginning: bytes
    limit: int


@dataclass(frozen=True, slots=True)
class RefusedSubscription:
    """A server's refusal of a stream on a WebSocket, and the HTTP status that it stands for."""

    message: str
    status: int | None


@dataclass(frozen=True, slots=True)
class Understood:
    """The meaning of an event. `event` is None if there is nothing to store; `id` is the status's own.

    `is_new` says whether the status has just come to the timeline; an old status that was edited has not.
    """

    event: Event | None
    id: str | None = None
    is_new: bool = True


class StatusEventReader:
    """A reader of the streams and timelines of one server; `passed_over` counts items without an event."""

    def __init__(self, source: str) -> None:
        self.passed_over: Counter[PassedOverStatus] = Counter()
        self._source = source

    def event(self, event: StreamEvent | Oversized) -> Understood:
        """Reads an event of a stream.

        Raises (as `listed`):
            Fatal: our code fails on a known good status.
        """
        try:
            return self._event(event)
        except Exception as error:
            body = event.beginning if isinstance(event, Oversized) else event.payload
            return self._unexpected(error, body)

    def listed(self, status: object) -> Understood:
        """Reads an element of a timeline."""
        body = json.dumps(status).encode()
        try:
            return self._status(body)
        except Exception as error:
            return self._unexpected(error, body)

    def _event(self, event: StreamEvent | Oversized) -> Understood:
        if isinstance(event, Oversized):
            return Understood(self._oversized(event))
        if event.name == "delete":
            return Understood(self._deletion(event.payload))
        if event.name in ("update", "status.update", ""):
            return replace(self._status(event.payload), is_new=event.name == "update")
        self.passed_over[PassedOverStatus.OTHER_EVENT] += 1
        return Understood(None)

    def _status(self, body: bytes) -> Understood:
        fields: Fields = {}
        try:
            fields = read_object(body)
            read = read_status(fields, self._source)
        except MalformedLine as malformed:
            letter = dead_letter_of_status(
                body, malformed, origin=self._origin(body), source=self._source, fields=fields
            )
            return Understood(letter, _readable_id(fields))
        if isinstance(read, PassedOverStatus):
            self.passed_over[read] += 1
            return Understood(None, _readable_id(fields))
        return Understood(read, _readable_id(fields))

    def _deletion(self, body: bytes) -> Event:
        try:
            identifier = status_id(body.decode(errors="replace").strip().strip('"'))
        except MalformedLine as malformed:
            return dead_letter_of_status(body, malformed, origin=self._origin(body), source=self._source, fields={})
        return Deletion(id=native_id(self._source, identifier), source=self._source)

    def _unexpected(self, error: Exception, body: bytes) -> Understood:
        malformed = MalformedLine(LineFault.UNEXPECTED, isolate_error(error, _read_known_good))
        fields: Fields = {}
        with suppress(MalformedLine):
            fields = read_object(body)

        def letter(fields: Fields) -> DeadLetter:
            return dead_letter_of_status(body, malformed, origin=self._origin(body), source=self._source, fields=fields)

        return Understood(identified_dead_letter(letter, fields))

    def _oversized(self, event: Oversized) -> DeadLetter:
        return dead_letter(
            origin=self._origin(event.beginning),
            source=self._source,
            cause=EVENT_TOO_LONG,
            message=f"an event has more than {event.limit:,} bytes; its beginning is kept, the rest was not read",
            body=event.beginning,
        )

    def _origin(self, body: bytes) -> str:
        return f"{self._source}:sha256-{hashlib.sha256(body).hexdigest()}"


def _read_known_good() -> None:
    read_status(read_object(_KNOWN_GOOD), "mastodon:social.example")


def _readable_id(fields: Fields) -> str | None:
    try:
        return status_id(fields.get("id"))
    except MalformedLine:
        return None


def websocket_event(body: bytes) -> StreamEvent | RefusedSubscription:
    """Reads a frame of a WebSocket; a frame that is not of the protocol becomes an event without a name."""
    try:
        fields = read_object(body)
        if isinstance(fields.get("error"), str):
            status = fields.get("status")
            return RefusedSubscription(fields["error"][:200], status if type(status) is int else None)
        name, payload = fields.get("event"), fields.get("payload")
        if not isinstance(name, str) or not name:
            refuse(LineFault.BAD_FIELD, f"event is {short(name)}")
    except MalformedLine:
        return StreamEvent("", body)
    if isinstance(payload, str):
        return StreamEvent(name, payload.encode(errors="surrogatepass"))
    return StreamEvent(name, b"" if payload is None else json.dumps(payload).encode())
