"""Backups of a SQLite index: everything it keeps, page by page over one connection, or as another file.

The caller of `pages` holds the connection's transaction open from the first page to the last, so that all pages are of
one point in time. A copy is of one point in time by itself, and holds nothing but what the index keeps: no free pages,
no journal.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import starmap
from pathlib import Path

from search.detections import read_event, read_trend
from search.documents import read_document
from search.index import Kept, Remembered, SourceCursor, Thumbnail
from search.registry import RegistryRecord
from search.sqlite.detections import as_kept
from search.sqlite.reads import account_statuses_after, dead_letters_after
from search.thumbnails import photos_of
from tagstream.errors import UnreadableInput
from tagstream.posts import Erasure, TaggedPost

_STEP = 200
_RECORD = "id, number, version, position, observed_at, deleted, deleted_position, visible"


def pages(connection: sqlite3.Connection) -> Iterator[Sequence[Kept]]:
    """Yields everything the index keeps, in an order that another index can take in."""
    account = ("", "")
    while statuses := account_statuses_after(connection, account):
        yield statuses
        account = (statuses[-1].source, statuses[-1].author)
    account = ("", "")
    while erasures := _erasures_after(connection, account):
        yield erasures
        account = (erasures[-1].source, erasures[-1].author)
    last = ""
    while remembered := _remembered_after(connection, last):
        yield remembered
        last = remembered[-1].record.id
    row = 0
    while documents := _documents_after(connection, "trends", row):
        yield as_kept(connection, [read_trend(document) for _, document in documents])
        row = documents[-1][0]
    row = 0
    while documents := _documents_after(connection, "event_states", row):
        yield as_kept(connection, [read_event(document) for _, document in documents])
        row = documents[-1][0]
    entry = 0
    while letters := dead_letters_after(connection, entry, None):
        yield [letter for _, letter in letters]
        entry = letters[-1][0]
    yield list(starmap(SourceCursor, connection.execute("SELECT source, position FROM cursors ORDER BY source")))


def copy(connection: sqlite3.Connection, to: Path) -> int:
    """Writes the index as a new file, while others read and write; returns its size in bytes.

    Raises:
        UnreadableInput: the file is there already, or cannot be made.
    """
    draft = to.with_name(f"{to.name}.part")
    try:
        if to.exists():
            raise UnreadableInput(f"{to} is there already. Name a new file for the copy.")
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise UnreadableInput(f"{draft} cannot be made: {error.strerror}. Remove it, or name another file.") from error
    try:
        connection.execute("PRAGMA query_only = OFF")  # it would keep the copy from being written, too
        try:
            connection.execute("VACUUM INTO ?", (str(draft),))
        finally:
            connection.execute("PRAGMA query_only = ON")
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        os.link(draft, to)  # and never over a file that came meanwhile
    except FileExistsError as error:
        raise UnreadableInput(f"{to} is there already. Name a new file for the copy.") from error
    finally:
        draft.unlink(missing_ok=True)
    return to.stat().st_size


def _erasures_after(connection: sqlite3.Connection, account: tuple[str, str]) -> list[Erasure]:
    rows = connection.execute(
        "SELECT source, author, position FROM erasures WHERE (source, author) > (?, ?) ORDER BY source, author LIMIT ?",
        (*account, _STEP),
    )
    return [Erasure(source=source, author=author, position=position) for source, author, position in rows]


def _documents_after(connection: sqlite3.Connection, table: str, row: int) -> list[tuple[int, str]]:
    """Returns the next stored trends or events in the order in which they first came."""
    question = f"SELECT rowid, document FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT ?"
    return connection.execute(question, (row, _STEP)).fetchall()


def _remembered_after(connection: sqlite3.Connection, last: str) -> list[Remembered]:
    """Returns the next ids in order, with their visible posts if there are any."""
    rows = connection.execute(
        f"SELECT {_RECORD}, document FROM registry LEFT JOIN documents USING (number) WHERE id > ? ORDER BY id LIMIT ?",
        (last, _STEP),
    ).fetchall()
    found = []
    for *values, document in rows:
        record = RegistryRecord(*values)
        # A number below 0 stands for no moment, and says only in which order deletions came.
        record.number, record.visible = max(record.number, 0), bool(record.visible)
        post = read_document(document) if record.visible else None
        found.append(Remembered(record, post, () if post is None else _thumbnails(connection, record, post)))
    return found


def _thumbnails(connection: sqlite3.Connection, record: RegistryRecord, post: TaggedPost) -> tuple[Thumbnail, ...]:
    """Returns the thumbnails that the post shows; those kept ahead of a newer revision belong to that revision."""
    photos = photos_of(post)
    if not photos:
        return ()
    rows = connection.execute(
        "SELECT sha256, jpeg FROM thumbnails WHERE id = ? AND revision <= ? ORDER BY sha256",
        (record.id, record.decided_revision),
    )
    return tuple(Thumbnail(*row) for row in rows if row[0] in photos)
