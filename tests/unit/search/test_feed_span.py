"""The beginning of a feed, whatever a few of its posts claim."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.feed_span import beginning, oldest_read

HOUR, DAY, YEAR = 3_600_000, 86_400_000, 365 * 86_400_000
NOW = 50 * YEAR


def start_of(times: list[int]) -> int:
    times = sorted(times)
    return beginning(times[: oldest_read(len(times))], times[-1])


@pytest.mark.parametrize("length", [HOUR, DAY, 30 * DAY, 3 * YEAR])
@pytest.mark.parametrize("posts", [20, 300, 20_000])
def test_a_feed_of_any_length_begins_with_its_first_post(length: int, posts: int) -> None:
    feed = [NOW - length * at // posts for at in range(posts + 1)]
    assert start_of(feed) == NOW - length


@pytest.mark.parametrize("strays", [1, 3])
def test_stray_dates_are_not_its_beginning(strays: int) -> None:
    feed = [NOW - DAY + at * 60_000 for at in range(1_440)]
    assert start_of([*feed, *(DAY * one for one in range(strays))]) == feed[0]


@given(st.lists(st.integers(0, NOW), min_size=1, max_size=60))
def test_it_is_the_time_of_a_post(times: list[int]) -> None:
    assert start_of(times) in times
