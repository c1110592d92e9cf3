"""The lines of a dump: everything that an index keeps, as JSON. Pure: no store, no file.

::

    {"kind":"dump","format":2}                                            what it is
    {"author":"ann","hide":true,"source":"jsonl","sequence":7}            an account's newest status
    {"kind":"erasure","source":"jsonl","author":"bea","position":12}      an account that is gone up to there
    {"kind":"record","id":"jsonl:7","version":1,…,"visible":true}         the registry's record of an id, and
    {"version":3,"id":"jsonl:7",…}                                        its tagged post, if it may be seen, with
    {"kind":"thumbnail","id":"jsonl:7","sha256":"…","jpeg":"…"}           its pictures, in base64
    {"kind":"trend","type":"LOC","key":"paris",…}                         a trend at the end of a minute
    {"kind":"event","id":"…","minute":"…",…}                              an event at the end of a minute
    {"kind":"dead_letter","origin":"feed.jsonl:9",…,"body":"…"}           what could not be processed, in base64
    {"kind":"cursor","source":"jsonl:feed.jsonl","position":"…"}          how far a source was read
    {"kind":"end","lines":…,"sha256":"…",…}                               how many lines stand before it, their hash

Format 2 added trends and events. The first dumps held posts and statuses alone. So a line without `kind` is a post or a
status, and a dump of these alone is an old one, or one of `--kind posts`.
"""

import base64
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from search.detections import stored_json
from search.documents import TIME_SHIFT, read_document
from search.index import Kept, Remembered, SourceCursor, Thumbnail, Unnamed
from search.limits import MAX_MOMENT
from search.registry import UNSEEN, RegistryRecord
from tagstream.bounds import MAX_ORIGIN_LENGTH
from tagstream.codec import describe
from tagstream.detections import DetectedEvent, TrendState
from tagstream.errors import CorruptState, NewerVersion
from tagstream.posts import (
    CONTRACT_VERSION,
    MAX_ID_BYTES,
    MAX_THUMBNAIL_BYTES,
    AccountStatus,
    DeadLetter,
    Erasure,
    TaggedPost,
    to_epoch_milliseconds,
)
from tagstream.text.entity_keys import with_current_keys
from tagstream.text.json_text import why_not_json
from tagstream.text.terminal_text import json_for_terminals

FORMAT = 2
_NUMBERS = tuple(one.name for one in fields(RegistryRecord) if one.name not in ("id", "visible"))
_STATUS_FIELDS = frozenset({"author", "hide", "source", "sequence"})
_LARGEST_INTEGER = 2**63 - 1
_LARGEST = {
    # The latest time that a post is numbered by, and room for those that share it.
    "number": (MAX_MOMENT + 2**20) << TIME_SHIFT,
    "observed_at": to_epoch_milliseconds(datetime.max.replace(tzinfo=UTC)),
}
_MAY_BE_UNSEEN = frozenset({"version", "deleted", "deleted_position"})
_MAX_CURSOR_LENGTH = 32 * 1024 * 1024
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_SHA256 = re.compile("[0-9a-f]{64}")


class MalformedDumpLine(Exception):
    """A line that no dump holds; the message says why."""


@dataclass
class DumpWriter:
    """The writer of the lines of one dump, which counts and hashes them."""

    counts: Counter[str] = field(default_factory=Counter)
    unnamed_erasures: int = 0
    _lines: int = 0
    _hash: Any = field(default_factory=sha256)

    def begin(self) -> str:
        """Returns the first line."""
        return self._count({"kind": "dump", "format": FORMAT})

    def lines(self, kept: Kept) -> Iterator[str]:
        """Yields the lines of one thing that an index keeps."""
        match kept:
            case AccountStatus():
                self.counts["statuses"] += 1
                yield self._count_text(status_line(kept))
            case Erasure():
                self.counts["erasures"] += 1
                yield self._count({"kind": "erasure", **kept.model_dump(exclude={"version"})})
            case Remembered(record, post, thumbnails):
                self.counts["tombstones"] += post is None
                yield self._count({"kind": "record", **asdict(record)})
                if post is not None:
                    self.counts["posts"] += 1
                    yield self._count_text(post.model_dump_json())
                for photo, jpeg in thumbnails:
                    self.counts["thumbnails"] += 1
                    shown = {"id": record.id, "sha256": photo, "jpeg": base64.b64encode(jpeg).decode()}
                    yield self._count({"kind": "thumbnail", **shown})
            case TrendState():
                self.counts["trends"] += 1
                yield self._count({"kind": "trend", **json.loads(stored_json(kept))})
            case DetectedEvent():
                self.counts["events"] += 1
                yield self._count({"kind": "event", **json.loads(stored_json(kept))})
            case DeadLetter():
                self.counts["dead_letters"] += 1
                body = base64.b64encode(kept.body).decode()
                yield self._count({"kind": "dead_letter", **kept.model_dump(exclude={"version"}), "body": body})
            case SourceCursor(source, position):
                self.counts["cursors"] += 1
                yield self._count({"kind": "cursor", "source": source, "position": position})
            case Unnamed(erasures):
                self.unnamed_erasures += erasures

    def end(self) -> str:
        """Returns the last line, with the counts and the hash of the lines before."""
        told = {"lines": self._lines, "sha256": self._hash.hexdigest(), "unnamed_erasures": self.unnamed_erasures}
        return _line({"kind": "end", **told, **self.counts})

    def _count(self, document: Mapping[str, Any]) -> str:
        return self._count_text(_line(document))

    def _count_text(self, line: str) -> str:
        line = json_for_terminals(line)  # as it is printed: the hash is of that
        self._lines += 1
        self._hash.update(line.encode() + b"\n")
        return line


def status_line(status: AccountStatus) -> str:
    """Returns the line of an account's status, the same as in a feed of JSON lines."""
    return _line({"author": status.author, "hide": status.hidden, "source": status.source, "sequence": status.position})


@dataclass(frozen=True, slots=True)
class DumpBegin:
    """The first line of a dump: its format."""

    format: int


@dataclass(frozen=True, slots=True)
class DumpEnd:
    """The last line of a dump: the number of lines before it, and their hash."""

    lines: int
    sha256: str


@dataclass(frozen=True, slots=True)
class DumpedThumbnail:
    """A thumbnail of the post on the lines before."""

    id: str
    thumbnail: Thumbnail = field(repr=False)


DumpLine = (
    DumpBegin
    | DumpEnd
    | DumpedThumbnail
    | RegistryRecord
    | TaggedPost
    | AccountStatus
    | Erasure
    | TrendState
    | DetectedEvent
    | DeadLetter
    | SourceCursor
)


def read_line(line: bytes) -> DumpLine:
    """Returns what a line of a dump holds.

    Raises:
        MalformedDumpLine: the line is none of a dump.
        NewerVersion: a newer tagstream wrote the line.
    """
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise MalformedDumpLine(why_not_json(error)) from error
    if not isinstance(document, dict):
        raise MalformedDumpLine("it is not a JSON object")
    try:
        return _read(document, line)
    except ValidationError as error:
        raise MalformedDumpLine(describe(error)) from error
    except CorruptState as error:
        cause = error.__cause__
        raise MalformedDumpLine(describe(cause) if isinstance(cause, ValidationError) else str(error)) from error
    except KeyError as missing:
        raise MalformedDumpLine(f"the field {str(missing)[:80]} is missing") from missing
    except RecursionError as error:
        raise MalformedDumpLine(why_not_json(error)) from error
    except (TypeError, ValueError) as error:
        raise MalformedDumpLine("a field of it is missing, unknown, or of another type") from error


def _read(document: dict[str, Any], line: bytes) -> DumpLine:
    kind = document.pop("kind", None)
    match kind:
        case "dump":
            return DumpBegin(_supported(document["format"]))
        case "end":
            return DumpEnd(_integer(document["lines"]), str(document["sha256"]))
        case "record":
            return _record(document)
        case "erasure":
            return Erasure(**document)
        case "thumbnail":
            return DumpedThumbnail(_text(document["id"]), _thumbnail(document))
        case "trend":
            return TrendState.model_validate_json(_storable(document))
        case "event":
            return DetectedEvent.model_validate_json(_storable(document))
        case "dead_letter":
            return DeadLetter(**{**document, "body": _bytes("body", document["body"])})
        case "cursor":
            source = _text(document["source"], MAX_ORIGIN_LENGTH)
            return SourceCursor(source, _text(document["position"], _MAX_CURSOR_LENGTH, shortest=0))
        case None if document.keys() == _STATUS_FIELDS:
            author, source, position = document["author"], document["source"], document["sequence"]
            return AccountStatus(source=source, author=author, hidden=document["hide"], position=position)
        case None:
            return _post(document, line)
    raise MalformedDumpLine(f"its kind {str(kind)[:40]!r} is unknown")


def _post(document: Mapping[str, Any], line: bytes) -> TaggedPost:
    version = document.get("version")
    if type(version) is int and version > CONTRACT_VERSION:
        raise NewerVersion(
            f"The dump has posts of version {version}; this tagstream reads up to {CONTRACT_VERSION}. Upgrade it."
        )
    return with_current_keys(read_document(line))  # an older version may have written it


def _storable(document: Mapping[str, Any]) -> str:
    """Returns a document of contracts whose numbers have no bounds of their own as JSON that every store takes."""

    def check(value: object) -> None:
        if isinstance(value, dict | list):
            for part in value.values() if isinstance(value, dict) else value:
                check(part)
        elif isinstance(value, float) and not math.isfinite(value):
            raise MalformedDumpLine(f"{value} is no number that can be stored")
        elif isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
            raise MalformedDumpLine(f"{_shown(value)} is not an integer of 64 bits")

    check(document)
    return json.dumps(document)


def _supported(version: object) -> int:
    if type(version) is int and version > FORMAT:
        raise NewerVersion(f"The dump is of format {version}; this tagstream reads up to {FORMAT}. Upgrade tagstream.")
    return _integer(version)


def _record(document: Mapping[str, Any]) -> RegistryRecord:
    if document.keys() != {"id", "visible", *_NUMBERS}:
        raise MalformedDumpLine(f"a record has the fields id, visible, {', '.join(_NUMBERS)}")
    if type(document["visible"]) is not bool:
        raise MalformedDumpLine("visible is neither true nor false")
    numbers = {name: _number(name, document[name]) for name in _NUMBERS}
    return RegistryRecord(_text(document["id"]), **numbers, visible=document["visible"])


def _number(name: str, value: object) -> int:
    return _integer(value, UNSEEN if name in _MAY_BE_UNSEEN else 0, _LARGEST.get(name, _LARGEST_INTEGER))


def _thumbnail(document: Mapping[str, Any]) -> Thumbnail:
    photo, jpeg = _text(document["sha256"]), _bytes("jpeg", document["jpeg"])
    if not _SHA256.fullmatch(photo):
        raise MalformedDumpLine("the sha256 of a thumbnail is none")
    if not 0 < len(jpeg) <= MAX_THUMBNAIL_BYTES:
        raise MalformedDumpLine(f"a thumbnail has 1 to {MAX_THUMBNAIL_BYTES:,} bytes, this one {len(jpeg):,}")
    return Thumbnail(photo, jpeg)


def _integer(value: object, least: int = 0, most: int = _LARGEST_INTEGER) -> int:
    if type(value) is not int or not least <= value <= most:
        raise MalformedDumpLine(f"{_shown(value)} is not an integer from {least} to {most}")
    return value


def _text(value: object, longest: int = MAX_ID_BYTES, *, shortest: int = 1) -> str:
    if not isinstance(value, str) or not shortest <= len(value) <= longest or _LONE_SURROGATE.search(value):
        raise MalformedDumpLine(f"{_shown(value)} is no text of {shortest} to {longest} characters")
    return value


def _bytes(name: str, value: object) -> bytes:
    if not isinstance(value, str):
        raise MalformedDumpLine(f"{name} is no text")
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as error:
        raise MalformedDumpLine(f"{name} is not base64") from error


def _shown(value: object) -> str:
    return ascii(str(value)[:40])


def _line(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
