"""The forms of an answer: a table for people, lines of JSON for programs, CSV for spreadsheets.

A cell of a CSV that a spreadsheet would take for a formula gets an apostrophe before it: posts are hostile, and a name
such as `=HYPERLINK(…)` must stay a name.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal, TypeVar

import click

from tagstream.cli.console import write_text
from tagstream.cli.options import json_option
from tagstream.text.terminal_text import visible

Decorated = TypeVar("Decorated", bound=Callable[..., object])
Form = Literal["table", "json", "csv"]
Cell = str | int | float | datetime | None | Sequence[str]

# What begins a formula in some spreadsheet, in wide letters too.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def output_options(command: Decorated) -> Decorated:
    """Adds `--json` and `--csv`, as `as_json` and `as_csv`."""
    csv_option = click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values with a header line.")
    return json_option(csv_option(command))


def form_of(*, as_json: bool, as_csv: bool) -> Form:
    """Returns the form that was asked for.

    Raises:
        UsageError: both were.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude one another: an answer has one form")
    return "json" if as_json else "csv" if as_csv else "table"


def write_csv(rows: Iterable[Sequence[Cell]], header: Sequence[str] = ()) -> None:
    """Writes rows as CSV, after the header if one is given; lists are joined by semicolons."""
    write_text(csv_line(row) for row in ([header, *rows] if header else rows))


def csv_line(row: Sequence[Cell]) -> str:
    """Returns one line of CSV, which neither steers a terminal nor calculates in a spreadsheet."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow([_cell(cell) for cell in row])
    return buffer.getvalue()


def _cell(cell: Cell) -> str | int | float:
    if cell is None:
        return ""
    if isinstance(cell, int | float):
        return cell
    if isinstance(cell, datetime):
        return json_time(cell)
    text = visible(cell if isinstance(cell, str) else "; ".join(cell))
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def json_time(moment: datetime) -> str:
    """Returns the time as JSON and CSV have it: ISO 8601 in UTC, ending in Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
