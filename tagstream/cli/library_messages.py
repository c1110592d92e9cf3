"""Messages of libraries (logs, warnings, threads that die), printed as lines of ours and limited in number.

A library may quote whatever a server or a post gave it, and once for every post.
"""

import logging
import threading
from types import TracebackType

from tagstream.cli.errors import say

MOST_LINES = 50


class _LimitedMessages(logging.Handler):
    """A log handler that shows the first messages, and then that there are more."""

    def __init__(self) -> None:
        super().__init__()
        self._left = MOST_LINES

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception as error:  # a library's own mistake in its message is no reason to print a traceback
            message = f"a message that cannot be read ({type(error).__name__})"
        if record.exc_info and record.exc_info[1] is not None:
            message += f" ({_named(record.exc_info[1])})"
        self.say(f"{record.name}: {message}")

    def say(self, line: str) -> None:
        """Shows the line, unless there have been too many."""
        self._left -= 1
        if self._left >= 0:
            say(line)
        elif self._left == -1:
            say("libraries say more than this; the rest is left out")


def show_library_messages() -> None:
    """Shows the messages of libraries from now on, for the whole process."""
    handler = _LimitedMessages()
    logging.getLogger().addHandler(handler)
    logging.captureWarnings(True)
    # This library warns of each attempt during an outage; tagstream itself says which server does not answer.
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)

    def on_dead_thread(dead: threading.ExceptHookArgs) -> None:
        if dead.exc_type is not SystemExit:
            name = dead.thread.name if dead.thread else "a thread"
            handler.say(f"{name} died of {_described(dead.exc_type, dead.exc_value, dead.exc_traceback)}")

    threading.excepthook = on_dead_thread


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _described(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> str:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" in {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"{kind.__name__}: {error}{where}"
