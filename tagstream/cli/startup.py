"""The first steps of a process, before any heavy import: the standard streams, Ctrl-C and SIGTERM."""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType

# A supervisor starts these and ends them with SIGTERM: that is their orderly end, not an interruption.
_SERVICES = frozenset(["run", "ingest", "worker"])
_terminated = threading.Event()


def refuse_windows() -> None:
    """Ends the program where the system lacks the locks and signals that tagstream uses: on Windows, outside WSL."""
    if sys.platform == "win32":
        sys.exit("error: tagstream runs on Linux and macOS; on Windows use WSL, and install it there")


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


def stop_in_order_on_sigterm(arguments: Sequence[str]) -> None:
    """Makes SIGTERM an orderly end of a service, from its first moment: while it still loads, too.

    Until the work begins the signal ends the loading as Ctrl-C would; `was_terminated` tells the two apart.
    """
    if _command_of(arguments) in _SERVICES:
        signal.signal(signal.SIGTERM, _on_early_sigterm)


def _command_of(arguments: Sequence[str]) -> str | None:
    """The name of the command, which options may precede; nothing is imported to read them yet."""
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--config":
            next(remaining, None)
        elif not argument.startswith("-"):
            return argument
    return None


def _on_early_sigterm(_number: int, _frame: FrameType | None) -> None:
    note_sigterm()
    # Where nothing can be raised (in a destructor) Python drops this: the work asks `was_terminated` as it begins.
    raise KeyboardInterrupt


def note_sigterm() -> None:
    """Notes that SIGTERM has come; another one changes nothing."""
    _terminated.set()


def was_terminated() -> bool:
    """Whether SIGTERM has come to a service."""
    return _terminated.is_set()


def was_interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind the error: a library interrupted while it loads says that it cannot be loaded."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
