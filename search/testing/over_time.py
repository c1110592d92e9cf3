"""Scenario 18: any query over time, the span of the feed, and what is new in the index.

Numbers as in docs/reference/index-contract.md.
"""

from datetime import datetime, timedelta
from functools import partial

import pytest

from search.index import BEGINNING, EntityIndex, Query, Span
from search.testing.posts import OBSERVED, START, indexable, tagged, write
from tagstream.errors import BadSettings
from tagstream.posts import AccountStatus, Deletion

MINUTE = timedelta(minutes=1)


async def _counts(index: EntityIndex, text: str, minutes: int = 30, **parts: datetime) -> list[tuple[int, int]]:
    until = START + minutes * MINUTE
    buckets = await index.post_counts(Query(text, **parts), since=START, until=until, bucket_seconds=600)  # type: ignore[arg-type]
    assert [one.start for one in buckets] == [START + at * 10 * MINUTE for at in range(len(buckets))]
    return [(one.posts, one.authors) for one in buckets]


class _Watcher:
    """Whoever watches a query, as the contract says."""

    def __init__(self, index: EntityIndex, text: str = "") -> None:
        self.index, self.query = index, Query(text)
        self.next: str | None = None
        self.known: set[str] = set()

    async def look(self) -> list[str]:
        """Returns the names of the posts that are new since the last look."""
        found: list[str] = []
        while True:
            answer = await self.index.arrivals(self.query, self.next, self.known)
            self.next = answer.next
            self.known |= answer.ids
            found += [post.id.rpartition(":")[2] for post in answer.posts]
            if not answer.more:
                return found


class OverTimeContract:
    """The promises of every index about posts over time."""

    async def test_18a_any_query_is_counted_over_time(self, index: EntityIndex) -> None:
        minutes = [(0, "x"), (1, "x"), (9.99, "y"), (25, "x"), (30, "x")]
        await write(
            index,
            *(tagged(str(at), "green words", minute=at, author=who, names=["Paris"]) for at, who in minutes),
            tagged("other", "blue", minute=2, author="z"),
        )
        assert await _counts(index, "green") == [(3, 2), (0, 0), (1, 1)]
        assert await _counts(index, "") == [(4, 3), (0, 0), (1, 1)]
        assert await _counts(index, "green -author:x place:paris") == [(1, 1), (0, 0), (0, 0)]
        assert await _counts(index, "nothing", minutes=10) == [(0, 0)]

    async def test_18o_posts_alone_are_counted_as_with_their_authors(self, index: EntityIndex) -> None:
        minutes = (0, 9.99, 10, 25, 30)
        await write(index, *(tagged(str(at), "green words", minute=at, author="x") for at in minutes))
        await write(index, tagged("other", "blue", minute=2))
        series = partial(index.post_counts, since=START, until=START + 30 * MINUTE, bucket_seconds=600)
        for text in ("", "green", "green -blue"):
            for query in (Query(text), Query(text, since=START + MINUTE, until=START + 20 * MINUTE)):
                whole = await series(query)
                alone = await series(query, with_authors=False)
                assert [(one.start, one.posts) for one in alone] == [(one.start, one.posts) for one in whole]
                assert {one.authors for one in alone} == {0}

    async def test_18b_posts_without_author_are_their_own(self, index: EntityIndex) -> None:
        await write(index, tagged("a"), tagged("b"), tagged("c", author="x"), tagged("d", author="x"))
        assert await _counts(index, "", minutes=10) == [(4, 3)]

    async def test_18c_the_times_of_the_query_hold_within_buckets(self, index: EntityIndex) -> None:
        await write(index, *(tagged(str(at), minute=at, author=str(at)) for at in range(20)))
        since, until = START + 5 * MINUTE, START + 12 * MINUTE
        assert await _counts(index, "", since=since, until=until) == [(5, 5), (2, 2), (0, 0)]
        assert await _counts(index, f"since:{since:%Y-%m-%dT%H:%M} until:{until:%Y-%m-%dT%H:%M}") == [
            (5, 5),
            (2, 2),
            (0, 0),
        ]

    async def test_18d_figures_follow_edits_deletions_and_hiding(self, index: EntityIndex) -> None:
        await write(index, tagged("a", "green", author="x"), tagged("b", "green", author="y"), tagged("c", "green"))
        await write(index, tagged("a", "blue", author="x", revision=1), Deletion(id="jsonl:c", source="jsonl"))
        assert await _counts(index, "green", minutes=10) == [(1, 1)]
        await write(index, AccountStatus(source="jsonl", author="y", hidden=True, position=9))
        assert await _counts(index, "green", minutes=10) == [(0, 0)]

    async def test_18e_a_senseless_series_is_refused(self, index: EntityIndex) -> None:
        for seconds, until in ((0, START + MINUTE), (60, START), (1, START.replace(year=2030))):
            with pytest.raises(BadSettings, match="bucket"):
                await index.post_counts(Query(), since=START, until=until, bucket_seconds=seconds)
        with pytest.raises(BadSettings):
            await index.post_counts(Query("person:"), since=START, until=START + MINUTE, bucket_seconds=60)

    async def test_18f_the_span_of_a_query(self, index: EntityIndex) -> None:
        assert await index.span(Query()) is None
        await write(index, *(tagged(f"{at}", f"word{at}", minute=at + 0.5) for at in (0, 7, 99)))
        assert await index.span(Query()) == Span(START, START + 100 * MINUTE)
        assert await index.span(Query("word7")) == Span(START + 7 * MINUTE, START + 8 * MINUTE)
        assert await index.span(Query(since=START + MINUTE)) == Span(START + 7 * MINUTE, START + 100 * MINUTE)
        assert await index.span(Query("nothing")) is None

    async def test_18g_stray_dates_move_no_end_of_the_feed(self, index: EntityIndex) -> None:
        assert await index.feed_span() is None
        await write(index, tagged("lone", author="x", minute=3))
        assert await index.feed_span() == Span(START + 3 * MINUTE, START + 4 * MINUTE)
        feed = [tagged(f"f{at}", author=f"a{at % 7}", minute=at) for at in range(120)]
        early = tagged("early", author="x", created_at=datetime.fromisoformat("1970-01-02T00:00Z"))
        ahead = [tagged(f"ahead{at}", author=f"a{at}", created_at=OBSERVED + 99 * MINUTE) for at in range(5)]
        late = tagged("late", author="x", minute=900)
        await write(index, *feed, early, late, *ahead)
        assert await index.feed_span() == Span(START, START + 120 * MINUTE)

    async def test_18h_what_comes_in_is_told_once_whatever_its_time(self, index: EntityIndex) -> None:
        await write(index, tagged("before", "green", minute=5))
        watcher = _Watcher(index, "green")
        assert await watcher.look() == []
        assert await watcher.look() == []
        await write(
            index, tagged("old", "green", minute=-9_000), tagged("blue", "blue"), tagged("new", "green", minute=9)
        )
        assert sorted(await watcher.look()) == ["new", "old"]
        await write(index, tagged("later", "green", minute=7))
        assert await watcher.look() == ["later"]
        assert await watcher.look() == []

    async def test_18i_an_edit_and_a_new_answer_are_no_arrival(self, index: EntityIndex) -> None:
        await write(index, tagged("a", "green"))
        watcher = _Watcher(index, "green")
        await watcher.look()
        await write(index, tagged("a", "green again", revision=1))
        await write(index, tagged("a", "green again", revision=1, generation=3), tagged("b", "green"))
        assert await watcher.look() == ["b"]

    async def test_18j_nobody_is_told_of_what_may_not_be_seen(self, index: EntityIndex) -> None:
        watcher = _Watcher(index)
        await watcher.look()
        await write(index, AccountStatus(source="jsonl", author="x", hidden=True, position=9))
        await write(index, tagged("hidden", author="x"), tagged("gone"), tagged("there"))
        await write(index, Deletion(id="jsonl:gone", source="jsonl"))
        assert await watcher.look() == ["there"]

    async def test_18k_many_at_once_are_all_told(self, index: EntityIndex) -> None:
        watcher = _Watcher(index, "green")
        await watcher.look()
        accepted = [indexable(tagged(f"{at}", "green", minute=at), observed_at=OBSERVED) for at in range(2_500)]
        await write(index, *accepted)
        assert sorted(await watcher.look(), key=int) == [str(at) for at in range(2_500)]
        assert await watcher.look() == []

    async def test_18l_a_senseless_position_is_refused(self, index: EntityIndex) -> None:
        for position in ("", "x", "-1", str(2**70)):
            with pytest.raises(BadSettings):
                await index.arrivals(Query(), position)

    async def test_18n_a_post_that_comes_long_after_it_was_accepted_is_told_once(self, index: EntityIndex) -> None:
        watcher = _Watcher(index, "green")
        await write(index, indexable(tagged("first", "green"), observed_at=OBSERVED + 600 * MINUTE))
        assert await watcher.look() == []
        late = [
            indexable(tagged(f"late{hours}", "green"), observed_at=OBSERVED + hours * 60 * MINUTE) for hours in range(9)
        ]
        for hours, one in enumerate(late):
            await write(index, one)
            assert await watcher.look() == [f"late{hours}"]
        await write(index, tagged("late0", "green again", revision=1))
        assert await watcher.look() == []
        await write(index, Deletion(id="jsonl:late1", source="jsonl"), indexable(tagged("edited", "green")))
        await write(index, tagged("edited", "green again", revision=1))
        assert await watcher.look() == ["edited"]

    async def test_18m_the_beginning_is_before_everything(self, index: EntityIndex) -> None:
        watcher = _Watcher(index, "green")
        watcher.next = BEGINNING
        assert await watcher.look() == []
        await write(index, tagged("old", "green", minute=-9_000), tagged("new", "green"), tagged("blue", "blue"))
        assert sorted(await watcher.look()) == ["new", "old"]
        assert await watcher.look() == []
        later = _Watcher(index, "green")
        later.next = BEGINNING
        assert sorted(await later.look()) == ["new", "old"]
