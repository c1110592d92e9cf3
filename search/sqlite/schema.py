"""The tables of the SQLite index, and connections to it.

::

    registry      one row for each id, for ever: number, stored version, position, deletion
    documents     the visible posts as JSON, by number
    terms         FTS5: their words and marks, by number; without those of hidden authors
    mentions      (entity, number): the mentions of entities, by entity and by time; without those of hidden authors
    entities      the type and the key that an entity's hash stands for
    facets        by post, its author and what `facets.py` counts of it; without those of hidden authors
    erasures      the position up to which an account is erased
    account_statuses, hidden_authors   the newest status of each account; the keys of those that are hidden
    dead_letters  by origin
    cursors       the position up to which each source has been read
    thumbnails    the small pictures of posts, by id and photo
    trends        the states of trends, by (subject, minute)
    events        an event each: when it was detected; event_states: its states, by (id, minute)
    detector_states   the newest snapshot of each detector, by name
    arrivals      the numbers of the last million posts that became visible, in that order
    settings      the version of the analysis that made the terms

A post's *number* is its time (`search/documents.py`) and a running count below it. So every table, and FTS5 above all,
walks posts in order of time.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search.sqlite.file import CREATE, uri

BUSY_SECONDS = 10.0

DEAD_LETTER_COLUMNS = (
    "origin",
    "source",
    "cause",
    "message",
    "body",
    "size",
    "sha256",
    "post_id",
    "author",
    "position",
)

_WRITER_CACHE_KIB = 64 * 1024
_READER_CACHE_KIB = 16 * 1024
_JOURNAL_LIMIT_BYTES = 64 * 1024 * 1024

TABLES = (
    """CREATE TABLE registry (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        version INTEGER NOT NULL,
        position INTEGER NOT NULL,
        observed_at INTEGER NOT NULL,
        deleted INTEGER NOT NULL,
        deleted_position INTEGER NOT NULL,
        visible INTEGER NOT NULL)""",
    "CREATE TABLE documents (number INTEGER PRIMARY KEY, author INTEGER, document TEXT NOT NULL)",
    "CREATE INDEX documents_by_author ON documents (author) WHERE author IS NOT NULL",
    "CREATE VIRTUAL TABLE terms USING fts5 (words, marks, tokenize = 'ascii')",
    """CREATE TABLE mentions (
        entity INTEGER NOT NULL,
        number INTEGER NOT NULL,
        author INTEGER NOT NULL,
        spelling TEXT NOT NULL,
        PRIMARY KEY (entity, number)) WITHOUT ROWID""",
    "CREATE INDEX mentions_by_time ON mentions (number, author)",
    "CREATE TABLE entities (entity INTEGER PRIMARY KEY, type TEXT NOT NULL, key TEXT NOT NULL)",
    """CREATE TABLE erasures (
        source TEXT NOT NULL,
        author TEXT NOT NULL,
        position INTEGER NOT NULL,
        PRIMARY KEY (source, author)) WITHOUT ROWID""",
    """CREATE TABLE dead_letters (
        entry INTEGER PRIMARY KEY,
        origin TEXT NOT NULL UNIQUE,
        source TEXT NOT NULL,
        cause TEXT NOT NULL,
        message TEXT NOT NULL,
        body BLOB NOT NULL,
        size INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        post_id TEXT,
        author TEXT,
        position INTEGER NOT NULL)""",
    "CREATE INDEX dead_letters_by_post ON dead_letters (post_id) WHERE post_id IS NOT NULL",
    "CREATE INDEX dead_letters_by_author ON dead_letters (author, source) WHERE author IS NOT NULL",
    "CREATE TABLE cursors (source TEXT PRIMARY KEY, position TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
)

ACCOUNT_TABLES = (
    """CREATE TABLE account_statuses (
        source TEXT NOT NULL,
        author TEXT NOT NULL,
        position INTEGER NOT NULL,
        hidden INTEGER NOT NULL,
        PRIMARY KEY (source, author)) WITHOUT ROWID""",
    "CREATE TABLE hidden_authors (author INTEGER PRIMARY KEY)",
)

THUMBNAIL_TABLE = """CREATE TABLE thumbnails (
    id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    revision INTEGER NOT NULL,
    jpeg BLOB NOT NULL,
    PRIMARY KEY (id, sha256))"""

DETECTION_TABLES = (
    """CREATE TABLE trends (
        subject INTEGER NOT NULL,
        minute INTEGER NOT NULL,
        score REAL NOT NULL,
        document TEXT NOT NULL)""",
    "CREATE UNIQUE INDEX trends_by_subject ON trends (subject, minute)",
    "CREATE INDEX trends_by_minute ON trends (minute, subject, score)",
    "CREATE TABLE events (id TEXT PRIMARY KEY, detected_at INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX events_by_detection ON events (detected_at DESC, id)",
    """CREATE TABLE event_states (
        id TEXT NOT NULL,
        minute INTEGER NOT NULL,
        ended_at INTEGER,
        document TEXT NOT NULL)""",
    "CREATE UNIQUE INDEX event_states_by_minute ON event_states (id, minute)",
    "CREATE TABLE detector_states (name TEXT PRIMARY KEY, state BLOB NOT NULL)",
)

# `kept_at` is the later of the minute and the time at which its state was stored.
EXPIRY_COLUMNS = tuple(
    statement
    for table in ("trends", "event_states")
    for statement in (
        f"ALTER TABLE {table} ADD COLUMN kept_at INTEGER NOT NULL DEFAULT 0",
        f"CREATE INDEX {table}_by_age ON {table} (kept_at)",
    )
)

FACETS_TABLE = """CREATE TABLE facets (
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (number, kind, value)) WITHOUT ROWID"""

# One row a post, beside which its words and names need not be read: `held` is a list of JSON without its brackets, so
# that the lists of many posts are joined by commas and read at once.
FACETS_IN_A_ROW = (
    "DROP TABLE facets",
    "CREATE TABLE facets (number INTEGER PRIMARY KEY, author INTEGER NOT NULL, held TEXT NOT NULL)",
)

ARRIVALS_TABLE = "CREATE TABLE arrivals (entry INTEGER PRIMARY KEY, number INTEGER NOT NULL)"


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Returns a connection in autocommit mode, opened in a mode of `file.py`; any thread may use it, one at a time."""
    connection = sqlite3.connect(
        uri(path, mode),
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB if mode == CREATE else _READER_CACHE_KIB}")
        # FULL: a commit is on the disk, not only in the kernel, before `write` returns.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA cell_size_check = ON")
        # What a schema that somebody else wrote calls may have no effects.
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path, mode: str) -> sqlite3.Connection:
    """Returns a connection that changes nothing, with the vocabulary of the words as `temp.vocabulary`."""
    connection = connect(path, mode)
    try:
        connection.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab (main, terms, row)")
        connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, *, write: bool = True) -> Iterator[None]:
    """Runs a block as one transaction, all or nothing; without `write`, several reads see one state of the data."""
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
