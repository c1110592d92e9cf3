"""How far a feed is behind its network, and what of that an archive says: nothing."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from tagstream.runtime.feed_lag import FeedLag, is_live, spoken

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def after(*posts: tuple[float, float]) -> FeedLag:
    """Posts by (seconds from their date until they were seen, until they were safe)."""
    distance = FeedLag()
    for seen, safe in posts:
        distance.add(NOON, NOON + timedelta(seconds=seen), NOON + timedelta(seconds=safe))
    return distance


def test_it_is_the_age_of_the_median_post_when_it_is_safe() -> None:
    assert after().seconds() is None
    assert after((1, 2), (1, 3), (2, 40)).seconds() == 3
    assert after(*[(7200, 7201)] * 5).seconds() == 7201


def test_it_grows_while_nothing_gets_through() -> None:
    assert after((1, 2)).seconds(waiting_seconds=600) == 600
    assert after().seconds(waiting_seconds=600) is None


def test_it_follows_the_feed_as_that_catches_up() -> None:
    assert after(*[(7200, 7201)] * 500, *[(1, 2)] * 101).seconds() == 2


def test_a_few_authors_do_not_move_it() -> None:
    dice = random.Random(1)
    posts = [(1.0, 2.0)] * 70 + [(dice.uniform(-400_000_000, 160_000), 0.0) for _ in range(30)]
    dice.shuffle(posts)
    assert after(*posts).seconds() in (0.0, 2.0)


@pytest.mark.parametrize("seen", [49 * 3600, 10 * 365 * 86_400, -3600, -60 * 365 * 86_400])
def test_neither_an_archive_nor_the_future_says_anything(seen: float) -> None:
    assert after(*[(seen, seen + 1)] * 200).seconds() is None


def test_a_clock_that_is_a_little_ahead_is_no_distance() -> None:
    assert after((-2, -1)).seconds() == 0.0


@pytest.mark.parametrize(
    ("source", "live"),
    [
        ("bluesky:wss://x", True),
        ("mastodon:example.org", True),
        ("x:https://api", True),
        ("rss:https://example.org/feed", True),
        ("jsonl:-", True),
        ("jsonl:/data/posts.jsonl", False),
        ("simulate:1?posts=9", False),
    ],
)
def test_which_feeds_are_written_now(source: str, live: bool) -> None:
    assert is_live(source) is live


def test_durations_are_said_as_people_say_them() -> None:
    assert [spoken(one) for one in (0.04, 2.44, 99, 100, 3_600, 6_000, 126_000, 6e7)] == [
        "0.0 s", "2.4 s", "99.0 s", "2 min", "60 min", "2 h", "35 h", "694 days"
    ]  # fmt: skip
