"""Readers of the fields of one JSON object, each of which checks its field. Pure.

Every reader returns the value in the form of the contracts (text without lone surrogates, ids as strings, timestamps in
UTC), or raises `MalformedLine` with a message that names the field, its value and what is allowed.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, NoReturn, TypeVar

from pydantic import ValidationError

from ingest.sources.error_isolation import UNEXPECTED
from ingest.sources.formats.timestamps import timestamp_of, why_no_timestamp
from tagstream.errors import MalformedPost
from tagstream.posts import (
    MAX_ID_BYTES,
    MAX_MEDIA,
    MAX_TEXT_LENGTH,
    SOURCE_NAME_PATTERN,
    Author,
    Contract,
    Hashtag,
    Link,
    Media,
    clean_text,
    native_id,
)
from tagstream.text.hashtags import hashtags_named, hashtags_of
from tagstream.text.json_text import why_not_json

Fields = Mapping[str, Any]
Built = TypeVar("Built", bound=Contract)

# Reading JSON holds the interpreter's lock as long as values come. No post, and no page of posts, has so many values,
# or so many in so few bytes. A longer integer than this counts nothing, and takes time by its square.
FEW_VALUES = 100_000
MAX_BARE_VALUES = 250_000
BYTES_A_VALUE = 16
MAX_DIGITS = 1_000


class LineFault(StrEnum):
    """The closed list of causes for which a line becomes a dead letter."""

    LINE_TOO_LONG = "line_too_long"
    INVALID_UTF8 = "invalid_utf8"
    INVALID_JSON = "invalid_json"
    INVALID_CSV = "invalid_csv"
    NOT_AN_OBJECT = "not_an_object"
    MISSING_FIELD = "missing_field"
    BAD_ID = "bad_id"
    BAD_CREATED_AT = "bad_created_at"
    BAD_FIELD = "bad_field"
    TEXT_TOO_LONG = "text_too_long"
    NEWER_VERSION = "newer_version"
    UNEXPECTED = UNEXPECTED


class MalformedLine(MalformedPost):
    """The line is none of the known forms; `fault` is the cause."""

    def __init__(self, fault: LineFault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


def refuse(fault: LineFault, message: str) -> NoReturn:
    """Raises `MalformedLine` with that cause and message."""
    raise MalformedLine(fault, clean_text(message))


def short(value: object) -> str:
    """Returns a value as it may stand in a message: JSON's own spelling, cut at 60 characters."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}"
    shown = json.dumps(value[:61] if isinstance(value, str) else value)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"


def build(contract: type[Built], **values: Any) -> Built:
    """Builds the contract from these values; turns its refusal into a `MalformedLine`."""
    try:
        return contract(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        what = f"{where} is {short(first['input'])}: " if where else ""
        refuse(LineFault.BAD_FIELD, f"{what}{first['msg']}")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        seen: set[str] = set()
        for repeated, _ in pairs:
            if repeated in seen:
                break
            seen.add(repeated)
        refuse(LineFault.INVALID_JSON, f"the field {short(repeated)} occurs twice: which one counts is not defined")
    return fields


def _constant(name: str) -> NoReturn:
    refuse(LineFault.INVALID_JSON, f"{name} is not JSON")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        refuse(LineFault.INVALID_JSON, f"an integer has more than {MAX_DIGITS} digits")
    return int(digits)


def _refuse_too_many_values(body: bytes) -> None:
    """Counts values by their commas, and by how many of those stand in lists and not between the fields of objects."""
    values = body.count(b",")
    if values > FEW_VALUES and (values * BYTES_A_VALUE > len(body) or values - body.count(b":") > MAX_BARE_VALUES):
        refuse(LineFault.INVALID_JSON, f"it holds some {values:,} values, which is more than a page of posts has")


_decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer)


def read_object(body: bytes) -> Fields:
    """Parses the line's object. A field that occurs twice is refused, because readers differ in which one they take."""
    _refuse_too_many_values(body)
    try:
        value = _decoder.decode(body.decode())
    except UnicodeDecodeError as error:
        refuse(LineFault.INVALID_UTF8, f"byte {error.start} of the line is not UTF-8: {error.reason}")
    except (json.JSONDecodeError, RecursionError) as error:
        refuse(LineFault.INVALID_JSON, why_not_json(error))
    if not isinstance(value, dict):
        refuse(LineFault.NOT_AN_OBJECT, f"a line must be a JSON object, this one is {short(value)}")
    return value


def required(fields: Fields, name: str) -> Any:
    """Returns the value of a field; refuses the line where it is missing."""
    value = fields.get(name)
    if value is None:
        refuse(LineFault.MISSING_FIELD, f"{name} is missing: a post needs id, text and created_at, a deletion id")
    return value


def required_text(fields: Fields) -> str:
    """Returns the text of a post."""
    text = required(fields, "text")
    if not isinstance(text, str):
        refuse(LineFault.BAD_FIELD, f"text is {short(text)}, it must be a string")
    if len(text) > MAX_TEXT_LENGTH:
        refuse(LineFault.TEXT_TOO_LONG, f"text has {len(text):,} characters, the limit is {MAX_TEXT_LENGTH:,}")
    return clean_text(text)


def optional_text(fields: Fields, name: str) -> str | None:
    """Returns the text of a field; None where it is missing."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        refuse(LineFault.BAD_FIELD, f"{name} is {short(value)}, it must be a string")
    return clean_text(value)


def flag(fields: Fields, name: str) -> bool:
    """Returns a field that is true or false; False where it is missing."""
    value = fields.get(name)
    if value is None or value is False:
        return False
    if value is not True:
        refuse(LineFault.BAD_FIELD, f"{name} is {short(value)}, it must be true or false")
    return True


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def native(name: str, value: object, fault: LineFault = LineFault.BAD_ID) -> str:
    """Returns a native id as text.

    Control characters are refused: ids are keys, and are printed on lines of their own.
    """
    if type(value) is int:
        return str(value)
    if not isinstance(value, str):
        refuse(fault, f"{name} is {short(value)}, it must be a string or an integer")
    if not value:
        refuse(fault, f"{name} is empty")
    if _CONTROL.search(value):
        refuse(fault, f"{name} {short(value)} holds a control character or a line break")
    return clean_text(value)


def post_id(source: str, fields: Fields) -> str:
    """Returns the id of the post, with its source."""
    identifier = native("id", required(fields, "id"))
    refuse_id_of_a_host(source, "id", identifier)
    return native_id(source, identifier)


def replied_to(source: str, fields: Fields) -> str | None:
    """Returns the id of the post that this one answers; None where it answers none."""
    if fields.get("reply_to") is None:
        return None
    identifier = native("reply_to", fields["reply_to"])
    refuse_id_of_a_host(source, "reply_to", identifier)
    return native_id(source, identifier)


# A source names the host where ids are per host: `mastodon:example.org`. No id may be read in two ways: so only a host
# may stand there, and an id of a source without a host may not begin with a host.
_HOST = r"(?:localhost|[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+)"
_SOURCE_WITH_HOST = re.compile(f"[^:]+(?::{_HOST})?")
_ID_OF_A_HOST = re.compile(f"({_HOST}):")


def refuse_id_of_a_host(source: str, name: str, identifier: str) -> None:
    """Refuses the native id `example.org:1` of `mastodon`: it would be the id `1` of `mastodon:example.org`."""
    host = _ID_OF_A_HOST.match(identifier)
    if host is not None and ":" not in source:
        refuse(
            LineFault.BAD_ID,
            f"{name} {short(identifier)} begins with a host: name that in the source, {short(f'{source}:{host[1]}')}",
        )


_SOURCE_NAME = re.compile(SOURCE_NAME_PATTERN)


@lru_cache(maxsize=256)
def _is_source_name(name: str) -> bool:
    return len(name) <= 128 and _SOURCE_NAME.fullmatch(name) is not None


def source_of(fields: Fields, default: str) -> str:
    """Returns the source that the line names, else the default."""
    source = fields.get("source")
    if source is None:
        return default
    if not isinstance(source, str) or not _is_source_name(source):
        refuse(LineFault.BAD_FIELD, f"source is {short(source)}, it must look like mastodon:example.org or jsonl")
    return source


def source_of_native_ids(fields: Fields, default: str) -> str:
    """Returns the source of a line whose ids are native: after its colon there must be a host."""
    source = source_of(fields, default)
    if not _SOURCE_WITH_HOST.fullmatch(source):
        refuse(LineFault.BAD_FIELD, f"source is {short(source)}, what follows its colon must be a host as example.org")
    return source


def position_of(fields: Fields, default: int) -> int:
    """Returns the line's position in the order of its source: its `sequence`, else the default."""
    sequence = fields.get("sequence")
    if sequence is None:
        return default
    if type(sequence) is not int or not 0 <= sequence < 2**63:
        refuse(LineFault.BAD_FIELD, f"sequence is {short(sequence)}, it must be an integer from 0 and below 2^63")
    return sequence


def _author_id(value: object) -> str:
    """Returns an author's id as text, hashed if it is over 256 bytes, as a post's id is."""
    identifier = native("author", value, LineFault.BAD_FIELD)
    encoded = identifier.encode()
    return identifier if len(encoded) <= MAX_ID_BYTES else f"sha256-{hashlib.sha256(encoded).hexdigest()}"


def author_of(value: object) -> Author | None:
    """Reads an author: an id, or an object with `id` and `handle`; None where the value is null."""
    if value is None:
        return None
    if not isinstance(value, dict):
        return Author(id=_author_id(value))
    if value.get("id") is None:
        refuse(LineFault.BAD_FIELD, "author has no id")
    return build(Author, id=_author_id(value["id"]), handle=optional_text(value, "handle"))


def required_author(fields: Fields) -> Author:
    """Returns the author; refuses the line where it is missing."""
    author = author_of(fields.get("author"))
    if author is None:
        refuse(LineFault.MISSING_FIELD, "author is missing: an erasure and a status need it")
    return author


def created_at(fields: Fields) -> datetime:
    """Returns the date of the post in UTC.

    It is read here and not by the contract, which would take every bare number for seconds.
    """
    value = required(fields, "created_at")
    timestamp = timestamp_of(value)
    if timestamp is None:
        refuse(LineFault.BAD_CREATED_AT, f"created_at is {short(value)}: {why_no_timestamp(value)}")
    return timestamp


_MEDIA_FIELDS = ("kind", "url", "alt", "sha256", "width", "height", "reason")


def media_of(value: object) -> tuple[Media, ...]:
    """Reads the list of media; the first four count."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        refuse(LineFault.BAD_FIELD, f"media is {short(value)}, it must be a list of objects")
    return tuple(
        build(
            Media,
            **{name: _cleaned(item[name]) for name in _MEDIA_FIELDS if item.get(name) is not None},
        )
        for item in value[:MAX_MEDIA]
    )


def _cleaned(value: object) -> object:
    """Cleans the value if it is text; the contract checks its type."""
    return clean_text(value) if isinstance(value, str) else value


def langs_of(fields: Fields) -> tuple[str, ...]:
    """Reads the list of languages."""
    value = fields.get("langs")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        refuse(LineFault.BAD_FIELD, f"langs is {short(value)}, it must be a list of strings")
    return tuple(value)


def dumped_links(value: object) -> tuple[Link, ...]:
    """Reads the links of a document that `tagstream dump` wrote."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        refuse(LineFault.BAD_FIELD, f"links is {short(value)}, it must be a list of objects in a dump document")
    return tuple(build(Link, **{name: _cleaned(item.get(name)) for name in Link.model_fields}) for item in value)


def listed_hashtags(value: object, text: str) -> tuple[Hashtag, ...]:
    """Returns the hashtags of the text, then those that are only listed, without a span."""
    if value is None:
        return hashtags_of(text)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        refuse(LineFault.BAD_FIELD, f"hashtags is {short(value)}, it must be a list of strings")
    names = (clean_text(item).lstrip("#＃").strip() for item in value)
    return hashtags_named(text, ((build(Hashtag, text=name).text, None, None) for name in names if name))


def dumped_hashtags(value: object, text: str) -> tuple[Hashtag, ...]:
    """Reads the hashtags of a document that `tagstream dump` wrote."""
    if value is None:
        return hashtags_of(text)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        refuse(LineFault.BAD_FIELD, f"hashtags is {short(value)}, it must be a list of objects in a dump document")
    hashtags = tuple(
        build(Hashtag, text=_cleaned(item.get("text")), start=item.get("start"), end=item.get("end")) for item in value
    )
    if any(span is not None and not span[0] <= span[1] <= len(text) for span in (hashtag.span for hashtag in hashtags)):
        refuse(LineFault.BAD_FIELD, f"a hashtag lies outside the text of {len(text)} characters")
    return hashtags
