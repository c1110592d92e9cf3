"""The clock of the feed moves with several authors, and with no fewer."""

from datetime import UTC, datetime, timedelta

import pytest

from search.events.clock import VOTED_POSTS, VOTERS, FeedClock
from tagstream.errors import CorruptState

NOON = datetime(2013, 4, 15, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_it_takes_three_authors() -> None:
    clock = FeedClock()
    clock.note(1, at(0), "a:1")
    clock.note(1, at(1), "a:2")
    clock.note(2, at(2), "a:3")
    assert clock.newest is None
    clock.note(3, at(3), "a:4")
    assert clock.newest == at(1)
    clock.note(1, at(3), "a:5")
    assert clock.newest == at(2)


def test_posts_without_author_are_their_own_authors_and_repeats_count_once() -> None:
    clock = FeedClock()
    for _ in range(9):
        clock.note(None, at(0), "a:1")
    assert clock.newest is None
    clock.note(None, at(0), "a:2")
    clock.note(None, at(0), "a:3")
    assert clock.newest == at(0)


@pytest.mark.parametrize("ahead", [at(3), at(23 * 60), at(60 * 24 * 400)], ids=["minutes", "hours", "a year"])
def test_it_takes_more_accounts_with_a_wrong_date_than_honest_ones(ahead: datetime) -> None:
    clock = FeedClock()
    for number in range(200):
        clock.note(number, at(number / 100), f"a:{number}")
        if number % 2 == 0:
            clock.note(1_000 + number % 7, ahead, f"b:{number}")
    assert clock.newest == at(1)
    for author in range(2_000, 2_000 + VOTERS):
        clock.note(author, ahead, f"c:{author}")
    assert clock.newest == ahead


def test_old_posts_among_new_ones_hold_nothing_up() -> None:
    clock = FeedClock()
    for number in range(100):
        clock.note(number, at(number / 10), f"a:{number}")
        for old in range(5):
            clock.note(1_000 + old, at(-600 - number), f"b:{number}-{old}")
    assert clock.newest == at(9)


def test_it_is_behind_a_slow_feed_by_half_of_the_voters_at_most() -> None:
    clock = FeedClock()
    for number in range(100):
        clock.note(number, at(number), f"a:{number}")
    assert clock.newest == at(99 - VOTERS // 2)


@pytest.mark.parametrize("authors", [3, 10])
def test_an_author_who_fell_silent_does_not_hold_up_the_few_others(authors: int) -> None:
    clock = FeedClock()
    clock.note(99, at(0), "a:silent")
    for minute in range(200):
        for author in range(authors):
            clock.note(author, at(minute), f"a:{minute}-{author}")
    assert clock.newest == at(199)


def test_a_gap_of_years_is_passed_by_those_who_write_after_it() -> None:
    clock = FeedClock()
    for number in range(30):
        clock.note(number, at(0), f"a:{number}")
    for number in range(VOTERS):
        assert clock.newest == at(0)
        clock.note(number, at(60 * 24 * 900), f"b:{number}")
    assert clock.newest == at(60 * 24 * 900)


def test_a_majority_with_a_wrong_date_moves_a_busy_feed_no_further_than_some_hours() -> None:
    """Eight accounts that are dated two days ahead would make every honest post late until then."""
    clock = FeedClock()
    for number in range(30):
        clock.note(number, at(0), f"a:{number}")
    for number in range(VOTERS // 2 + 2):
        clock.note(1000 + number, at(2 * 24 * 60), f"b:{number}")
    for number in range(30):
        clock.note(number, at(1), f"c:{number}")
    assert clock.newest == at(1)


@pytest.mark.parametrize("authors", [1, 2])
def test_a_feed_of_few_authors_is_known_after_some_posts(authors: int) -> None:
    clock = FeedClock()
    for number in range(VOTED_POSTS):
        assert clock.newest is None
        clock.note(number % authors, at(number), f"a:{number}")
    assert clock.newest is not None
    assert clock.newest >= at(VOTED_POSTS - 2)


def test_a_snapshot_goes_on() -> None:
    clock = FeedClock()
    for author in range(5):
        clock.note(author, at(author), f"a:{author}")
    again = FeedClock.restore(clock.snapshot())
    assert again.newest == clock.newest
    assert again.snapshot() == clock.snapshot()
    for one in (clock, again):
        one.note(7, at(9), "a:7")
    assert again.newest == clock.newest
    with pytest.raises(CorruptState):
        FeedClock.restore(clock.snapshot()[:-2])
