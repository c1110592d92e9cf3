"""The figures on test parts: mean and deviation over seeds, strict and lenient, and the card's table of them."""

import pytest

from training.tagger.card_sections import test_section as section_of
from training.tagger.test_figures import summary


def scored(first, second):
    """Returns figures of both sets: strict F1 as given, lenient a point less."""
    return {
        name: {"strict": {"f1": f1}, "lenient": {"f1": f1 - 0.01}}
        for name, f1 in (("twitter2015", first), ("twitter2017", second))
    }


SEEDS = {"seed 1": scored(0.70, 0.80), "seed 2": scored(0.72, 0.81), "seed 3": scored(0.74, 0.82)}


def test_mean_and_deviation_over_seeds():
    found = summary(list(SEEDS.values()))
    assert found["twitter2015"] == pytest.approx(
        {"strict_mean": 0.72, "strict_deviation": 0.02, "lenient_mean": 0.71, "lenient_deviation": 0.02}
    )
    assert summary([scored(0.5, 0.5)])["twitter2017"]["strict_deviation"] == 0.0


def test_the_card_shows_the_mean_each_seed_and_what_serves():
    section = section_of({"seeds": SEEDS, "summary": summary(list(SEEDS.values())), "int8": scored(0.699, 0.798)})
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    assert rows[2] == "| mean of 3 seeds (deviation) | 72.0 (2.0) | 71.0 (2.0) | 81.0 (1.0) | 80.0 (1.0) |"
    assert rows[-1] == "| served, int8 | 69.9 | 68.9 | 79.8 | 78.8 |"
    assert len(rows) == 7
