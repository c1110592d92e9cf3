"""The thumbnails in the SQLite index: functions over a connection; the caller holds the transaction of a write.

::

    keep     ahead of a post, for its revision ─┐
    settle   when the post is decided about ────┼─▶ thumbnails (id, sha256, revision, jpeg)
    discard  when it is not to come after all ──┘
    read     what the visible document shows

The key is the id of the post and not its number: a thumbnail may come before its post, which then has no number yet.
"""

import sqlite3
from collections.abc import Iterable, Mapping

from search.documents import read_document
from search.index import Indexable
from search.registry import RegistryRecord
from search.sqlite.reads import get
from search.sqlite.schema import transaction
from search.thumbnails import photo_at, photos_of
from tagstream.posts import TaggedPost

_KEEP = (
    "INSERT INTO thumbnails (id, sha256, revision, jpeg) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (id, sha256) DO UPDATE SET revision = excluded.revision WHERE excluded.revision > revision"
)


def keep(connection: sqlite3.Connection, posts: Iterable[Indexable]) -> None:
    """Stores thumbnails ahead of their posts."""
    connection.executemany(
        _KEEP,
        [
            (one.post.id, thumbnail.sha256, one.post.revision, thumbnail.jpeg)
            for one in posts
            for thumbnail in one.thumbnails
        ],
    )


def discard(connection: sqlite3.Connection, posts: Iterable[Indexable]) -> None:
    """Removes the thumbnails of these revisions."""
    connection.executemany(
        "DELETE FROM thumbnails WHERE id = ? AND sha256 = ? AND revision <= ?",
        [(one.post.id, photo, one.post.revision) for one in posts for photo in photos_of(one.post)],
    )


def settle(
    connection: sqlite3.Connection, record: RegistryRecord, post: TaggedPost | None, brought: Mapping[str, bytes]
) -> None:
    """Keeps exactly the thumbnails that the visible document shows, of the stored and the brought ones.

    Thumbnails of a revision newer than the record's stay: their post is still to come.

    Args:
        connection: the writer's connection.
        record: the record after the write.
        post: the document that the write stores; None to read the stored one, if it matters.
        brought: the thumbnails that came with the write, by photo.
    """
    decided = record.decided_revision
    there = {
        photo
        for (photo,) in connection.execute(
            "SELECT sha256 FROM thumbnails WHERE id = ? AND revision <= ?", (record.id, decided)
        )
    }
    if not there and not brought:
        return
    shown: frozenset[str] = frozenset()
    if record.visible:
        shown = photos_of(_document(connection, record) if post is None else post)
    connection.executemany(
        "DELETE FROM thumbnails WHERE id = ? AND sha256 = ?", [(record.id, photo) for photo in there - shown]
    )
    connection.executemany(
        _KEEP, [(record.id, photo, decided, jpeg) for photo, jpeg in brought.items() if photo in shown]
    )


def read(connection: sqlite3.Connection, post_id: str, ordinal: int) -> bytes | None:
    """Returns the JPEG of the visible post's medium of that index, None if there is none."""
    with transaction(connection, write=False):
        post = get(connection, post_id)
        photo = None if post is None else photo_at(post, ordinal)
        row = connection.execute("SELECT jpeg FROM thumbnails WHERE id = ? AND sha256 = ?", (post_id, photo)).fetchone()
    return None if row is None else row[0]


def _document(connection: sqlite3.Connection, record: RegistryRecord) -> TaggedPost:
    row = connection.execute("SELECT document FROM documents WHERE number = ?", (record.number,)).fetchone()
    return read_document(row[0])
