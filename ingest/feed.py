"""The options of commands that read a feed (`--speed`, `--record`, `--column`), and the source that they describe."""

import errno
import os
import stat
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import click

from tagstream.errors import BadSettings, UnreadableInput
from tagstream.settings import Settings

if TYPE_CHECKING:
    from ingest.sources.wrappers.survey import Survey
    from tagstream.source import Source

Decorated = TypeVar("Decorated", bound=Callable[..., object])


def feed_options(command: Decorated) -> Decorated:
    """Adds `--speed`, `--record` and `--column` to a command, as its parameters `speed`, `record` and `columns`."""
    columns: Any = click.option(
        "--column",
        "columns",
        multiple=True,
        metavar="FIELD=COLUMN",
        help="Of a table (CSV): the column that holds text, created_at, id, author_id, author_handle, lang, url or "
        "reply_to, where its name does not say so, as in --column text=tweet_text. May be given several times.",
    )
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
    decorated: Decorated = speed(record(columns(command)))
    return decorated


def open_feed(
    spec: str, settings: Settings, *, speed: float | None, record: str | None, columns: Sequence[str] = ()
) -> "Survey":
    """Opens the source that the specification names, wrapped as the options ask: with photos, paced, recorded.

    A file is looked at before anything else is opened, so that no index is made for a file that is not there.

    Raises:
        BadSettings: there is no such source, the speed is not a number above 0, or the columns are no table's.
        UnreadableInput: the file cannot be read.
    """
    from ingest.sources.open import open_source
    from ingest.sources.wrappers.survey import Survey
    from ingest.sources.wrappers.with_photos import with_photos

    spec = _with_columns(spec, columns)
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


def _with_columns(spec: str, columns: Sequence[str]) -> str:
    """Returns the specification with the columns as options of a table."""
    if not columns:
        return spec
    kind, _, path = ("jsonl", ":", spec) if spec == "-" else spec.partition(":")
    given = [column.partition("=") for column in columns]
    complete = all(field.strip() and name.strip() for field, _, name in given)
    if kind not in ("jsonl", "csv") or not complete:
        raise BadSettings("--column names the column of a field of a table: --source csv:PATH --column text=tweet_text")
    options = urlencode([(field.strip(), name.strip()) for field, _, name in given])
    return f"csv:{path}{'&' if kind == 'csv' and '?' in path else '?'}{options}"


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
    if not os.access(path, os.R_OK | os.X_OK if stat.S_ISDIR(mode) else os.R_OK):
        raise UnreadableInput(f"cannot open {path!r}: {os.strerror(errno.EACCES)}")
