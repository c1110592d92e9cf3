"""What has to work before anything heavy is imported: the standard streams, and Ctrl-C."""

import os
import sys


def open_missing_streams() -> None:
    """Opens nowhere in place of each standard stream that was closed when the program was started.

    In the order of their numbers: a file that is opened gets the lowest number that is free, so each of them gets its
    own, and no index is ever opened as descriptor 1 or 2 and then written to by a message.
    """
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY), "r", encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def was_interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind the error: a library interrupted while it loads says that it cannot be loaded."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
