"""The envelope of a Jetstream frame, before its content is read: its time, its number, or a notice. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn

from ingest.sources.bluesky.cursor import FIRST_TIME, mark_of
from ingest.sources.bluesky.identifiers import microseconds_of
from ingest.sources.error_isolation import UNEXPECTED
from ingest.sources.formats.json_fields import MalformedLine, read_object
from tagstream.errors import MalformedPost
from tagstream.posts import clean_text

Fields = Mapping[str, Any]

# A larger frame is not parsed, because that would hold the interpreter's lock for too long. Honest posts are smaller.
LARGEST_READ_BYTES = 2 * 1024 * 1024
_SHOWN = 200
_NOTICES = frozenset({"info", "error"})


class FrameFault(StrEnum):
    """The causes for which a frame is a dead letter, beside those that make it no JSON object."""

    BAD_ENVELOPE = "bad_envelope"
    BAD_COMMIT = "bad_commit"
    BAD_ACCOUNT = "bad_account"
    BAD_SYNC = "bad_sync"
    BAD_RECORD = "bad_record"
    TEXT_TOO_LONG = "text_too_long"
    BAD_COMPRESSION = "bad_compression"
    FRAME_TOO_LARGE = "frame_too_large"
    UNEXPECTED = UNEXPECTED


class MalformedFrame(MalformedPost):
    """The frame is not of the protocol; `fault` is the cause."""

    def __init__(self, fault: FrameFault, message: str) -> None:
        super().__init__(clean_text(message))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Notice:
    """A server's word about the stream itself; `is_error` if it is the server's last."""

    name: str
    message: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """A frame whose kind is known, but whose content is not read yet.

    `time_us` is the server's date and `number` its number of the event, None where they make no sense; `mark` tells the
    event from any other. `fault` is set where the frame is not of the protocol.
    """

    fields: Fields
    body: bytes
    time_us: int | None = None
    number: int | None = None
    mark: str = ""
    notice: Notice | None = None
    fault: MalformedLine | MalformedFrame | None = None

    @property
    def is_event(self) -> bool:
        """Whether the frame is one of the log's events, and so has a position in the log."""
        return self.fault is None and self.notice is None and self.time_us is not None


def refuse(fault: FrameFault, message: str) -> NoReturn:
    """Raises `MalformedFrame`."""
    raise MalformedFrame(fault, message)


def opened(body: bytes, largest_bytes: int) -> Opened:
    """Reads the time and the number of a frame."""
    fields: Fields = {}
    try:
        if len(body) > largest_bytes:
            refuse(FrameFault.FRAME_TOO_LARGE, f"it has {len(body):,} bytes, at most {largest_bytes:,} are read")
        fields = unwrapped(read_object(body))
    except (MalformedLine, MalformedFrame) as malformed:
        return Opened(fields, body, fault=malformed)
    kind = fields.get("kind")
    if isinstance(kind, str) and kind in _NOTICES:
        return Opened(fields, body, notice=_notice(fields.get(kind), is_error=kind == "error"))
    return Opened(fields, body, _time_of(fields), _number_of(fields), _mark_of(fields))


def unreadable(body: bytes, malformed: MalformedFrame) -> Opened:
    """Returns a frame that could not even be decompressed."""
    return Opened({}, body, fault=malformed)


def _notice(said: object, *, is_error: bool) -> Notice:
    fields = said if isinstance(said, dict) else {}
    name, message = (one_line(fields.get(part)) for part in ("name", "message"))
    return Notice(name or "without a name", message, is_error)


def one_line(value: object) -> str:
    """Returns a server's text as it may stand in a message: one line, and not long."""
    if not isinstance(value, str):
        return ""
    return "".join(sign if sign.isprintable() else " " for sign in clean_text(value[:_SHOWN])).strip()


def _time_of(fields: Fields) -> int | None:
    """Returns the microseconds at which the server saw the event; None outside the years that the pipeline can
    write.
    """
    value = fields.get("time_us")
    return value if type(value) is int and 0 < value < 2**53 else None


def _number_of(fields: Fields) -> int | None:
    """Returns the server's number of the event; None where it gives none that could be asked for."""
    value = fields.get("cursor")
    return value if type(value) is int and 0 < value < FIRST_TIME else None


def _mark_of(fields: Fields) -> str:
    """Returns the event's mark, from the parts that every server gives in either form; its first sight is not one."""
    kind = fields.get("kind")
    body = fields.get(kind) if isinstance(kind, str) else None
    identity = (
        [body.get(name) for name in ("rev", "operation", "collection", "rkey", "seq")] if isinstance(body, dict) else []
    )
    return mark_of(*(part for part in (kind, fields.get("did"), *identity) if isinstance(part, str | int)))


def unwrapped(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns an event of the second generation in the form of the first; anything else as it is."""
    payload = message.get("payload")
    if message.get("$type") == "error":
        return {"kind": "error", "error": {"name": message.get("error"), "message": message.get("message")}}
    if message.get("$type") != "message" or not isinstance(payload, dict):
        return message
    kind = str(payload.get("$type")).rpartition("#")[2]
    if kind == "info":
        return {"kind": kind, kind: payload}
    body = payload if kind == "commit" else payload.get(kind)
    timestamp_us = microseconds_of(payload.get("time"))
    return {"did": payload.get("did"), "kind": kind, kind: body, "time_us": timestamp_us, "cursor": payload.get("seq")}
