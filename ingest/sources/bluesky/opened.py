"""What a frame of a Jetstream server is, before what it holds is read: when it was, its number, or a notice. Pure."""

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

# A frame that holds more is not parsed: that would hold the interpreter's lock for too long. An honest post is below.
LARGEST_READ_BYTES = 2 * 1024 * 1024
_SHOWN = 200
_NOTICES = frozenset({"info", "error"})


class FrameFault(StrEnum):
    """Why a frame is a dead letter, beside what makes it no JSON object."""

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
    """The frame is not of the protocol; `fault` says why."""

    def __init__(self, fault: FrameFault, message: str) -> None:
        super().__init__(clean_text(message))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Notice:
    """What a server says of the stream itself; `is_error` if it is the last that it says."""

    name: str
    message: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """A frame of which is known what it is, but not yet what it holds.

    `time_us` is the server's date and `number` its number of the event, None where they make no sense; `mark` tells the
    event from any other. `fault` where it is not of the protocol.
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
        """Whether it is one of the log's events, and so has its place there."""
        return self.fault is None and self.notice is None and self.time_us is not None


def refuse(fault: FrameFault, message: str) -> NoReturn:
    raise MalformedFrame(fault, message)


def opened(body: bytes, largest_bytes: int) -> Opened:
    """When the frame was, and which number it has."""
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
    """A frame that could not even be decompressed."""
    return Opened({}, body, fault=malformed)


def _notice(said: object, *, is_error: bool) -> Notice:
    fields = said if isinstance(said, dict) else {}
    name, message = (one_line(fields.get(one)) for one in ("name", "message"))
    return Notice(name or "without a name", message, is_error)


def one_line(value: object) -> str:
    """Text of the server's as it may stand in a message: one line, and not long."""
    if not isinstance(value, str):
        return ""
    return "".join(one if one.isprintable() else " " for one in clean_text(value[:_SHOWN])).strip()


def _time_of(fields: Fields) -> int | None:
    """The microseconds at which the server saw it, in years that every part of the pipeline can write."""
    value = fields.get("time_us")
    return value if type(value) is int and 0 < value < 2**53 else None


def _number_of(fields: Fields) -> int | None:
    """The server's number of the event; None where it gives none that could be asked for."""
    value = fields.get("cursor")
    return value if type(value) is int and 0 < value < FIRST_TIME else None


def _mark_of(fields: Fields) -> str:
    """What the event is, by what every server and either form gives of it: when it was shown first is not in it."""
    kind = fields.get("kind")
    body = fields.get(kind) if isinstance(kind, str) else None
    told = (
        [body.get(one) for one in ("rev", "operation", "collection", "rkey", "seq")] if isinstance(body, dict) else []
    )
    return mark_of(*(one for one in (kind, fields.get("did"), *told) if isinstance(one, str | int)))


def unwrapped(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """An event of the second generation in the form of the first; what is none as it is."""
    payload = message.get("payload")
    if message.get("$type") == "error":
        return {"kind": "error", "error": {"name": message.get("error"), "message": message.get("message")}}
    if message.get("$type") != "message" or not isinstance(payload, dict):
        return message
    kind = str(payload.get("$type")).rpartition("#")[2]
    if kind == "info":
        return {"kind": kind, kind: payload}
    body = payload if kind == "commit" else payload.get(kind)
    moment = microseconds_of(payload.get("time"))
    return {"did": payload.get("did"), "kind": kind, kind: body, "time_us": moment, "cursor": payload.get("seq")}
