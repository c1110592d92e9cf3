"""The options that say how a feed is read, and the source that does it so."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tagstream.settings import Settings

if TYPE_CHECKING:
    from ingest.sources.base import Source
    from ingest.sources.survey import Survey

Decorated = TypeVar("Decorated", bound=Callable[..., object])


def feed_options(command: Decorated) -> Decorated:
    """`--speed` and `--record`, as `speed` and `record`."""
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
    """The source that the specification names, at that pace, recorded.

    Raises:
        BadSettings: there is no such source, or the pace makes no sense.
    """
    from ingest.media.photos import with_photos
    from ingest.sources.open import open_source
    from ingest.sources.survey import Survey

    opened = open_source(spec, settings)
    source: Source = with_photos(opened, settings)
    if speed is not None:
        from ingest.sources.replay import PacedSource

        source = PacedSource(source, speed)
    if record is not None:
        from ingest.sources.recording import RecordingSource

        source = RecordingSource(source, record)
    return Survey(source, opened)
