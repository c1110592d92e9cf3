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
    """Opens the null device in place of each standard stream that was closed when the program started.

    The order is that of their descriptors: a file that is opened gets the lowest free descriptor, so each stream gets
    its own. Otherwise an index could be opened as descriptor 1 or 2, and a message would be written into it.
    """
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY), "r", encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def stop_in_order_on_sigterm(arguments: Sequence[str]) -> None:
    """Makes SIGTERM the orderly end of a service from its first moment, while it still loads, too.

    Until the work begins the signal ends the loading as Ctrl-C does; `was_terminated` tells the two apart.
    """
    if _command_of(arguments) in _SERVICES:
        signal.signal(signal.SIGTERM, _on_early_sigterm)


def _command_of(arguments: Sequence[str]) -> str | None:
    """Returns the name of the command, which options may precede; no parser is imported yet."""
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--config":
            next(remaining, None)
        elif not argument.startswith("-"):
            return argument
    return None


def _on_early_sigterm(_number: int, _frame: FrameType | None) -> None:
    note_sigterm()
    # In a destructor Python drops the exception; so the work asks `was_terminated` when it begins.
    raise KeyboardInterrupt


def note_sigterm() -> None:
    """Records that SIGTERM has come; a second one changes nothing."""
    _terminated.set()


def was_terminated() -> bool:
    """Returns whether a service received SIGTERM."""
    return _terminated.is_set()


def was_interrupted(error: BaseException | None) -> bool:
    """Returns whether Ctrl-C caused the error: a library interrupted while it loads raises an error of its own."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
