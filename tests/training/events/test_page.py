"""The page of events shows what was measured, and nothing else."""

import pytest

from training.events.cases import CASES
from training.events.page import EVENTS_PAGE, page_text
from training.events.results import Results, Row, read_results, write_results
from training.events.systems import TITLES
from training.events.tuning import read_parameters

ROW = Row(
    feed="t6", system="tagstream", posts=10, days=7, events=6, found=6, found_in_time=6, median_delay_minutes=4.0,
    fragments=1.2, purity=0.91, false=3, false_a_day=0.43, missed=(), date="2026-11-29",
)  # fmt: skip


def test_the_page_is_written_from_the_figures():
    assert EVENTS_PAGE.read_text(encoding="utf-8") == page_text(read_results(), read_parameters())


def test_a_figure_that_misses_its_aim_is_marked_and_named():
    late = ROW.model_copy(update={"found_in_time": 5, "fragments": 1.6, "missed": ("fire",)})
    page = page_text(Results(rows=(late,)), read_parameters())
    assert (
        f"| {CASES['t6'].says} | {TITLES['tagstream']} | *5 of 6* | 4.0 | 0.43 | *1.60* | 0.910 | 2026-11-29 |" in page
    )
    assert "5 of 6 events in time, 1.60 fragments an event. Never found: fire." in page
    assert "reaches every aim" in page_text(Results(rows=(ROW,)), read_parameters())


@pytest.mark.parametrize("development", [False, True])
def test_a_new_figure_replaces_the_old_one_of_its_feed_and_system(tmp_path, development):
    results = Results().with_row(ROW, development=development)
    results = results.with_row(ROW.model_copy(update={"false": 0}), development=development)
    results = results.with_row(ROW.model_copy(update={"system": "word_scores"}), development=development)
    write_results(results, tmp_path / "results.json")
    rows = getattr(read_results(tmp_path / "results.json"), "development" if development else "rows")
    assert [(row.system, row.false) for row in rows] == [("tagstream", 0), ("word_scores", 3)]
