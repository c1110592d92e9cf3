"""The last traces of removed posts in the file of an index, and how they go. Whoever calls is the writer.

SQLite overwrites what is deleted (`secure_delete`), but FTS5 before 3.42 only notes in its newest segment that a post
is gone: its words stay in an older one until the two are merged; and the journal keeps the pages of before until it is
reset. Removals are therefore noted in the file, and the note goes when everything has been merged: a little at every
orderly close, all at once by `tagstream compact`.
"""

import sqlite3
import time

from search.sqlite_schema import transaction

CLOSE_SECONDS = 3.0
_PAGES_A_STEP = 500
_NOTE = "removed"


def note_removal(connection: sqlite3.Connection) -> None:
    """Says in the file that words of removed posts may still be there. In the transaction that removes them."""
    connection.execute(f"INSERT OR IGNORE INTO settings VALUES ('{_NOTE}', 1)")


def is_pending(connection: sqlite3.Connection) -> bool:
    """Whether words of removed posts may still be there."""
    return connection.execute(f"SELECT 1 FROM settings WHERE name = '{_NOTE}'").fetchone() is not None


def merge_some(connection: sqlite3.Connection, seconds: float = CLOSE_SECONDS) -> bool:
    """Merges for so long at most, then empties the journal; says whether no trace is left."""
    deadline = time.monotonic() + seconds
    pages = -_PAGES_A_STEP  # negative once: all segments there are shall become one
    while not (done := _merge(connection, pages)) and time.monotonic() < deadline:
        pages = _PAGES_A_STEP
    if done:
        _forget(connection)
    empty_journal(connection)
    return done


def compact(connection: sqlite3.Connection) -> None:
    """Leaves no trace of what was removed, gives free pages back to the disk, and empties the journal."""
    connection.execute("INSERT INTO terms (terms) VALUES ('optimize')")
    _forget(connection)
    empty_journal(connection)
    connection.execute("VACUUM")
    empty_journal(connection)


def empty_journal(connection: sqlite3.Connection) -> None:
    """Puts all of the journal into the file and cuts it to nothing, unless somebody reads meanwhile."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _merge(connection: sqlite3.Connection, pages: int) -> bool:
    """Whether nothing was left to merge: FTS5 then changes at most the row in which it keeps the count."""
    with transaction(connection):
        before = connection.total_changes
        connection.execute("INSERT INTO terms (terms, rank) VALUES ('merge', ?)", (pages,))
        return connection.total_changes - before < 2


def _forget(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        connection.execute(f"DELETE FROM settings WHERE name = '{_NOTE}'")
