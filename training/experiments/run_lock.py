"""Keeps two processes from training into one folder, where each would overwrite what the other has."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tagstream.errors import BadSettings


@contextmanager
def only_here(run: Path) -> Iterator[None]:
    """Holds the folder, which is made if it is not there; the hold ends with the process at the latest.

    Raises:
        BadSettings: another process trains there.
    """
    run.mkdir(parents=True, exist_ok=True)
    with (run / "lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadSettings(
                f"{run}: another process is training there: wait until it has ended, or choose another folder"
            ) from error
        yield
