"""When entries were written whose date is missing or cannot be read: never now, and in the order of the feed."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.rss.document import Document, FeedEntry
from ingest.sources.rss.timestamps.entry_timestamps import timestamps_of

NOW = datetime(2024, 5, 2, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp()) * 1000


def placed(*published: int | None, feed: int | None = None, read_before: bool = False) -> list[int]:
    entries = tuple(FeedEntry(published=one) for one in published)
    return timestamps_of(Document(published=feed, entries=entries), NOW, read_before)


def test_what_says_when_stands_there() -> None:
    assert placed(300, 200, 100) == [300_000, 200_000, 100_000]
    assert timestamps_of(Document(entries=(FeedEntry(updated=5),)), NOW, False) == [5000]


@pytest.mark.parametrize("read_before", [False, True])
def test_what_does_not_say_stands_with_its_neighbours(read_before: bool) -> None:
    assert placed(300, None, None, 100, read_before=read_before) == [300_000, 299_999, 299_998, 100_000]
    assert placed(None, None, 100, read_before=read_before) == [100_002, 100_001, 100_000]
    assert placed(100, None, None, read_before=read_before) == [100_000, 99_999, 99_998]
    assert placed(100, 200, None, 300, read_before=read_before) == [100_000, 200_000, 299_999, 300_000]
    assert placed(100, None, 100, read_before=read_before) == [100_000, 100_000, 100_000]


def test_a_feed_without_dates_is_as_old_as_it_says_itself() -> None:
    assert placed(None, None, feed=1_000_000) == [1_000_000_002, 1_000_000_001]


@pytest.mark.parametrize("feed", [None, int(NOW.timestamp()) - 10, int(NOW.timestamp()) + 10])
def test_a_feed_that_says_nothing_is_never_new_but_what_comes_later_is(feed: int | None) -> None:
    assert placed(None, None, feed=feed) == [2, 1]
    assert placed(None, None, feed=feed, read_before=True) == [NOW_MS + 2, NOW_MS + 1]


def test_the_day_in_an_address_counts() -> None:
    entries = (
        FeedEntry(link="https://news.example/2021/03/04/story"),
        FeedEntry(link="/2021-03-03"),
        FeedEntry(link="/2021/99/99/"),
    )
    day = int(datetime(2021, 3, 4, tzinfo=UTC).timestamp()) * 1000
    assert timestamps_of(Document(entries=entries), NOW, False) == [day, day - 86_400_000, day - 86_400_001]
    tomorrow = FeedEntry(link="/2024/05/03/x")
    assert timestamps_of(Document(entries=(tomorrow,)), NOW, False) == [1]


@given(st.lists(st.none() | st.integers(1, 10**6), max_size=12), st.booleans())
def test_none_is_newer_than_what_is_dated(published: list[int | None], read_before: bool) -> None:
    found = placed(*published, read_before=read_before)
    dated = [one for one in published if one is not None]
    if dated:
        assert max(found) <= max(dated) * 1000 + len(published)
        assert [one for one, said in zip(found, published, strict=True) if said is not None] == [
            one * 1000 for one in dated
        ]
