"""The command line: one file a group of commands; `errors.py` says what an error becomes, `console.py` how it looks.

Standard output carries answers and nothing else; progress, notes and errors go to standard error. The heavy imports
(models, indices) stand inside the commands, so that `--help` answers at once; the lighter ones stand inside `main`,
where a Ctrl-C or a SIGTERM finds somebody who answers it.
"""

import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

from tagstream.cli.startup import (
    open_missing_streams,
    refuse_windows,
    stop_in_order_on_sigterm,
    was_interrupted,
    was_terminated,
)

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """The program: runs the command and exits with its code."""
    refuse_windows()
    code = _run(sys.argv[1:] if arguments is None else arguments)
    if threading.active_count() > 1:
        from tagstream.runtime.daemon_thread_pool import is_computing, leave

        if is_computing():
            leave(code)
    sys.exit(code)


def _run(arguments: Sequence[str]) -> int:
    try:
        stop_in_order_on_sigterm(arguments)
        open_missing_streams()
        from tagstream.cli.commands import application
        from tagstream.cli.errors import run_guarded
        from tagstream.cli.library_messages import speak_for_libraries

        speak_for_libraries()
        return run_guarded(application, arguments)
    except BaseException as error:
        if not was_interrupted(error):
            raise
        ended = "stopped" if was_terminated() else "interrupted"
        with suppress(OSError):
            print(f"{ended}: nothing more was done", file=sys.stderr)
        return 0 if was_terminated() else _INTERRUPTED
