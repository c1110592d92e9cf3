"""Posts in a table (CSV): which column holds what, and the fields of one record. Pure.

Columns are recognised by the names that archives and exports give them (`_NAMES`), whatever their case and the signs
between their words, or named by who runs tagstream (`csv:PATH?text=COLUMN`). A table whose ids are those of posts of X
is read as X, where an id says its own date; any other is read as lines of our own form. A record without an id has a
name made of its content, so that a table that is read twice gives no post twice.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from ingest.sources.formats.json_fields import Fields, LineFault, refuse
from tagstream.errors import BadSettings
from tagstream.posts import MAX_MEDIA

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}

# By field, the names of its column, best first.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "text": (
        *("full_text", "tweet_text", "text", "tweet", "rawcontent", "content", "message", "post_text", "status_text"),
        *("post", "body", "caption"),
    ),
    "id": ("tweet_id", "tweetid", "id_str", "status_id", "post_id", "message_id", "id", "uri"),
    "created_at": (
        *("created_at", "tweet_created_at", "createdat", "timestamp", "datetime", "date_time", "published_at"),
        *("posted_at", "posted_time", "published", "tweet_date", "date", "time", "created"),
    ),
    "author_id": ("author_id", "user_id", "user_id_str", "from_user_id", "account_id", "userid", "author"),
    "author_handle": ("author_username", "username", "screen_name", "user_screen_name", "from_user", "handle", "user"),
    "lang": ("lang", "tweet_lang", "language"),
    "url": ("url", "tweet_url", "permalink", "link"),
    "photo": ("image_url", "photo_url", "media_url", "attachments_media", "photo", "image"),
    "reply_to": ("reply_to", "in_reply_to_status_id", "in_reply_to_status_id_str", "in_reply_to_id"),
}
COLUMN_FIELDS = tuple(_NAMES)
# The columns of a time of day, beside one with the date.
_CLOCKS = ("time", "hour")
_ONLY_A_DATE = re.compile(
    r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}|[0-9]{8}|(?:[a-z]+,? )?[0-9]{1,2} [a-z]{3,9} [0-9]{4}"
)
_DATE_DIGITS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_TIME_OF_DAY = re.compile(
    r"[0-9]{1,2}(?::[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:\s*[ap]m)?|\s*[ap]m)"
    r"(?:\s*(?:z|utc|gmt|[+-][0-9]{2}:?[0-9]{2}))?"
)
_HOUR = re.compile(r"[0-9]{1,2}")
_OF_X = frozenset({"tweet_id", "tweetid"})
_OF_TWARC = frozenset({"id", "conversation_id", "author_id"})
# The first line by which spreadsheets tell each other the character between values.
_NAMED_DELIMITER = re.compile(rb"sep=(.)\r?\n")
_ADDRESS = re.compile(r"https?://\S+")
# What spreadsheets write on Windows where they do not write UTF-8.
_WINDOWS = "cp1252"
_SEPARATORS = re.compile(r"[\W_]+")
_ID_OF_X = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class TableOptions:
    """The options of `csv:PATH?…`: columns by field, and the character between values; None where it is to be told."""

    columns: Mapping[str, str] = field(default_factory=dict)
    delimiter: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a table.

    Attributes:
        delimiter: the character between values.
        columns: the names of the columns, in order.
        fields: the column of each field, by its index.
        clock: the column with the time of day, None where there is none beside that of the date.
        encoding: the encoding of its text.
        header: the number of the record that names the columns, from 1.
    """

    delimiter: str
    columns: tuple[str, ...]
    fields: Mapping[str, int]
    encoding: str = "utf-8"
    header: int = 1
    clock: int | None = None

    @property
    def is_of_x(self) -> bool:
        """Says whether the posts are of X, whose ids say when they were written."""
        names = {plain_name(column) for column in self.columns}
        return "id" in self.fields and (plain_name(self.columns[self.fields["id"]]) in _OF_X or names >= _OF_TWARC)

    def record_fields(self, body: bytes) -> Fields:
        """Returns the fields of a post, as a line of JSON would have them.

        Raises:
            MalformedLine: the record is no UTF-8, has quotes that do not close, or more or fewer values than columns.
        """
        values = self._values(body)
        given = {name: value for name, at in self.fields.items() if (value := values[at].strip())}
        if self.clock is not None and (date := given.get("created_at")):
            given["created_at"] = self._with_clock(date, values[self.clock].strip())
        text = given.get("text")
        if self.is_of_x and (identifier := given.get("id", "").strip("' ")) and _ID_OF_X.fullmatch(identifier):
            return _without_nothing(
                {
                    "tweet_id": identifier,
                    "tweet_text": text,
                    "created_at": given.get("created_at"),
                    "user": _user_of_x(given),
                    "lang": given.get("lang"),
                    "extended_entities": _photos_of_x(given),
                }
            )
        return _without_nothing(
            {
                "id": given.get("id") or _name_of(values),
                "text": text,
                "created_at": given.get("created_at"),
                "author": _author(given),
                "media": [{"url": address} for address in _photos(given)] or None,
                **{name: given.get(name) for name in ("lang", "url", "reply_to")},
            }
        )

    def _with_clock(self, date: str, clock: str) -> str:
        """Returns the date with the time of day; the date alone where either is something else."""
        if not _ONLY_A_DATE.fullmatch(date.lower()):
            return date
        if self.clock is not None and plain_name(self.columns[self.clock]) == "hour" and _HOUR.fullmatch(clock):
            clock += ":00"
        if not _TIME_OF_DAY.fullmatch(clock.lower()):
            return date
        separated = "-".join(digits.groups()) if (digits := _DATE_DIGITS.fullmatch(date)) else date
        return f"{separated} {clock}"

    def _values(self, body: bytes) -> list[str]:
        try:
            text = body.decode(self.encoding).rstrip("\r\n")
            rows = list(
                csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter, skipinitialspace=True, strict=True)
            )
        except UnicodeDecodeError as error:
            encoding = self.encoding.upper()
            refuse(LineFault.INVALID_UTF8, f"byte {error.start} of the record is not {encoding}: {error.reason}")
        except csv.Error as error:
            refuse(LineFault.INVALID_CSV, f"the record cannot be split into values: {error}")
        values = rows[0] if rows else []
        if len(rows) != 1 or len(values) != len(self.columns):
            found = len(values) if len(rows) == 1 else f"{len(rows)} lines"
            refuse(LineFault.INVALID_CSV, f"the record has {found} values, and the table {len(self.columns)} columns")
        return values


def table_options(argument: str) -> tuple[str, TableOptions]:
    """Returns the path and the options of `PATH[?FIELD=COLUMN&…&delimiter=NAME]`.

    Raises:
        BadSettings: an option that no table has.
    """
    path, mark, options = argument.rpartition("?")
    if not mark:
        return argument, TableOptions()
    chosen = dict(parse_qsl(options, keep_blank_values=True))
    named = chosen.pop("delimiter", None)
    delimiter = DELIMITERS.get(named, named) if named is not None else None
    if not chosen.keys() <= set(COLUMN_FIELDS) or (delimiter is not None and len(delimiter) != 1):
        raise BadSettings(
            f"csv:{argument}: behind the ? may stand {', '.join(COLUMN_FIELDS)} (each with the name of a column) and "
            f"delimiter ({', '.join(DELIMITERS)}, or one character)"
        )
    return path, TableOptions(chosen, delimiter)


def table_of(begun: bytes, options: TableOptions | None = None) -> Table | None:
    """Returns the table that begins so; None if its first line names no column with a text.

    The line may be preceded by another, `sep=;`, of a spreadsheet. A table of which no line with other letters than
    ASCII is UTF-8 is read as text of Windows: a table of UTF-8 with a damaged record has others.

    Raises:
        BadSettings: a column that the options name is not there.
    """
    options = options or TableOptions()
    named = _NAMED_DELIMITER.match(begun)
    header = begun[named.end() if named else 0 :].partition(b"\n")[0]
    encoding = _encoding_of(begun)
    try:
        line = header.decode(encoding).removeprefix("\ufeff").rstrip("\r\n")
    except UnicodeDecodeError:
        return None
    delimiter = options.delimiter or (named[1].decode("latin-1") if named else None)
    delimiter = delimiter or max(DELIMITERS.values(), key=line.count)
    try:
        columns = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True), [])
    except csv.Error:
        return None
    columns = [column.strip() for column in columns]
    fields = _fields(columns, options.columns)
    if "text" not in fields:
        return None
    return Table(delimiter, tuple(columns), fields, encoding, 2 if named else 1, _clock(columns, fields))


def without_delimiter_line(begun: bytes) -> bytes:
    """Returns the beginning of a table without the line of a spreadsheet that tells the character between values."""
    named = _NAMED_DELIMITER.match(begun)
    return begun[named.end() :] if named else begun


def why_unreadable(table: Table) -> str | None:
    """Returns what a table lacks for its records to be posts, None if nothing."""
    if "created_at" in table.fields or table.is_of_x:
        return None
    return (
        f"its columns are {_listed(table.columns)}: none is known to hold the time of a post. Name it, "
        "as in csv:PATH?created_at=COLUMN"
    )


def no_text_column(header: bytes) -> str:
    """Says that a table has no known column with the text of posts, and how to name it."""
    line = header.decode("utf-8-sig", errors="replace").rstrip("\r\n")
    delimiter = max(DELIMITERS.values(), key=line.count)
    columns = [column.strip(' "') for column in line.split(delimiter)]
    return (
        f"looks like a table (CSV) and none of its columns {_listed(columns)} is known to hold the text of a post. "
        "Name it, as in csv:PATH?text=COLUMN&created_at=COLUMN"
    )


def plain_name(column: str) -> str:
    """Returns the name of a column in small letters, its words joined by `_`."""
    return _SEPARATORS.sub("_", column.strip()).strip("_").lower()


def _fields(columns: list[str], chosen: Mapping[str, str]) -> dict[str, int]:
    plain = [plain_name(column) for column in columns]
    fields: dict[str, int] = {}
    for name_of_field, column in chosen.items():
        matches = [at for at, name in enumerate(columns) if name == column] or [
            at for at, name in enumerate(plain) if name == plain_name(column)
        ]
        if not matches:
            raise BadSettings(f"the table has no column {column!r} for {name_of_field}; it has {_listed(columns)}")
        fields[name_of_field] = matches[0]
    for name_of_field, names in _NAMES.items():
        if name_of_field not in fields:
            known = (plain.index(name) for name in names if name in plain and plain.index(name) not in fields.values())
            if (at := next(known, None)) is not None:
                fields[name_of_field] = at
    return fields


def _clock(columns: list[str], fields: Mapping[str, int]) -> int | None:
    plain = [plain_name(column) for column in columns]
    found = (plain.index(name) for name in _CLOCKS if name in plain and plain.index(name) not in fields.values())
    return next(found, None) if "created_at" in fields else None


def _encoding_of(begun: bytes) -> str:
    lines = begun.split(b"\n")
    lines = lines[:-1] if len(lines) > 2 else lines  # the last may be cut in the middle of a letter
    beyond = [line for line in lines if not line.isascii()]
    return "utf-8" if not beyond or any(map(_is_utf_8, beyond)) else _WINDOWS


def _is_utf_8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _photos(given: Mapping[str, str]) -> list[str]:
    """Returns the addresses of photos: of a value that is one, several, or JSON of twarc. A path is none."""
    return list(dict.fromkeys(address.rstrip('",]}') for address in _ADDRESS.findall(given.get("photo", ""))))[
        :MAX_MEDIA
    ]


def _photos_of_x(given: Mapping[str, str]) -> Fields | None:
    photos = [{"type": "photo", "media_url_https": address} for address in _photos(given)]
    return {"media": photos} if photos else None


def _author(given: Mapping[str, str]) -> Fields | str | None:
    identifier, handle = given.get("author_id"), given.get("author_handle")
    if identifier and handle:
        return {"id": identifier, "handle": handle}
    return identifier or handle


def _user_of_x(given: Mapping[str, str]) -> Fields | None:
    identifier = given.get("author_id", "").strip("' ")
    if not _ID_OF_X.fullmatch(identifier):
        return None
    return _without_nothing({"id_str": identifier, "screen_name": given.get("author_handle")})


def _without_nothing(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


def _name_of(values: Iterable[str]) -> str:
    return f"row-{hashlib.sha256(chr(31).join(values).encode(errors='surrogatepass')).hexdigest()[:32]}"


def _listed(columns: Iterable[str]) -> str:
    named = [repr(column[:60]) for column in columns]
    return ", ".join(named[:20]) + (f" and {len(named) - 20} more" if len(named) > 20 else "")
