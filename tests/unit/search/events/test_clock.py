"""The clock of the feed moves with several authors, and with no fewer."""

from datetime import UTC, datetime, timedelta

import pytest

from search.events.clock import AUTHORS_FOR_A_JUMP, FeedClock
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


def test_posts_without_author_are_their_own_authors_and_repeats_count_once() -> None:
    clock = FeedClock()
    for _ in range(9):
        clock.note(None, at(0), "a:1")
    assert clock.newest is None
    clock.note(None, at(0), "a:2")
    clock.note(None, at(0), "a:3")
    assert clock.newest == at(0)


def test_a_few_accounts_with_a_wrong_date_do_not_move_it() -> None:
    clock = FeedClock()
    for author in range(3):
        clock.note(author, at(0), f"a:{author}")
    for author in range(10, 10 + AUTHORS_FOR_A_JUMP - 1):
        clock.note(author, at(60 * 24 * 400), f"b:{author}")
    assert clock.newest == at(0)
    for author in range(3):
        clock.note(author, at(5), f"c:{author}")
    assert clock.newest == at(5)
    clock.note(99, at(60 * 24 * 400), "b:99")
    assert clock.newest == at(60 * 24 * 400)


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
