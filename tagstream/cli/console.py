"""Output of answers: JSON lines for machines, lines and tables for people; notes on standard error.

Text of posts is hostile: nothing in it steers a terminal or acts as console markup. All of standard output is written
here, so that a closed pipe and a full disk are told from other errors.
"""

import errno
import json
import os
import sys
from collections.abc import Iterable
from typing import Any

import click
from rich.console import Console

from tagstream.cli.errors import say, writing_answers
from tagstream.text.terminal_text import json_for_terminals, visible

_PLAIN_WIDTH = 120


class AnswerConsole(Console):
    """Standard output for people: coloured on a terminal, else plain and 120 columns wide; never markup."""

    def __init__(self) -> None:
        # rich reads COLUMNS by itself where no width is given.
        is_known = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
        super().__init__(
            file=sys.stdout, highlight=False, markup=False, emoji=False, width=None if is_known else _PLAIN_WIDTH
        )

    def print(self, *objects: Any, **keywords: Any) -> None:
        with writing_answers():
            super().print(*objects, **keywords)

    def on_broken_pipe(self) -> None:
        """Raises the error, which `writing_answers` handles; rich itself would end the program."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def console() -> AnswerConsole:
    """Returns standard output, as wide as the terminal is now."""
    return AnswerConsole()


def note(message: str) -> None:
    """Shows a line to the person at the terminal, on standard error."""
    say(message)


class Notes:
    """Notes of one kind, of which an input may cause millions: ten are shown, and then that there are more."""

    MOST = 10

    def __init__(self) -> None:
        self._number = 0

    def __call__(self, message: str) -> None:
        self._number += 1
        if self._number <= self.MOST:
            note(message)
        elif self._number == self.MOST + 1:
            note("more of these are counted, and not shown")


def answer(*lines: str) -> None:
    """Writes lines of text to standard output."""
    with writing_answers():
        click.echo("\n".join(map(visible, lines)))


def write_lines(documents: Iterable[str | dict[str, Any]]) -> None:
    """Writes each document as one line of JSON, in UTF-8 whatever the locale."""
    _write_all(map(json_line, documents))


def write_text(lines: Iterable[str]) -> None:
    """Writes lines that are safe to show, in UTF-8 whatever the locale."""
    _write_all(f"{line}\n".encode() for line in lines)


def _write_all(lines: Iterable[bytes]) -> None:
    stream = sys.stdout.buffer
    for line in lines:
        with writing_answers():
            stream.write(line)
    with writing_answers():
        stream.flush()


def write_bytes(content: bytes) -> None:
    """Writes the bytes to standard output."""
    with writing_answers():
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


def json_line(document: str | dict[str, Any]) -> bytes:
    """Returns the document as a line of JSON without a character that acts on a terminal."""
    text = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
    return json_for_terminals(text).encode() + b"\n"
