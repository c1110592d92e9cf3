"""Removal of the last traces of removed posts from the file of an index. The caller is the writer.

SQLite overwrites what is deleted (`secure_delete`), but FTS5 before 3.42 only notes in its newest segment that a post
is gone: its words stay in an older one until the two are merged; and the journal keeps the pages of before until it is
reset, which nobody can do while somebody reads what was before. Removals are therefore noted in the file, and the note
goes when everything has been merged and the journal was emptied: a little at every orderly close, all at once by
`tagstream compact`.
"""

import sqlite3
import time
from typing import NamedTuple

from search.sqlite.schema import BUSY_SECONDS, transaction

CLOSE_SECONDS = 3.0
_READERS_AT_CLOSE_SECONDS = 1.0
_PAGES_A_STEP = 500
_NOTE = "removed"


def note_removal(connection: sqlite3.Connection) -> None:
    """Notes in the file that words of removed posts may still be there; in the transaction that removes the posts."""
    connection.execute(f"INSERT OR IGNORE INTO settings VALUES ('{_NOTE}', 1)")


def is_pending(connection: sqlite3.Connection) -> bool:
    """Returns whether words of removed posts may still be there."""
    return connection.execute(f"SELECT 1 FROM settings WHERE name = '{_NOTE}'").fetchone() is not None


class Journal(NamedTuple):
    """The state of the journal: whether it is empty, and if not, whether the file is whole without it."""

    is_empty: bool
    is_whole: bool


def merge_some(connection: sqlite3.Connection, seconds: float = CLOSE_SECONDS) -> bool:
    """Merges for at most `seconds`, then empties the journal; returns whether no trace is left."""
    deadline = time.monotonic() + seconds
    pages = -_PAGES_A_STEP  # negative once: all segments there are shall become one
    while not (done := _merge(connection, pages)) and time.monotonic() < deadline:
        pages = _PAGES_A_STEP
    emptied = empty_journal(connection, _READERS_AT_CLOSE_SECONDS).is_empty
    if done and emptied:
        _forget(connection)
    return done and emptied


def compact(connection: sqlite3.Connection) -> Journal:
    """Removes every trace of removed posts, gives free pages back to the disk, and empties the journal.

    While somebody reads an earlier state the note stays, and the returned state tells where the words still are.
    """
    connection.execute("INSERT INTO terms (terms) VALUES ('optimize')")
    journal = empty_journal(connection)
    if journal.is_empty:
        connection.execute("VACUUM")
        journal = empty_journal(connection)
    if journal.is_empty:
        _forget(connection)
        empty_journal(connection)
    return journal


def empty_journal(connection: sqlite3.Connection, patience_seconds: float = BUSY_SECONDS) -> Journal:
    """Copies the journal into the file and truncates it, unless somebody reads for longer than the patience."""
    connection.execute(f"PRAGMA busy_timeout = {round(patience_seconds * 1000)}")
    try:
        busy, pages, written = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {round(BUSY_SECONDS * 1000)}")
    return Journal(not busy, 0 <= pages == written)


def _merge(connection: sqlite3.Connection, pages: int) -> bool:
    """Merges some pages; returns whether none were left: FTS5 then changes at most the row of its own count."""
    with transaction(connection):
        before = connection.total_changes
        connection.execute("INSERT INTO terms (terms, rank) VALUES ('merge', ?)", (pages,))
        return connection.total_changes - before < 2


def _forget(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        connection.execute(f"DELETE FROM settings WHERE name = '{_NOTE}'")
