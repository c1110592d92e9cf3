"""The hours in which a subject was mentioned often."""

from datetime import UTC, datetime

import pytest

from search.events.minutes import HOUR, to_number
from search.events.seasons import DAYS, SPREAD, NotableHours, _unpacked
from search.events.window import MAX_POSTS

WEEK_HOURS = DAYS * 24
FIRST = to_number(datetime.min.replace(tzinfo=UTC)) // HOUR
LAST = to_number(datetime.max.replace(tzinfo=UTC)) // HOUR


def noted(*hours: tuple[int, int]) -> NotableHours:
    made = NotableHours()
    for hour, authors in hours:
        made.note(hour, authors)
    return made


def kept(hours: NotableHours) -> list[tuple[int, int, int]]:
    """Returns hour, fullest block and sum of each hour."""
    return [_unpacked(packed) for packed in hours._hours]


def test_an_hour_has_its_fullest_block_and_the_sum_of_all() -> None:
    hours = noted((100, 3), (100, 7), (100, 4), (101, 5))
    assert kept(hours) == [(100, 7, 14), (101, 5, 5)]
    assert hours
    assert not NotableHours()


def test_a_week_and_no_more_is_kept() -> None:
    hours = noted(*((hour, 3) for hour in range(1_000)))
    assert [hour for hour, _, _ in kept(hours)] == list(range(999 - WEEK_HOURS - SPREAD, 1_000))
    hours.note(5_000, 3)
    assert kept(hours) == [(5_000, 3, 3)]


def test_what_came_on_two_days_is_daily_and_what_came_a_week_ago_is_weekly() -> None:
    now = 10_000
    assert noted((now - 24, 9)).recurring(now, 12) == 0
    assert noted((now - 48, 6), (now - 48, 6), (now - 25, 9)).recurring(now, 1) == 6
    assert noted((now - WEEK_HOURS + SPREAD, 9)).recurring(now, 12) == 9
    assert noted((now - WEEK_HOURS + SPREAD + 1, 9)).recurring(now, 12) == 0


@pytest.mark.parametrize("hour", [FIRST, -1, 0, LAST], ids=["year 1", "before 1970", "1970", "year 9999"])
def test_the_fullest_hour_of_any_year_comes_back_from_its_state(hour: int) -> None:
    hours = noted(*[(hour, MAX_POSTS)] * 12)
    assert kept(hours) == [(hour, MAX_POSTS, 12 * MAX_POSTS)]
    assert kept(NotableHours.of(hours.state())) == kept(hours)
    assert NotableHours.of(hours.state()).recurring(hour + WEEK_HOURS, 12) == 12 * MAX_POSTS


def test_a_week_of_hours_takes_little_memory() -> None:
    hours = noted(*((hour, 20_000) for hour in range(2 * WEEK_HOURS)))
    assert hours._hours.__sizeof__() <= 10 * WEEK_HOURS
    assert len(hours.state()) <= 9 * WEEK_HOURS
