"""At most one process writes to an index: two would save each other's source cursors.

A lock of the operating system on a small file beside the index; the kernel lifts it when the process ends, however
it ends, and no child inherits it. The file itself stays and means nothing.
"""

import fcntl
import os
import threading
import time
from pathlib import Path

from tagstream.errors import IndexUnavailable, UnreadableInput

WAIT_SECONDS = 5.0
_POLL_SECONDS = 0.05

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

    def take(self) -> None:
        """Waits a few seconds for another writer to end (a killed one may need a moment to go).

        Raises:
            IndexUnavailable: it does not end.
            UnreadableInput: the lock file cannot be created.
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
        """Lets others write."""
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
            try:
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                message = f"{self._path} cannot be created: {error.strerror}. An index needs a folder it can write to."
                raise UnreadableInput(message) from error
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                return False
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
            self._descriptor = descriptor
            _held_here.add(self._path)
            return True

    def _holder(self) -> str:
        try:
            number = self._path.read_text().strip()
        except OSError:
            number = ""
        return f"process {number}" if number.isdigit() else "another process"
