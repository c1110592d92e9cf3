"""The command line: its table of commands, and the kit that commands share.

::

    main ─▶ startup.py (streams, signals) ─▶ commands.py (table) ─▶ lazy_group.py ─▶ a command of some package
                                                                                        │ options.py, console.py,
                                                                                        ▼ progress.py
              exit code ◀─ errors.py (one line on standard error) ◀──────────────── answer or error

Standard output carries answers and nothing else; progress, notes and errors go to standard error. Each package answers
its own commands, which are imported when they are called, so that `--help` answers at once. The imports of `main` stand
inside it, where Ctrl-C and SIGTERM are handled already.
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
    """Runs the command line of the program and exits with its code."""
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
        from tagstream.cli.library_messages import show_library_messages

        show_library_messages()
        return run_guarded(application, arguments)
    except BaseException as error:
        if not was_interrupted(error):
            raise
        ended = "stopped" if was_terminated() else "interrupted"
        with suppress(OSError):
            print(f"{ended}: nothing more was done", file=sys.stderr)
        return 0 if was_terminated() else _INTERRUPTED
