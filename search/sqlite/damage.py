"""Errors of SQLite as errors of ours, in one table; and the check whether a file is damaged.

An error that the table does not list comes from a mistake in this program or from a damaged file. So the file is
checked first, and an error of a sound file goes on as it is.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pydantic import ValidationError

from search.sqlite.file import READ_WRITE, uri
from search.sqlite.schema import BUSY_SECONDS
from tagstream.codec import describe
from tagstream.errors import CorruptState, IndexUnavailable, NewerVersion, TagstreamError, UnreadableInput

_LOOK_SECONDS = 30.0
# A feed waits for a writer's look, and any post may be what the error is about: so it is short, and rare.
WRITER_LOOK_SECONDS = 2.0
_SOUND_SECONDS = 600.0
_STEPS_BETWEEN_LOOKS_AT_THE_CLOCK = 100_000
_NOT_THE_FILE = frozenset(
    {
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
    }
)
_RESTORE = "Restore a backup (tagstream restore) into another file, or name another."
# What stored values that are not what we wrote lead to.
_UNFORESEEN = (
    sqlite3.Error,
    ValidationError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    MemoryError,
)


_sound_until: dict[Path, float] = {}


@contextmanager
def our_errors(path: Path, look_seconds: float = _LOOK_SECONDS) -> Iterator[None]:
    """Raises SQLite's errors, and errors that a damaged file causes, as errors of ours.

    After a check that found nothing the writer trusts the file for a while, because hostile posts may fail one after
    the other.
    """
    try:
        yield
    except TagstreamError:
        raise
    except _UNFORESEEN as error:
        ours = translate(error, path) if isinstance(error, sqlite3.Error) else None
        if isinstance(error, ValidationError):  # contracts are only made of what is stored here
            ours = CorruptState(
                f"{path} is damaged: a stored value is none that was written: {describe(error)}. {_RESTORE}"
            )
        if isinstance(error, UnicodeDecodeError):
            ours = CorruptState(f"{path} is damaged: a stored text is not UTF-8. {_RESTORE}")
        if ours is None and (problem := _damage_if_it_is_time(path, look_seconds)) is not None:
            ours = CorruptState(f"{path} is damaged: {problem}. {_RESTORE}")
        if ours is None:
            raise
        raise ours from error


def _damage_if_it_is_time(path: Path, look_seconds: float) -> str | None:
    if look_seconds == WRITER_LOOK_SECONDS and time.monotonic() < _sound_until.get(path, 0.0):
        return None
    problem = damage(path, look_seconds)
    if problem is None:
        _sound_until[path] = time.monotonic() + _SOUND_SECONDS
    return problem


def translate(error: sqlite3.Error, path: Path) -> TagstreamError | None:
    """Returns the error of ours for an error of SQLite, None if the table does not list it."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return IndexUnavailable(f"{path} is locked by another process for over {BUSY_SECONDS:.0f} s. Trying again.")
        case sqlite3.SQLITE_INTERRUPT:
            return IndexUnavailable(f"{path} was closed while it was being read. Open it again.")
        case sqlite3.SQLITE_FULL:
            return IndexUnavailable(f"The disk that holds {path} is full. Free some space.")
        case sqlite3.SQLITE_IOERR if error.sqlite_errorcode == sqlite3.SQLITE_IOERR_SHORT_READ:
            return CorruptState(f"{path} is shorter than it says: {error}. {_RESTORE}")
        case sqlite3.SQLITE_IOERR:
            return IndexUnavailable(f"{path} cannot be read or written: {error}. Check the disk.")
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return CorruptState(f"{path} is not a SQLite database, or a damaged one: {error}. {_RESTORE}")
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return UnreadableInput(
                f"{path} cannot be opened: {error}. Check that it and its folder exist and are yours."
            )
        case sqlite3.SQLITE_ERROR if "fts5 file format" in str(error):
            here = sqlite3.sqlite_version
            return NewerVersion(
                f"{path} was last written with SQLite 3.42 or newer; this Python has {here}. Upgrade it."
            )
        case sqlite3.SQLITE_ERROR if "same text encoding" in str(error):
            return CorruptState(f"{path} is damaged: its beginning names an encoding that is none of ours. {_RESTORE}")
        case _ if str(error).startswith("Could not decode to UTF-8"):  # and goes on with the text itself
            return CorruptState(f"{path} is damaged: a stored text is not UTF-8. {_RESTORE}")
        case _:
            return None


def damage(path: Path, look_seconds: float = _LOOK_SECONDS) -> str | None:
    """Returns what is wrong with the file as a database, None if nothing is found within a bounded time."""
    deadline = time.monotonic() + look_seconds
    try:
        with closing(sqlite3.connect(uri(path, READ_WRITE), uri=True, timeout=1)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS_AT_THE_CLOCK)
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if found == "ok":
                connection.execute("INSERT INTO terms (terms) VALUES ('integrity-check')")
                connection.rollback()
    except sqlite3.OperationalError as error:
        return None if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_THE_FILE else str(error)
    except sqlite3.Error as error:
        return str(error)
    return None if found == "ok" else str(found)[:200]
