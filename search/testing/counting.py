"""Scenarios 10 and 11: who mentions what, and what trends. Numbers as in docs/reference/index-contract.md."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import pytest

from search.index import Bucket, Change, EntityCount, EntityIndex, Indexable
from search.testing.posts import OBSERVED, START, entity, indexable, tagged, write
from tagstream.errors import BadSettings
from tagstream.posts import Deletion, EntityType, TaggedPost

MINUTE = timedelta(minutes=1)


def brief(counts: Iterable[EntityCount]) -> list[tuple[str, EntityType, int, int]]:
    return [(one.key, one.type, one.posts, one.authors) for one in counts]


def steady(names: Sequence[str], windows: int, authors: int = 4) -> list[Change | TaggedPost]:
    """Returns posts with `authors` mentions of each name in each window of ten minutes."""
    return [
        tagged(f"{name} {window} {one}", minute=window * 10 + one, author=f"{name} {one}", names=[name])
        for name in names
        for window in range(windows)
        for one in range(authors)
    ]


async def trending(index: EntityIndex, until: datetime | None = None, past: int = 12) -> list[str]:
    return [one.entity.key for one in await index.trending(until=until, window_seconds=600, past_windows=past)]


class CountingContract:
    """The promises of every index about counts and trends."""

    async def test_10a_authors_decide_and_posts_are_told(self, index: EntityIndex) -> None:
        busy = [tagged(f"busy {number}", author="one", names=["Paris"]) for number in range(9)]
        await write(index, *busy, *(tagged(f"{who}", author=who, names=["Merkel"]) for who in "xyz"))
        await write(index, tagged("1", names=["Obama"]), tagged("2", names=["Obama"]))
        expected = [("merkel", "PER", 3, 3), ("obama", "PER", 2, 2), ("paris", "LOC", 9, 1)]
        assert brief(await index.top_entities()) == expected
        assert brief(await index.top_entities(size=1)) == expected[:1]
        assert brief(await index.top_entities(type="LOC")) == expected[2:]

    async def test_10b_a_post_counts_once_for_an_entity(self, index: EntityIndex) -> None:
        await write(index, tagged("a", names=["Paris", "PARIS", "paris"], entities=[entity("Paris", "PER")]))
        assert brief(await index.top_entities(type="LOC")) == [("paris", "LOC", 1, 1)]
        hour = await index.counts("paris", None, since=START, until=START + MINUTE, bucket_seconds=60)
        assert hour == [Bucket(START, 1, 1)]

    async def test_10c_the_same_author_of_two_sources_is_two(self, index: EntityIndex) -> None:
        sources = ("jsonl", "bluesky")
        await write(index, *(tagged("a", author="x", source=source, names=["Paris"]) for source in sources))
        assert brief(await index.top_entities()) == [("paris", "LOC", 2, 2)]

    async def test_10d_every_bucket_is_there(self, index: EntityIndex) -> None:
        minutes = [(0, "x"), (1, "x"), (1.5, "y"), (25, "x"), (30, "x")]
        await write(index, *(tagged(str(at), minute=at, author=who, names=["Paris"]) for at, who in minutes))
        buckets = await index.counts("paris", "LOC", since=START, until=START + 30 * MINUTE, bucket_seconds=600)
        expected = [Bucket(START, 3, 2), Bucket(START + 10 * MINUTE, 0, 0), Bucket(START + 20 * MINUTE, 1, 1)]
        assert buckets == expected
        assert sum(one.posts for one in await _buckets(index, "paris", "PER")) == 0

    async def test_10e_a_senseless_series_is_refused(self, index: EntityIndex) -> None:
        for seconds, until in (
            (0, START + MINUTE),
            (10**15, START + MINUTE),
            (60, START),
            (1, START.replace(year=2030)),
        ):
            with pytest.raises(BadSettings, match="bucket"):
                await index.counts("paris", None, since=START, until=until, bucket_seconds=seconds)

    async def test_10f_companions_are_in_the_same_posts(self, index: EntityIndex) -> None:
        await write(
            index, tagged("1", author="x", names=["Paris", "Macron"]), tagged("2", author="x", names=["Berlin"])
        )
        await write(index, tagged("3", author="y", names=["Paris", "Macron", "Berlin"], minute=5))
        await write(index, tagged("4", names=["Merkel"]))
        assert brief(await index.companions("paris")) == [("macron", "PER", 2, 2), ("berlin", "LOC", 1, 1)]
        assert brief(await index.companions("paris", "LOC", size=1)) == [("macron", "PER", 2, 2)]
        assert brief(await index.companions("macron", until=START + MINUTE)) == [("paris", "LOC", 1, 1)]
        assert await index.companions("paris", "PER") == await index.companions("nobody") == []

    async def test_10g_the_commonest_spelling_is_shown(self, index: EntityIndex) -> None:
        spellings = ["NEW YORK", "New York", "New York", "new york"]
        await write(index, *(tagged(str(at), names=[name], minute=at) for at, name in enumerate(spellings)))
        assert [one.text for one in await index.top_entities()] == ["New York"]

    async def test_10h_counts_follow_edits_and_deletions(self, index: EntityIndex) -> None:
        await write(index, tagged("a", names=["Paris"], author="x"), tagged("b", names=["Paris"], author="y"))
        await write(index, tagged("a", names=["Berlin"], author="x", revision=1))
        await write(index, Deletion(id="jsonl:b", source="jsonl"))
        assert brief(await index.top_entities()) == [("berlin", "LOC", 1, 1)]
        assert sum(one.posts for one in await _buckets(index, "paris", None)) == 0

    async def test_10i_time_ranges(self, index: EntityIndex) -> None:
        await write(index, *(tagged(str(at), minute=at, names=["Paris"]) for at in range(5)))
        assert brief(await index.top_entities(since=START + MINUTE, until=START + 3 * MINUTE)) == [
            ("paris", "LOC", 2, 2)
        ]

    async def test_11a_a_planted_burst_trends_first_and_steady_names_do_not(self, index: EntityIndex) -> None:
        await write(index, *steady(["Paris", "Berlin", "Merkel"], windows=8))
        burst = [tagged(f"b{one}", minute=75 + one / 10, author=f"b{one}", names=["Macron"]) for one in range(30)]
        await write(index, *burst)
        trends = await index.trending(window_seconds=600, past_windows=6)
        assert [one.entity.key for one in trends] == ["macron"]
        assert (trends[0].entity.authors, trends[0].expected) == (30, 0.0)
        assert trends[0].series == (0, 0, 0, 0, 0, 0, 30)
        assert trends[0].score > 5

    async def test_11b_one_author_cannot_make_a_trend(self, index: EntityIndex) -> None:
        flood = [tagged(f"f{one}", minute=75 + one / 50, author="flooder", names=["Macron"]) for one in range(200)]
        await write(index, *flood)
        assert await trending(index) == []  # not even in a feed without a past
        await write(index, *steady(["Paris"], windows=8))
        assert await trending(index) == []

    async def test_11c_dates_in_the_future_do_not_move_the_clock(self, index: EntityIndex) -> None:
        await write(index, *steady(["Paris"], windows=8))
        burst = [tagged(f"b{one}", minute=75, author=f"b{one}", names=["Macron"]) for one in range(9)]
        # From many authors far after they were seen, and from one at a time before: neither is the feed's time.
        future = [_dated(f"x{one}", START.replace(year=9000 + one)) for one in range(20)]
        stray = [_dated(f"y{one}", START + timedelta(hours=3 * one + 2)) for one in range(5)]
        await write(index, *burst, *future, *stray)
        assert await trending(index) == ["macron"]

    async def test_11d_silence_of_the_feed_is_no_past(self, index: EntityIndex) -> None:
        late = [
            tagged(f"l{window} {one}", minute=500 + window * 10 + one / 10, author=f"{one}", names=["Paris"])
            for window in range(2)
            for one in range(30)
        ]
        await write(index, *steady(["Paris"], windows=1), *late)
        assert await trending(index) == []

    async def test_11e_a_given_moment_is_looked_at_as_it_was(self, index: EntityIndex) -> None:
        await write(index, *steady(["Paris"], windows=20))
        burst = [tagged(f"b{one}", minute=75, author=f"b{one}", names=["Macron"]) for one in range(9)]
        await write(index, *burst)
        assert await trending(index, until=START + 80 * MINUTE, past=6) == ["macron"]
        assert await trending(index, until=START + 190 * MINUTE, past=6) == []

    async def test_11f_nothing_trends_in_an_empty_index(self, index: EntityIndex) -> None:
        assert await trending(index) == []
        for seconds in (0, -1, 10**15):
            with pytest.raises(BadSettings, match="windows"):
                await index.trending(window_seconds=seconds)

    async def test_11g_a_name_that_rises_from_a_steady_past_trends(self, index: EntityIndex) -> None:
        await write(index, *steady(["Paris", "Berlin"], windows=8))
        more = [tagged(f"m{one}", minute=74 + one / 10, author=f"m{one}", names=["Paris"]) for one in range(20)]
        await write(index, *more)
        trends = await index.trending(window_seconds=600, past_windows=6)
        assert [one.entity.key for one in trends] == ["paris"]
        assert 3 < trends[0].expected < 5
        assert trends[0].entity.authors == 24


def _dated(name: str, created_at: datetime) -> Indexable:
    return indexable(tagged(name, author=name, names=["Obama"], created_at=created_at), observed_at=OBSERVED)


async def _buckets(index: EntityIndex, key: str, type: EntityType | None) -> list[Bucket]:
    return await index.counts(key, type, since=START, until=START + 10 * MINUTE, bucket_seconds=60)
