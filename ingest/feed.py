"""The options of commands that read a feed (`--speed`, `--record`), and the source that these options describe."""

import errno
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tagstream.errors import UnreadableInput
from tagstream.settings import Settings

if TYPE_CHECKING:
    from ingest.sources.wrappers.survey import Survey
    from tagstream.source import Source

Decorated = TypeVar("Decorated", bound=Callable[..., object])


def feed_options(command: Decorated) -> Decorated:
    """Adds the options `--speed` and `--record` to a command, as its parameters `speed` and `record`."""
    speed: Any = click.option(
        "--speed",
        type=float,
        metavar="TIMES",
        help="Read at the pace of the posts' own dates: 1 as they were written, 60 an hour in a minute. "
        "[default: as fast as possible]",
    )
    record: Any = click.option(
        "--record",
        metavar="FILE",
        help="Write down what the feed gives, as JSON lines that jsonl:FILE reads again; compressed if the name ends "
        "in .gz, .zst, .bz2 or .xz. A recording that is there goes on.",
    )
    decorated: Decorated = speed(record(command))
    return decorated


def open_feed(spec: str, settings: Settings, *, speed: float | None, record: str | None) -> "Survey":
    """Opens the source that the specification names, wrapped as the options ask: with photos, paced, recorded.

    A file is looked at before anything else is opened, so that no index is made for a file that is not there.

    Raises:
        BadSettings: there is no such source, or the speed is not a number above 0.
        UnreadableInput: the file cannot be read.
    """
    from ingest.sources.open import open_source
    from ingest.sources.wrappers.survey import Survey
    from ingest.sources.wrappers.with_photos import with_photos

    opened = open_source(spec, settings)
    kind, _, path = spec.partition(":")
    if kind == "jsonl" or (kind == "csv" and "?" not in path):
        refuse_unreadable(path)
    source: Source = with_photos(opened, settings)
    if speed is not None:
        from ingest.sources.wrappers.paced import PacedSource

        source = PacedSource(source, speed)
    if record is not None:
        from ingest.sources.wrappers.recording import RecordingSource

        source = RecordingSource(source, record)
    return Survey(source, opened)


def refuse_unreadable(path: str) -> None:
    """Checks that a file of posts can be read, without opening it: opening a FIFO would wait for its writer.

    Raises:
        UnreadableInput: the file cannot be read; the message says why.
    """
    if path == "-":
        return
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableInput(f"cannot open {path!r}: {reason}") from error
    if stat.S_ISDIR(mode):
        raise UnreadableInput(f"cannot read {path!r}: it is a directory, name a file of posts")
    if not os.access(path, os.R_OK):
        raise UnreadableInput(f"cannot open {path!r}: {os.strerror(errno.EACCES)}")
