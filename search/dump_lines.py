"""A dump: everything that an index keeps, a line of JSON each. Pure: no store, no file.

::

    {"kind":"dump","format":1}                                            what it is
    {"author":"ann","hide":true,"source":"jsonl","sequence":7}            an account's newest status
    {"kind":"erasure","source":"jsonl","author":"bea","position":12}      an account that is gone up to there
    {"kind":"record","id":"jsonl:7","version":1,…,"visible":true}         what the registry says of an id, and
    {"version":3,"id":"jsonl:7",…}                                        its tagged post, if it may be seen, with
    {"kind":"thumbnail","id":"jsonl:7","sha256":"…","jpeg":"…"}           its pictures, in base64
    {"kind":"dead_letter","origin":"feed.jsonl:9",…,"body":"…"}           what could not be processed, in base64
    {"kind":"cursor","source":"jsonl:feed.jsonl","position":"…"}          how far a source was read
    {"kind":"end","lines":…,"sha256":"…",…}                               how many lines stand before it, their hash

A post and a status are the lines that dumps always held. So a line without `kind` is one of these two, and a dump of
posts and statuses alone is an older one, or one of `--kind posts`.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from search.documents import TIME_SHIFT, read_document
from search.index import Kept, Remembered, SourceCursor, Thumbnail, Unnamed
from search.limits import MAX_MOMENT
from search.registry import UNSEEN, RegistryRecord
from tagstream.bounds import MAX_ORIGIN_LENGTH
from tagstream.codec import describe
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

FORMAT = 1
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


class MalformedLine(Exception):
    """A line that is none of a dump; the message says why."""


@dataclass
class Writer:
    """Makes the lines of one dump, counting them."""

    counts: Counter[str] = field(default_factory=Counter)
    unnamed_erasures: int = 0
    _lines: int = 0
    _hash: Any = field(default_factory=sha256)

    def begin(self) -> str:
        """The first line."""
        return self._count({"kind": "dump", "format": FORMAT})

    def lines(self, kept: Kept) -> Iterator[str]:
        """The lines of one thing that an index keeps."""
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
        """The last line."""
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
    """The status of an account, as a feed of JSON lines says it too."""
    return _line({"author": status.author, "hide": status.hidden, "source": status.source, "sequence": status.position})


@dataclass(frozen=True, slots=True)
class Begin:
    """A dump of this format begins."""

    format: int


@dataclass(frozen=True, slots=True)
class End:
    """The dump ends after so many lines of this hash."""

    lines: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A thumbnail of the post before it."""

    id: str
    thumbnail: Thumbnail = field(repr=False)


Read = Begin | End | Picture | RegistryRecord | TaggedPost | AccountStatus | Erasure | DeadLetter | SourceCursor


def read_line(line: bytes) -> Read:
    """What a line says.

    Raises:
        MalformedLine: it is none of a dump.
        NewerVersion: a newer tagstream wrote it.
    """
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise MalformedLine(why_not_json(error)) from error
    if not isinstance(document, dict):
        raise MalformedLine("it is not a JSON object")
    try:
        return _read(document, line)
    except ValidationError as error:
        raise MalformedLine(describe(error)) from error
    except CorruptState as error:
        cause = error.__cause__
        raise MalformedLine(describe(cause) if isinstance(cause, ValidationError) else str(error)) from error
    except KeyError as missing:
        raise MalformedLine(f"the field {str(missing)[:80]} is missing") from missing
    except RecursionError as error:
        raise MalformedLine(why_not_json(error)) from error
    except (TypeError, ValueError) as error:
        raise MalformedLine("a field of it is missing, unknown, or of another type") from error


def _read(document: dict[str, Any], line: bytes) -> Read:
    kind = document.pop("kind", None)
    match kind:
        case "dump":
            return Begin(_supported(document["format"]))
        case "end":
            return End(_integer(document["lines"]), str(document["sha256"]))
        case "record":
            return _record(document)
        case "erasure":
            return Erasure(**document)
        case "thumbnail":
            return Picture(_text(document["id"]), _thumbnail(document))
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
    raise MalformedLine(f"its kind {str(kind)[:40]!r} is unknown")


def _post(document: Mapping[str, Any], line: bytes) -> TaggedPost:
    version = document.get("version")
    if type(version) is int and version > CONTRACT_VERSION:
        raise NewerVersion(
            f"The dump has posts of version {version}; this tagstream reads up to {CONTRACT_VERSION}. Upgrade it."
        )
    return with_current_keys(read_document(line))  # an older version may have written it


def _supported(version: object) -> int:
    if type(version) is int and version > FORMAT:
        raise NewerVersion(f"The dump is of format {version}; this tagstream reads {FORMAT}. Upgrade tagstream.")
    return _integer(version)


def _record(document: Mapping[str, Any]) -> RegistryRecord:
    if document.keys() != {"id", "visible", *_NUMBERS}:
        raise MalformedLine(f"a record has the fields id, visible, {', '.join(_NUMBERS)}")
    if type(document["visible"]) is not bool:
        raise MalformedLine("visible is neither true nor false")
    numbers = {name: _number(name, document[name]) for name in _NUMBERS}
    return RegistryRecord(_text(document["id"]), **numbers, visible=document["visible"])


def _number(name: str, value: object) -> int:
    return _integer(value, UNSEEN if name in _MAY_BE_UNSEEN else 0, _LARGEST.get(name, _LARGEST_INTEGER))


def _thumbnail(document: Mapping[str, Any]) -> Thumbnail:
    photo, jpeg = _text(document["sha256"]), _bytes("jpeg", document["jpeg"])
    if not _SHA256.fullmatch(photo):
        raise MalformedLine("the sha256 of a thumbnail is none")
    if not 0 < len(jpeg) <= MAX_THUMBNAIL_BYTES:
        raise MalformedLine(f"a thumbnail has 1 to {MAX_THUMBNAIL_BYTES:,} bytes, this one {len(jpeg):,}")
    return Thumbnail(photo, jpeg)


def _integer(value: object, least: int = 0, most: int = _LARGEST_INTEGER) -> int:
    if type(value) is not int or not least <= value <= most:
        raise MalformedLine(f"{_shown(value)} is not an integer from {least} to {most}")
    return value


def _text(value: object, longest: int = MAX_ID_BYTES, *, shortest: int = 1) -> str:
    if not isinstance(value, str) or not shortest <= len(value) <= longest or _LONE_SURROGATE.search(value):
        raise MalformedLine(f"{_shown(value)} is no text of {shortest} to {longest} characters")
    return value


def _bytes(name: str, value: object) -> bytes:
    if not isinstance(value, str):
        raise MalformedLine(f"{name} is no text")
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as error:
        raise MalformedLine(f"{name} is not base64") from error


def _shown(value: object) -> str:
    return ascii(str(value)[:40])


def _line(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
