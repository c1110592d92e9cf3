"""How surprising a count is."""

import pytest

from search.trends import MIN_SCORE, expectation, significance


def test_without_a_past_nothing_is_expected() -> None:
    assert expectation([]) == (0.0, 0.0)
    assert significance(5, [])[1] == 4.0


def test_a_steady_past_expects_more_of_the_same() -> None:
    mean, variance = expectation([7] * 20)
    assert (mean, variance) == (7.0, 0.0)
    assert significance(7, [7] * 20)[1] == 0.0


def test_the_recent_past_counts_more() -> None:
    rising, _ = expectation([0] * 12 + [10] * 12)
    falling, _ = expectation([10] * 12 + [0] * 12)
    assert rising == pytest.approx(10 - falling)
    assert rising > 7


def test_a_scattered_past_needs_more_to_surprise() -> None:
    assert significance(20, [5] * 24)[1] > significance(20, [0, 10] * 12)[1] > 0


def test_scatter_of_counts_alone_is_no_trend() -> None:
    assert significance(7, [4] * 24)[1] < MIN_SCORE
    assert significance(3, [0] * 24)[1] == MIN_SCORE
    assert significance(2, [0] * 24)[1] < MIN_SCORE
