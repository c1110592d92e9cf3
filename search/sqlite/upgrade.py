"""Preparation of a file as an index of this version: made from nothing, migrated, its terms renewed, or refused."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from search.sqlite.file import APPLICATION_ID
from search.sqlite.postings import analyse_anew, facets_anew
from search.sqlite.schema import (
    ACCOUNT_TABLES,
    ARRIVALS_TABLE,
    DETECTION_TABLES,
    EXPIRY_COLUMNS,
    FACETS_IN_A_ROW,
    FACETS_TABLE,
    TABLES,
    THUMBNAIL_TABLE,
    transaction,
)
from search.sqlite.writer_lock import WriterLock
from tagstream.errors import AbsentIndex, CorruptState, NewerVersion, UnreadableInput
from tagstream.text.analysis import ANALYSIS_VERSION


def _create(connection: sqlite3.Connection) -> None:
    # First of all, so that a file whose tables are still in the log says whose it is.
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statement in TABLES:
        connection.execute(statement)
    connection.execute("INSERT INTO settings VALUES ('analysis', ?)", (ANALYSIS_VERSION,))
    if sqlite3.sqlite_version_info >= (3, 42):  # before, a removed post's terms go when FTS5 next merges their segment
        connection.execute("INSERT INTO terms (terms, rank) VALUES ('secure-delete', 1)")


def _add_account_statuses(connection: sqlite3.Connection) -> None:
    for statement in ACCOUNT_TABLES:
        connection.execute(statement)


def _add_thumbnails(connection: sqlite3.Connection) -> None:
    connection.execute(THUMBNAIL_TABLE)


def _keep_as_it_is(_: sqlite3.Connection) -> None:
    """Changes no table: posts are of contract version 3, which earlier versions of this program cannot read."""


def _add_detections(connection: sqlite3.Connection) -> None:
    for statement in DETECTION_TABLES:
        connection.execute(statement)


def _add_facets(connection: sqlite3.Connection) -> None:
    connection.execute(FACETS_TABLE)  # filled with the terms: no file of before has those of this analysis


def _facets_in_a_row(connection: sqlite3.Connection) -> None:
    for statement in FACETS_IN_A_ROW:
        connection.execute(statement)
    facets_anew(connection)


def _add_arrivals(connection: sqlite3.Connection) -> None:
    connection.execute(ARRIVALS_TABLE)


def _add_expiry(connection: sqlite3.Connection) -> None:
    for statement in EXPIRY_COLUMNS:
        connection.execute(statement)
    now = time.time_ns() // 1_000_000  # nobody knows when they were stored
    for table in ("trends", "event_states"):
        connection.execute(f"UPDATE {table} SET kept_at = max(minute, ?)", (now,))


# Step n turns a file of version n into a file of version n + 1; step 0 makes the tables.
MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _create,
    _add_account_statuses,
    _add_thumbnails,
    _keep_as_it_is,
    _add_detections,
    _add_arrivals,
    _add_facets,
    _add_expiry,
    _facets_in_a_row,
)


def prepare(connection: sqlite3.Connection, path: Path, lock: WriterLock, *, create: bool, fixed: bool) -> None:
    """Makes an index of an empty file, and brings an older index to this version; `fixed`: the file cannot be changed.

    Raises:
        CorruptState: the tables are not ours.
        NewerVersion: a newer tagstream wrote the index.
        UnreadableInput: the file is empty and `create` is false, or older and cannot be changed.
        IndexUnavailable: the index is older, and the process that writes to it must end first.
    """
    current = _is_current(connection, path, create=create)
    if create:
        connection.execute("PRAGMA journal_mode = WAL")
    if current:
        return
    if fixed:
        raise UnreadableInput(
            f"{path} is of an older version, and cannot be brought up to date where nothing can be written. "
            "Copy it to a folder that you can write to, and name the copy."
        )
    lock.take()
    with transaction(connection):
        for step in range(_version(connection), len(MIGRATIONS)):
            MIGRATIONS[step](connection)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        if _analysis(connection, path) != ANALYSIS_VERSION:
            analyse_anew(connection)
            connection.execute("UPDATE settings SET value = ? WHERE name = 'analysis'", (ANALYSIS_VERSION,))
    if not create:
        lock.release()


def _is_current(connection: sqlite3.Connection, path: Path, *, create: bool) -> bool:
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        if not create:
            raise AbsentIndex(f"{path} is empty: no index was ever written there. Check the path.")
        return False
    version, known = _version(connection), len(MIGRATIONS)
    if version > known:
        raise NewerVersion(f"{path} has index version {version}; this tagstream knows {known}. Upgrade tagstream.")
    _check_tables(connection, path, version)
    analysis = _analysis(connection, path)
    if analysis > ANALYSIS_VERSION:
        known = ANALYSIS_VERSION
        raise NewerVersion(f"{path} has analysis version {analysis}; this tagstream knows {known}. Upgrade tagstream.")
    return version == known and analysis == ANALYSIS_VERSION


def _check_tables(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Checks that the tables are those that the steps up to the version make: else a later query would fail.

    Nor may there be a trigger or a view: no step makes one, and that of a stranger would run with our writes.
    """
    with closing(sqlite3.connect(":memory:")) as sample:
        for step in MIGRATIONS[:version]:
            step(sample)
        expected, found = _tables(sample), _tables(connection)
    foreign = connection.execute("SELECT count(*) FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchone()[0]
    if foreign:
        raise CorruptState(f"{path} has a trigger or a view, and tagstream makes none: do not use it.")
    wrong = sorted(name for name, statement in expected.items() if found.get(name) != statement)
    encoding = connection.execute("PRAGMA encoding").fetchone()[0]
    if wrong or version < 1 or encoding != "UTF-8":
        what = f"its table {wrong[0]} is missing or another" if wrong else "its version or encoding is none of ours"
        raise CorruptState(f"{path} is damaged: {what}. Restore a backup into another file (tagstream restore).")


def _tables(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _analysis(connection: sqlite3.Connection, path: Path) -> int:
    row = connection.execute("SELECT value FROM settings WHERE name = 'analysis'").fetchone()
    if row is None or type(row[0]) is not int:
        raise CorruptState(f"{path} is damaged: it does not say how its words were made. Restore a backup.")
    return row[0]
