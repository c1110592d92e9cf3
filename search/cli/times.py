"""The options `--since`, `--until` and `--window`: the same times, read alike, for every command that asks an index."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from tagstream.text.times import BadTime, parse_duration, parse_time

Decorated = TypeVar("Decorated", bound=Callable[..., object])

_NOW = "search.cli.times.now"


class Timestamp(click.ParamType):
    """A time as `tagstream/text/times.py` reads it. Relative ones count from one moment for the whole command."""

    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return parse_time(value, command_time(ctx))
        except BadTime as error:
            self.fail(str(error), param, ctx)


class Duration(click.ParamType):
    """A number and its unit: `90s`, `15m`, `6h`, `2d`. The answer is in seconds."""

    name = "duration"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_duration(value)
        except BadTime as error:
            self.fail(str(error), param, ctx)


class NamedDuration(Duration):
    """A duration, or one of a few names for one; a name without a length is None."""

    def __init__(self, **names: int | None) -> None:
        self.names = names

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value is None or isinstance(value, int):
            return value
        name = value.strip().lower()
        if name in self.names:
            return self.names[name]
        try:
            return parse_duration(value)
        except BadTime as error:
            self.fail(f"{error}, nor one of: {', '.join(self.names)}", param, ctx)


def command_time(context: click.Context | None) -> datetime:
    """Returns the time at which the command began, so that two relative times of it mean the same moment."""
    if context is None:
        return datetime.now(UTC)
    found: datetime = context.meta.setdefault(_NOW, datetime.now(UTC))
    return found


def time_options(what: str) -> Callable[[Decorated], Decorated]:
    """Adds `--since` and `--until`, of `what`, as `since` and `until`."""

    def decorate(command: Decorated) -> Decorated:
        until = click.option("--until", type=Timestamp(), metavar="TIME", help=f"{what} before this moment.")
        since = click.option(
            "--since",
            type=Timestamp(),
            metavar="TIME",
            help=f"{what} from this moment on: 2h, yesterday, monday 9:00, 2026-03-01 or 2026-03-01T12:30, UTC.",
        )
        return since(until(command))

    return decorate


def check_range(since: datetime | None, until: datetime | None) -> None:
    """Checks that there is time between the two.

    Raises:
        UsageError: `until` is not later than `since`.
    """
    if since is not None and until is not None and since >= until:
        raise click.UsageError(
            f"--since {shown_time(since)} is not before --until {shown_time(until)} (UTC): nothing lies between"
        )


def shown_time(moment: datetime) -> str:
    """Returns the time as people read it: to the minute, or to the second where there are seconds."""
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment.second else f"{moment:%Y-%m-%d %H:%M}"
