"""The windows of trends that are counted when asked fit feeds of any length."""

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from search.index import Span
from search.testing.posts import START
from search.trend_windows import LONGEST_LIVE_SECONDS, MOST_WINDOWS, archive_windows, live_window


def span(seconds: int) -> Span:
    return Span(START - timedelta(seconds=seconds), START)


@example(124_416_001)
@given(st.integers(60, 10 * 365 * 86_400))
def test_windows_of_an_archive_grow_until_one_holds_all_of_it(seconds: int) -> None:
    lengths = archive_windows(span(seconds))
    assert lengths == sorted(set(lengths))
    assert lengths[-1] == seconds
    assert len(lengths) > 1 or seconds < 240
    assert seconds <= lengths[0] * MOST_WINDOWS


@pytest.mark.parametrize(("length", "window"), [(600, 60), (3_600, 300), (6 * 3_600, 3_600), (9 * 86_400, 3_600)])
def test_the_end_of_a_feed_is_looked_at_by_the_hour_or_less(length: int, window: int) -> None:
    assert live_window(span(length)) == window <= LONGEST_LIVE_SECONDS
