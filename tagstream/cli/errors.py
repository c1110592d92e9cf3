"""The end of a command by an error: a line on standard error and an exit code. Only this file catches everything.

0 done      1 fatal      2 usage      3 an input that cannot be read      4 a service unavailable      130 interrupted

SIGTERM ends a service (`run`, `ingest`, `worker`) in order, with 0.
"""

import errno
import os
import re
import select
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import click

from tagstream.cli.startup import was_interrupted, was_terminated
from tagstream.errors import Fatal, Retryable, TagstreamError
from tagstream.text.redaction import redacted
from tagstream.text.terminal_text import visible, visible_lines

FATAL, USAGE, UNAVAILABLE, INTERRUPTED = 1, 2, 4, 130
# An error may quote megabytes of a post; a log keeps its size.
LONGEST_MESSAGE = 4_000
_LOOKED_THROUGH = 4 * LONGEST_MESSAGE


@dataclass(slots=True)
class Invocation:
    """The options of every command: whether tracebacks are shown, and the settings file."""

    debug: bool = False
    config: Path | None = None


class Interrupted(Exception):
    """The work was stopped by the user or a supervisor; the message says where."""


class ReaderGone(Exception):
    """Standard output is a pipe that its reader has closed (`| head -1`): no failure, and nothing is said."""


class OutputFailed(Fatal):
    """Standard output cannot be written for another reason, such as a full disk."""


def run_guarded(application: click.Command, arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code. No exception leaves this function."""
    invocation = Invocation()
    _tolerate_narrow_encodings()
    try:
        answer = application.main(list(arguments), prog_name="tagstream", standalone_mode=False, obj=invocation)
        with writing_answers():
            sys.stdout.flush()
    except SystemExit as exit_request:
        code, cause = exit_request.code, exit_request.__context__
        if isinstance(cause, OSError):  # click ends by itself when a pipe breaks, and does not look whose it was
            return _report(cause)
        _discard_output()
        return code if isinstance(code, int) else FATAL
    except BaseException as error:
        if invocation.debug and not isinstance(error, ReaderGone):
            _say_lines(redacted(traceback.format_exc()))
        return _report(error)
    return answer if isinstance(answer, int) else 0


@contextmanager
def writing_answers() -> Iterator[None]:
    """Tells failures of standard output from all other errors of the code inside.

    Raises:
        ReaderGone: the reader has closed the pipe.
        OutputFailed: standard output cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise ReaderGone from error
        raise OutputFailed(f"standard output cannot be written: {error.strerror or error}") from error


def _report(error: BaseException) -> int:
    """Shows in one line what went wrong, and where if the error has an excerpt; returns the exit code."""
    match error:
        case click.exceptions.NoArgsIsHelpError():
            _say_lines(error.format_message())
            return USAGE
        case ReaderGone():
            _discard_output()
            return 0
        case OutputFailed():
            _discard_output()
            return _say(str(error), FATAL)
        case click.UsageError():
            where = error.ctx.command_path if error.ctx else "tagstream"
            return _say(f"{error.format_message()} (see `{where} --help`)", USAGE)
        case click.ClickException():
            return _say(error.format_message(), USAGE)
        case Interrupted():
            return _say_stopped(str(error))
        case click.Abort() | KeyboardInterrupt():
            return _say_stopped("stopped: nothing more was done")
        case Fatal():
            _say(str(error), error.exit_code)
            if error.excerpt:
                _say_lines(error.excerpt)
            return error.exit_code
        case Retryable():
            return _say(str(error), UNAVAILABLE)
        case TagstreamError():
            return _say(str(error), FATAL)
        case OSError() if error.errno == errno.EPIPE and _reader_has_gone():
            _discard_output()
            return 0
        case OSError():
            name = f"{error.filename}: " if error.filename else ""
            return _say(f"{name}{error.strerror or error}", FATAL)
        case _ if was_interrupted(error):
            return _say_stopped("stopped: nothing more was done")
    return _say(f"unexpected {type(error).__name__}: {error} (--debug shows where)", FATAL)


def _say_stopped(message: str) -> int:
    """Exits with 0 after SIGTERM to a service: its supervisor must not take an orderly end for a failure."""
    line = _in_one_line(message)
    if was_terminated():
        say(line)
        return 0
    say(f"interrupted: {line.removeprefix('stopped: ')}")
    return INTERRUPTED


def _say(message: str, code: int) -> int:
    say(f"error: {_in_one_line(message)}")
    return code


def _in_one_line(message: str) -> str:
    # An argument may have megabytes; only its beginning is shown.
    return re.sub(r"[ \t\r\n]+", " ", message[:_LOOKED_THROUGH]).strip()


def say(message: str) -> None:
    """Shows the message as one line on standard error; where that cannot be written, the work goes on without it.

    Passwords in addresses are hidden, characters that act on a terminal are made visible, and the length is bounded.
    """
    _echo(visible(redacted(message[:_LOOKED_THROUGH]), LONGEST_MESSAGE))


def _say_lines(text: str) -> None:
    _echo(visible_lines(text))


def _echo(text: str) -> None:
    try:
        click.echo(text, err=True)
    except OSError:
        with suppress(OSError):
            _point_nowhere(sys.stderr)


def _tolerate_narrow_encodings() -> None:
    """Gives a terminal that cannot show an emoji a `?` for it, and not an exception."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def _reader_has_gone() -> bool:
    """Returns whether the broken pipe is standard output: a network connection may have broken as well."""
    try:
        asked = select.poll()
        asked.register(sys.stdout.fileno(), 0)  # a pipe without a reader is reported unasked
        return bool(asked.poll(0))
    except (OSError, ValueError):
        return False


def _discard_output() -> None:
    """Points standard output at the null device, so that the flush of the interpreter at exit cannot fail as well."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):
            _point_nowhere(sys.stdout)


def _point_nowhere(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
