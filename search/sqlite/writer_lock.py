"""The lock by which at most one process writes to an index: two would save each other's source cursors.

The operating system locks a small file beside the index. The kernel lifts the lock when the process ends, however it
ends, and no child process inherits it. The file itself stays and means nothing. Anything else of its name (a link, a
file with other content) is refused and left alone.
"""

import errno
import fcntl
import os
import stat
import threading
import time
from pathlib import Path

from tagstream.errors import IndexUnavailable, UnreadableInput

WAIT_SECONDS = 5.0
_POLL_SECONDS = 0.05
_LONGEST_NUMBER = 20

# The kernel's lock is the process's, so two indices in one process would both get it.
_held_here: set[Path] = set()
_guard = threading.Lock()


class WriterLock:
    """The right to write to the index at `path`. `take` and `release` may be repeated."""

    def __init__(self, path: Path) -> None:
        self._index = path
        # Beside the file itself, whatever symbolic links led to it: SQLite follows them too.
        self._path = Path(f"{os.path.realpath(path)}.writer")
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def take(self) -> None:
        """Takes the lock; waits a few seconds for another writer to end (a killed process may need a moment).

        Raises:
            IndexUnavailable: the other writer does not end.
            UnreadableInput: the lock file cannot be created, or is something else.
        """
        if self._descriptor is not None:
            return
        deadline = time.monotonic() + WAIT_SECONDS
        while not self._try():
            if time.monotonic() >= deadline:
                holder = self._holder()
                message = f"{self._index} is being written to by {holder}. Stop that one first, or name another index."
                raise IndexUnavailable(message)
            time.sleep(_POLL_SECONDS)

    def release(self) -> None:
        """Releases the lock, so that others may write."""
        if self._descriptor is None:
            return
        with _guard:
            os.close(self._descriptor)
            self._descriptor = None
            _held_here.discard(self._path)

    def _try(self) -> bool:
        with _guard:
            if self._path in _held_here:
                return False
            descriptor = self._opened()
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                return False
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            self._descriptor = descriptor
            _held_here.add(self._path)
            return True

    def _opened(self) -> int:
        """Opens the lock file, and makes it if there is none.

        Raises:
            UnreadableInput: the lock file cannot be made, or is something else.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            descriptor = os.open(self._path, flags, 0o644)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
                raise self._no_lock_file() from error
            message = f"{self._path} cannot be created: {error.strerror}. An index needs a folder it can write to."
            raise UnreadableInput(message) from error
        found = os.fstat(descriptor)
        content = os.pread(descriptor, _LONGEST_NUMBER + 1, 0) if stat.S_ISREG(found.st_mode) else b"?"
        if found.st_nlink != 1 or len(content) > _LONGEST_NUMBER or (content and not content.isdigit()):
            os.close(descriptor)
            raise self._no_lock_file()
        return descriptor

    def _no_lock_file(self) -> UnreadableInput:
        return UnreadableInput(
            f"{self._path} is no lock file of tagstream, and was left as it is. Remove it, or name another index."
        )

    def _holder(self) -> str:
        with _guard:
            if self._path in _held_here:  # to open and close the file would lift our own lock
                return f"process {os.getpid()}"
            descriptor = self._opened()
            number = os.pread(descriptor, _LONGEST_NUMBER, 0)
            os.close(descriptor)
        return f"process {number.decode()}" if number.isdigit() else "another process"
