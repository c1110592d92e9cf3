"""Recognition of an index's file before SQLite may touch it, and the modes to open it in.

SQLite changes files that it opens, and their folders: it rolls a journal back, takes up another program's log, leaves
files of its own. An *immutable* connection does none of that. It knows the file alone, so what a file is whose first
page has not been written yet stands in the log beside it. Nothing here writes.

Nothing here opens the file itself either: to close it would drop the locks of every connection of this process.
"""

import os
import sqlite3
import stat
from contextlib import closing
from enum import Enum
from pathlib import Path
from urllib.parse import quote

from tagstream.errors import CorruptState, UnreadableInput

APPLICATION_ID = 0x74616773  # "tags", in the header of every file of ours
READ_WRITE = "mode=rw"
CREATE = "mode=rwc"
# Nobody writes to it while we read, and nothing is made beside it: for files that cannot be written to.
UNTOUCHED = "mode=ro&immutable=1"

_APPLICATION_ID = slice(68, 72)
_PAGE_SIZE = slice(8, 12)
_SALT = slice(16, 24)
_LOG_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24


class Found(Enum):
    """The kinds of what may stand at the path of an index."""

    NOTHING = "nothing"
    EMPTY = "empty"
    OURS = "ours"


def uri(path: Path, mode: str) -> str:
    """Returns the address by which SQLite opens a file, whatever characters its name holds."""
    return f"file:{quote(os.fsencode(path.absolute()))}?{mode}"


def look(path: Path) -> Found:
    """Returns what stands at the path.

    Raises:
        CorruptState: the file is another program's.
        UnreadableInput: it is no file, or must not be read.
        sqlite3.Error: it is no database, or a damaged one.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return Found.NOTHING
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableInput(f"{path} cannot be opened: {reason}. Check the path.") from error
    if stat.S_ISDIR(mode):
        raise UnreadableInput(f"{path} is a folder. Name a file in it.")
    if not stat.S_ISREG(mode):
        raise UnreadableInput(f"{path} is no file. Name a file for the index.")
    if not os.access(path, os.R_OK):
        raise UnreadableInput(f"{path} cannot be opened: it is not yours to read. Check whose it is.")
    with closing(sqlite3.connect(uri(path, UNTOUCHED), uri=True)) as connection:
        identity = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if identity == 0 and tables == 0:
        identity = _identity_in_log(log_of(path))
        if identity is None:
            return Found.EMPTY
    if identity != APPLICATION_ID:
        raise CorruptState(f"{path} is a database of another program, not a tagstream index. Name another file.")
    return Found.OURS


def log_of(path: Path) -> Path:
    """Returns the path of the write-ahead log beside the file itself, whatever links led to the file."""
    return Path(f"{os.path.realpath(path)}-wal")


def reading_mode(path: Path) -> str:
    """Returns the mode in which to open an index for reading.

    A log beside a file that cannot be written to is read with it, which needs its `-shm` to be there too.

    Raises:
        UnreadableInput: it cannot be read without writing, and cannot be written to.
    """
    file, log = Path(os.path.realpath(path)), log_of(path)
    may_write_beside = os.access(file.parent, os.W_OK)
    if os.access(file, os.W_OK) and may_write_beside:
        return READ_WRITE
    if not log.exists() or (log.stat().st_size == 0 and not may_write_beside):
        return UNTOUCHED
    if not Path(f"{file}-shm").exists() and not may_write_beside:
        raise UnreadableInput(
            f"{path} has a log beside it ({log.name}) that cannot be read where nothing can be written. "
            "Copy both files to a folder that you can write to, and name the copy."
        )
    return READ_WRITE  # SQLite itself then only reads


def _identity_in_log(log: Path) -> int | None:
    """Returns the application id in the newest first page of the log, None if the log has no first page."""
    found = None
    try:
        with log.open("rb") as file:
            header = file.read(_LOG_HEADER_BYTES)
            size, salt = int.from_bytes(header[_PAGE_SIZE]), header[_SALT]
            while len(frame := file.read(_FRAME_HEADER_BYTES)) == _FRAME_HEADER_BYTES and frame[8:16] == salt:
                page = file.read(size)
                if frame[:4] == b"\0\0\0\1" and len(page) == size:
                    found = int.from_bytes(page[_APPLICATION_ID])
    except OSError:
        return None
    return found
