"""How a file becomes an index of this version: made from nothing, migrated, its terms built anew, or refused."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from search.sqlite_postings import analyse_anew
from search.sqlite_schema import ACCOUNT_TABLES, APPLICATION_ID, TABLES, THUMBNAIL_TABLE, transaction
from search.writer_lock import WriterLock
from tagstream.analysis import ANALYSIS_VERSION
from tagstream.errors import CorruptState, NewerVersion, UnreadableInput


def _create(connection: sqlite3.Connection) -> None:
    for statement in TABLES:
        connection.execute(statement)
    connection.execute("INSERT INTO settings VALUES ('analysis', ?)", (ANALYSIS_VERSION,))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    if sqlite3.sqlite_version_info >= (3, 42):  # before, a removed post's terms go when FTS5 next merges their segment
        connection.execute("INSERT INTO terms (terms, rank) VALUES ('secure-delete', 1)")


def _add_account_statuses(connection: sqlite3.Connection) -> None:
    for statement in ACCOUNT_TABLES:
        connection.execute(statement)


def _add_thumbnails(connection: sqlite3.Connection) -> None:
    connection.execute(THUMBNAIL_TABLE)


def _keep_as_it_is(_: sqlite3.Connection) -> None:
    """Posts are of contract version 3, which reads those of the earlier ones; who knows only these must not read on."""


# The step at place n turns a file of version n into one of version n + 1; the first makes it from nothing.
MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _create,
    _add_account_statuses,
    _add_thumbnails,
    _keep_as_it_is,
)


def prepare(connection: sqlite3.Connection, path: Path, lock: WriterLock, *, create: bool) -> None:
    """Checks that the file is an index of ours, makes it one if it is empty, and brings it to this version.

    Raises:
        CorruptState: it is another program's database.
        NewerVersion: a newer tagstream wrote it.
        UnreadableInput: it is empty and `create` is false.
        IndexUnavailable: it is older, and the process that writes to it must end first.
    """
    current = _is_current(connection, path, create=create)
    if create:  # only now: another program's file is refused as it was found
        connection.execute("PRAGMA journal_mode = WAL")
    if current:
        return
    lock.take()
    with transaction(connection):
        for step in range(_version(connection), len(MIGRATIONS)):
            MIGRATIONS[step](connection)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        if _analysis(connection) != ANALYSIS_VERSION:
            analyse_anew(connection)
            connection.execute("UPDATE settings SET value = ? WHERE name = 'analysis'", (ANALYSIS_VERSION,))
    if not create:
        lock.release()


def _is_current(connection: sqlite3.Connection, path: Path, *, create: bool) -> bool:
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        if not create:
            raise UnreadableInput(f"{path} is empty: no index was ever written there. Check the path.")
        return False
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise CorruptState(f"{path} is a database of another program, not a tagstream index. Name another file.")
    version, known = _version(connection), len(MIGRATIONS)
    if version > known:
        raise NewerVersion(f"{path} has index version {version}; this tagstream knows {known}. Upgrade tagstream.")
    if version < known:
        return False
    analysis = _analysis(connection)
    if analysis > ANALYSIS_VERSION:
        known = ANALYSIS_VERSION
        raise NewerVersion(f"{path} has analysis version {analysis}; this tagstream knows {known}. Upgrade tagstream.")
    return analysis == ANALYSIS_VERSION


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _analysis(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("SELECT value FROM settings WHERE name = 'analysis'").fetchone()[0]
    return version
