"""CSV that neither calculates in a spreadsheet nor steers a terminal."""

import csv
import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.cli.output import csv_line


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@x", " =1", "\t=1", "＝1", '=HYPERLINK("http://x")', ["=1", "b"]]
)
def test_what_a_spreadsheet_would_calculate_stays_text(cell: str) -> None:
    (shown,) = next(csv.reader(io.StringIO(csv_line([cell]))))
    assert shown.startswith("'")


def test_numbers_and_times_stay_what_they_are() -> None:
    assert (
        csv_line([-1, 2.5, None, datetime(2026, 3, 1, tzinfo=UTC), ["a", "b"]]) == "-1,2.5,,2026-03-01T00:00:00Z,a; b"
    )


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_any_texts_are_one_line_of_as_many_cells(cells: list[str]) -> None:
    line = csv_line(cells)
    assert len(line.splitlines()) <= 1
    assert "\x1b" not in line
    (row,) = csv.reader(io.StringIO(line + "\n"))
    assert len(row) == len(cells)
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in row)
