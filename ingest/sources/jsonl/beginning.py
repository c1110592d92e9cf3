"""The form of a file, told by how its content begins: lines or documents of JSON, a table, or nothing we read. Pure.

A file of another kind is refused once, by name, and not line by line. A feed that is only damaged somewhere is no such
file: one line that looks like an object is enough to read the others as lines too, and to keep them as dead letters.
"""

import codecs
import re
from dataclasses import dataclass
from enum import StrEnum

from ingest.sources.jsonl.table import (
    Table,
    TableOptions,
    no_text_column,
    table_of,
    why_unreadable,
    without_delimiter_line,
)
from tagstream.errors import UnreadableInput

BEGINNING_BYTES = 64 * 1024

_BINARY = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"PK\x03\x04", "a zip archive: unpack it, and name the file in it that holds the posts"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it, and name the file in it that holds the posts"),
    (b"Rar!", "a RAR archive: unpack it, and name the file in it that holds the posts"),
    (b"SQLite format 3\x00", "an SQLite database: export its posts as JSON lines"),
    (b"%PDF", "a PDF document"),
    (b"PAR1", "a Parquet table: export it as JSON lines"),
    (b"Obj\x01", "an Avro file: export it as JSON lines"),
    (b"\x04\x22\x4d\x18", "compressed by lz4: compress it by gzip, Zstandard, bzip2 or xz, or not at all"),
    (b"\xd0\xcf\x11\xe0", "an Office document"),
    (b"\x7fELF", "a program"),
)
_UTF_16 = re.compile(rb"\xff\xfe[^\0]\0|\xfe\xff\0[^\0]|[{\[]\0[^\0]\0|\0[{\[]\0[^\0]", re.DOTALL)
_TAR = slice(257, 262)
_MARKUP = re.compile(rb"<(?:\?xml|!doctype|html|rss|feed)", re.IGNORECASE)
_ASSIGNMENT = re.compile(rb"(?:var\s+|const\s+)?([A-Za-z_][\w.]{0,200})\s*=\s*(?=\[)")
_BEGUN_ASSIGNMENT = re.compile(rb"(?:var\s+|const\s+)?[A-Za-z_][\w.]{0,200}(?:\s*=\s*)?")
# The variables in an account's own export that hold posts; others hold likes, messages, or deleted posts.
_EXPORT = re.compile(r"window\.YTD\.(\w+)\.part[0-9]+", re.ASCII)
_EXPORTED_POSTS = frozenset({"tweet", "tweets", "community_tweet"})
# An array of documents; an array of anything else is a log, or numbers.
_ARRAY = re.compile(rb"\[\s*[{\]]")
_BEGUN_ARRAY = re.compile(rb"\[\s*")
# The first line of an object that is broken into lines, and the indentation of the next.
_PRETTY = re.compile(rb"\{(?:[ \t]*|[^\n]{0,1000}[,{\[][ \t]*)\r?\n[ \t]+[\"{\[\]}]|\{[ \t]*\r?\n\"")
_BEGUN_OBJECT = re.compile(rb"\{[ \t\r]*(?:\n[ \t]*)?")
_UNDECIDED = (_BEGUN_ARRAY, _BEGUN_OBJECT, _BEGUN_ASSIGNMENT)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"


class Form(StrEnum):
    """The forms of a file that is read."""

    LINES = "lines"
    DOCUMENTS = "documents"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Beginning:
    """The form of the content, and how many bytes before the first document are not part of it.

    `table` holds the columns of a table, whose first record is the line with their names.
    """

    form: Form
    skipped: int = 0
    table: Table | None = None


def is_undecided(content: bytes) -> bool:
    """Says whether this beginning of a stream is too short to tell its form."""
    begun = content.removeprefix(_BYTE_ORDER_MARK).lstrip(_SPACE)
    return len(content) < BEGINNING_BYTES and (
        not begun
        or any(pattern.fullmatch(begun) is not None for pattern in _UNDECIDED)
        or (not begun.startswith((b"{", b"[")) and b"\n" not in begun)  # perhaps the names of a table's columns
    )


def beginning_of(
    content: bytes, name: str, *, is_stream: bool = False, options: TableOptions | None = None
) -> Beginning:
    """Returns the form of the content; `content` is its first `BEGINNING_BYTES`, or all of it.

    In a stream, text that is not JSON is left to its reader: the stream may have begun in the middle of a line. With
    `options` it is a table, and nothing else will do.

    Raises:
        UnreadableInput: it is nothing that is read here; `name` is its name in the message.
        BadSettings: the table lacks a column that the options name.
    """
    _refuse_other_kinds(content, name)
    begun = content.removeprefix(_BYTE_ORDER_MARK).lstrip(_SPACE)
    skipped = len(content) - len(begun)
    if (beginning := _table(begun, name, options)) is not None:
        return beginning
    if _ARRAY.match(begun):
        return Beginning(Form.DOCUMENTS, skipped)
    if assigned := _ASSIGNMENT.match(begun):
        _refuse_other_exports(assigned[1].decode(), name)
        return Beginning(Form.DOCUMENTS, skipped + assigned.end())
    if _PRETTY.match(begun):
        return Beginning(Form.DOCUMENTS, skipped)
    # A first line that is longer than the beginning may be damaged, with good lines after it.
    is_seen = b"\n" in begun or len(content) < BEGINNING_BYTES
    if (
        begun
        and is_seen
        and not is_stream
        and not any(line.lstrip(_SPACE).startswith(b"{") for line in begun.split(b"\n"))
    ):
        raise UnreadableInput(f"{name} {_other_text(begun)}")
    return Beginning(Form.LINES)


def _table(begun: bytes, name: str, options: TableOptions | None) -> Beginning | None:
    """Returns the beginning of a table; None if the content is none and need not be one."""
    header = without_delimiter_line(begun).partition(b"\n")[0]
    table = None if options is None and header.startswith((b"{", b"[")) else table_of(begun, options)
    if table is None or (options is None and len(table.columns) < 2):
        if options is None:
            return None
        raise UnreadableInput(f"{name} {no_text_column(header)}")
    if (why := why_unreadable(table)) is not None:
        raise UnreadableInput(f"{name} is a table of which no post can be read: {why}")
    return Beginning(Form.TABLE, 0, table)


def _refuse_other_kinds(content: bytes, name: str) -> None:
    if _UTF_16.match(content):
        raise UnreadableInput(f"{name} is UTF-16 text, and UTF-8 is read: convert it, `iconv -f UTF-16 -t UTF-8`")
    kind = next((kind for magic, kind in _BINARY if content.startswith(magic)), None)
    kind = "a tar archive: unpack it, and name the file in it" if content[_TAR] == b"ustar" else kind
    if kind is None and b"\x00" in content[:4096] and not content.lstrip(_SPACE).startswith((b"{", b"[")):
        kind = "binary data"
    if kind is not None:
        raise UnreadableInput(f"{name} is no feed, but {kind}")
    if _MARKUP.match(content.removeprefix(_BYTE_ORDER_MARK).lstrip(_SPACE)):
        raise UnreadableInput(f"{name} is no feed of JSON, but XML or HTML: a feed of RSS or Atom is read by rss:URL")


def _refuse_other_exports(variable: str, name: str) -> None:
    export = _EXPORT.fullmatch(variable)
    if export is not None and export[1] not in _EXPORTED_POSTS:
        raise UnreadableInput(
            f"{name} is of an account's own export, and holds no posts of it ({export[1]}): name its tweets.js"
        )


def _other_text(begun: bytes) -> str:
    first = begun.partition(b"\n")[0][:200].rstrip()
    is_table = max(first.count(sign) for sign in (b",", b";", b"\t", b"|")) >= 2
    kind = "but looks like a table (CSV)" if is_table else "for none of its first lines is a JSON object"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(begun)
    except UnicodeDecodeError:
        return f"is no feed of JSON lines, {kind}, and is not UTF-8: export it in UTF-8"
    if is_table:
        return no_text_column(first)
    shown = first.decode(errors="ignore")[:60]
    return f"is no feed of JSON lines, {kind}: {shown!r}. Export it as JSON lines"
