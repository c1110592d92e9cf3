"""Everything that a SQLite index keeps, a page at a time over one connection: whoever calls holds its transaction open
from the first page to the last, so that all pages are of one moment.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import starmap

from search.index import Kept, Remembered, SourceCursor, Thumbnail
from search.registry import Record
from search.sqlite_reads import account_statuses_after, dead_letters_after, read_document
from search.thumbnails import photos_of
from tagstream.posts import Erasure, TaggedPost

_STEP = 200
_RECORD = "id, number, version, position, observed_at, deleted, deleted_position, visible"


def pages(connection: sqlite3.Connection) -> Iterator[Sequence[Kept]]:
    """All of it, in the order in which another index may take it in."""
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
    entry = 0
    while letters := dead_letters_after(connection, entry, None):
        yield [letter for _, letter in letters]
        entry = letters[-1][0]
    yield list(starmap(SourceCursor, connection.execute("SELECT source, position FROM cursors ORDER BY source")))


def _erasures_after(connection: sqlite3.Connection, account: tuple[str, str]) -> list[Erasure]:
    rows = connection.execute(
        "SELECT source, author, position FROM erasures WHERE (source, author) > (?, ?) ORDER BY source, author LIMIT ?",
        (*account, _STEP),
    )
    return [Erasure(source=source, author=author, position=position) for source, author, position in rows]


def _remembered_after(connection: sqlite3.Connection, last: str) -> list[Remembered]:
    """The next ids in order, those without a visible post too."""
    rows = connection.execute(
        f"SELECT {_RECORD}, document FROM registry LEFT JOIN documents USING (number) WHERE id > ? ORDER BY id LIMIT ?",
        (last, _STEP),
    ).fetchall()
    found = []
    for *values, document in rows:
        record = Record(*values)
        # A number below 0 stands for no moment, and says only in which order deletions came.
        record.number, record.visible = max(record.number, 0), bool(record.visible)
        post = read_document(document) if record.visible else None
        found.append(Remembered(record, post, () if post is None else _thumbnails(connection, record, post)))
    return found


def _thumbnails(connection: sqlite3.Connection, record: Record, post: TaggedPost) -> tuple[Thumbnail, ...]:
    """Those that the post shows; what is kept ahead of a newer revision is that one's."""
    photos = photos_of(post)
    if not photos:
        return ()
    rows = connection.execute(
        "SELECT sha256, jpeg FROM thumbnails WHERE id = ? AND revision <= ? ORDER BY sha256",
        (record.id, record.decided_revision),
    )
    return tuple(Thumbnail(*row) for row in rows if row[0] in photos)
