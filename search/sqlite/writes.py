"""One write to the SQLite index: a batch of changes in, the final state of every touched row out, in one transaction.

The changes are first played on records in memory (`search/batch.py`), then written table by table; `postings.py`
writes what searches read. FTS5 gets its rows in order of number: it starts a new segment whenever a number is not above
the one before.
"""

import sqlite3
from collections.abc import Iterable, Sequence

from search.batch import PlayedBatch, TouchedPost
from search.documents import post_json
from search.index import SourceCursor, Writable, WriteReport
from search.registry import RegistryRecord
from search.sqlite import over_time, postings, thumbnails
from search.sqlite.schema import DEAD_LETTER_COLUMNS
from search.sqlite.stored_state import RECORD_COLUMNS, SqliteStoredState
from search.terms import author_key
from tagstream.posts import clean_text


def apply(connection: sqlite3.Connection, changes: Sequence[Writable], cursor: SourceCursor | None) -> WriteReport:
    """Applies the changes in order, then the cursor. The caller holds the transaction.

    Raises:
        RejectedDocument: a post cannot be written; names its id. The caller must not commit.
    """
    stored = SqliteStoredState(connection)
    batch = PlayedBatch(stored)
    batch.play(changes)
    _write_registry(connection, batch)
    _write_erasures(connection, batch)
    _remove_documents(connection, batch)
    _write_statuses(connection, batch, stored)
    _add_documents(connection, batch)
    _settle_thumbnails(connection, batch)
    _write_dead_letters(connection, batch)
    if cursor is not None:
        connection.execute(
            "INSERT INTO cursors VALUES (?, ?) ON CONFLICT (source) DO UPDATE SET position = excluded.position",
            (cursor.source, cursor.position),
        )
    return batch.report


def drop_dead_letters(connection: sqlite3.Connection, origins: Iterable[str]) -> int:
    """Removes dead letters by origin; returns how many were there. The caller holds the transaction."""
    rows = [(origin,) for origin in origins]
    return connection.executemany("DELETE FROM dead_letters WHERE origin = ?", rows).rowcount if rows else 0


def _write_registry(connection: sqlite3.Connection, batch: PlayedBatch) -> None:
    unnumbered = [touched.record for touched in batch.touched.values() if touched.record.number == 0]
    if unnumbered:  # deletions of posts that were never seen
        lowest = connection.execute("SELECT min(number) FROM registry").fetchone()[0] or 0
        for below, record in enumerate(unnumbered, start=1):
            record.number = min(lowest, 0) - below
    new, changed = [], []
    for touched in batch.touched.values():
        if touched.before is None:
            new.append(_row(touched.record))
        elif touched.before != touched.record:
            changed.append((*_row(touched.record), touched.record.id))
    places = ", ".join("?" * len(RECORD_COLUMNS))
    connection.executemany(f"INSERT INTO registry ({', '.join(RECORD_COLUMNS)}) VALUES ({places})", new)
    assignments = ", ".join(f"{column} = ?" for column in RECORD_COLUMNS)
    connection.executemany(f"UPDATE registry SET {assignments} WHERE id = ?", changed)


def _write_erasures(connection: sqlite3.Connection, batch: PlayedBatch) -> None:
    connection.executemany(
        "INSERT INTO erasures VALUES (?, ?, ?) ON CONFLICT (source, author) DO UPDATE SET position = excluded.position",
        [(*account, position) for account, position in batch.erasures.items()],
    )


def _remove_documents(connection: sqlite3.Connection, batch: PlayedBatch) -> None:
    """Removes the documents that are gone, and those that another one replaces."""
    removed = [
        touched.record.number
        for touched in _in_order(batch)
        if touched.before is not None
        and touched.before.visible
        and (touched.post is not None or not touched.record.visible)
    ]
    if removed:
        connection.executemany("DELETE FROM documents WHERE number = ?", [(number,) for number in removed])
        postings.remove(connection, removed)


def _write_statuses(connection: sqlite3.Connection, batch: PlayedBatch, stored: SqliteStoredState) -> None:
    """Hides and shows authors; after removed documents and before new ones, so that only what stays is moved."""
    for account, visibility in batch.statuses.items():
        was_hidden = stored.visibility(account).hidden
        connection.execute(
            "INSERT INTO account_statuses VALUES (?, ?, ?, ?) ON CONFLICT (source, author) "
            "DO UPDATE SET position = excluded.position, hidden = excluded.hidden",
            (*account, *visibility),
        )
        if visibility.hidden != was_hidden:
            change = postings.hide_author if visibility.hidden else postings.show_author
            change(connection, author_key(*account))


def _add_documents(connection: sqlite3.Connection, batch: PlayedBatch) -> None:
    added = [
        (touched.record.number, touched.author, post)
        for touched in _in_order(batch)
        if (post := touched.post) is not None
    ]
    authors = {author for _, author, _ in added if author is not None}
    hidden = {author for author in authors if postings.is_hidden(connection, author)}
    documents = [(number, author, post_json(post)) for number, author, post in added]
    connection.executemany("INSERT INTO documents VALUES (?, ?, ?)", documents)
    postings.add(connection, [numbered for numbered in added if numbered[1] not in hidden])
    over_time.note_arrivals(connection, [touched.record.number for touched in _in_order(batch) if _came_in(touched)])


def _came_in(touched: TouchedPost) -> bool:
    """Returns whether the post is visible and was not before: a new revision of it, or a new answer, is no arrival."""
    return touched.post is not None and (touched.before is None or not touched.before.visible)


def _settle_thumbnails(connection: sqlite3.Connection, batch: PlayedBatch) -> None:
    for touched in batch.touched.values():
        thumbnails.settle(connection, touched.record, touched.post, touched.brought)


def _write_dead_letters(connection: sqlite3.Connection, batch: PlayedBatch) -> None:
    """Removes the stored dead letters that a deletion or an erasure covers, then adds those of the batch."""
    for post_id in batch.deletions:
        record = batch.touched[post_id].record
        found = connection.execute(
            "SELECT origin, position FROM dead_letters WHERE post_id = ?", (clean_text(post_id),)
        ).fetchall()
        drop_dead_letters(connection, [origin for origin, position in found if record.refuses_letter(position)])
    connection.executemany(
        "DELETE FROM dead_letters WHERE source = ? AND author = ? AND position <= ?",
        [(*account, position) for account, position in batch.erasures.items()],
    )
    connection.executemany(
        f"INSERT INTO dead_letters ({', '.join(DEAD_LETTER_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (origin) DO UPDATE SET "
        + ", ".join(f"{column} = excluded.{column}" for column in DEAD_LETTER_COLUMNS),
        [tuple(getattr(letter, column) for column in DEAD_LETTER_COLUMNS) for letter in batch.letters.values()],
    )


def _in_order(batch: PlayedBatch) -> list[TouchedPost]:
    """Returns the touched posts in order of number, which is the order of time."""
    return sorted(batch.touched.values(), key=lambda touched: touched.record.number)


def _row(record: RegistryRecord) -> tuple[object, ...]:
    return tuple(getattr(record, column) for column in RECORD_COLUMNS)
