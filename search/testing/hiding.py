"""Scenario 14: what a hidden author wrote is kept and not shown. Numbers as in docs/reference/index-contract.md."""

import itertools
from collections.abc import Sequence
from datetime import timedelta

from search.index import Bucket, Change, EntityIndex, Indexable, Query, WriteReport
from search.testing.posts import START, found, indexable, letters, stored, tagged, write
from search.testing.writing import deletion, erasure, letter, status
from tagstream.posts import AccountStatus, TaggedPost

HOUR = timedelta(hours=1)


async def everything(index: EntityIndex) -> list[str]:
    """Returns the names of all posts that are kept, visible or not."""
    return [post.id.rpartition(":")[2] async for post in index.documents(with_hidden=True)]


async def statuses(index: EntityIndex) -> list[AccountStatus]:
    return [one async for one in index.account_statuses()]


async def seen_of_paris(index: EntityIndex) -> tuple[object, ...]:
    """Returns everything that an index tells of the posts that name Paris."""
    page = await index.search(Query("place:paris", size=100))
    return (
        [post.id.rpartition(":")[2] for post in page.posts],
        page.total,
        await found(index, "word", order="relevance"),
        [post.id.rpartition(":")[2] for post in await stored(index)],
        [(one.key, one.text, one.posts, one.authors) for one in await index.top_entities()],
        await index.counts("paris", None, since=START, until=START + HOUR, bucket_seconds=3600),
        [(one.key, one.posts, one.authors) for one in await index.companions("paris")],
    )


def burst(author: str, names: Sequence[str], posts: int = 1, minute: float = 0) -> list[TaggedPost]:
    return [
        tagged(f"{author}{number}", "word", author=author, names=names, minute=minute + number / 10)
        for number in range(posts)
    ]


class HidingContract:
    """The promises of every index about accounts that are hidden."""

    async def test_14a_a_hidden_author_is_seen_by_nobody(self, index: EntityIndex) -> None:
        await write(index, *burst("x", ["PARIS", "Merkel"], posts=3), *burst("y", ["Paris", "Berlin"]))
        await write(index, tagged("nobody", "word", names=["Paris"], minute=5))
        report = await write(index, status("x", 7, hidden=True))
        assert report == WriteReport(statuses=1)
        assert await seen_of_paris(index) == (
            ["nobody", "y0"],
            2,
            ["nobody", "y0"],
            ["nobody", "y0"],
            [("paris", "Paris", 2, 2), ("berlin", "Berlin", 1, 1)],
            [Bucket(START, 2, 2)],
            [("berlin", 1, 1)],
        )
        assert await index.get("jsonl:x0") is None
        assert await index.get("jsonl:y0") is not None
        assert await found(index, "author:x") == await found(index, "-berlin -berlin -word") == []

    async def test_14b_neither_is_what_comes_later(self, index: EntityIndex) -> None:
        await write(index, status("x", 7, hidden=True))
        later = [indexable(one, 9) for one in burst("x", ["Paris"], posts=2)]
        assert (await write(index, *later)).stored == 2
        edited = indexable(tagged("x0", "word again", author="x", names=["Berlin"], revision=1), 10)
        re_tagged = indexable(tagged("x1", "word", author="x", names=["Merkel"], generation=3), 9)
        assert (await write(index, edited, re_tagged)).stored == 2
        assert (await stored(index), await found(index, "word"), await index.top_entities()) == ([], [], [])
        assert await everything(index) == ["x0", "x1"]

    async def test_14c_shown_again_is_exactly_what_was_hidden(self, index: EntityIndex) -> None:
        await write(index, *burst("x", ["Paris", "Merkel"], posts=4), *burst("y", ["Berlin"]))
        before = await seen_of_paris(index)
        posts = await stored(index)
        await write(index, status("x", 7, hidden=True))
        await write(index, status("x", 8, hidden=False))
        assert await seen_of_paris(index) == before
        assert await stored(index) == posts

    async def test_14d_but_not_what_went_meanwhile(self, index: EntityIndex) -> None:
        posts = [indexable(one, place) for place, one in enumerate(burst("x", ["Paris"], posts=5))]
        await write(index, *posts)
        await write(index, status("x", 7, hidden=True))
        edited = indexable(tagged("x3", "word edited", author="x", names=["Berlin"], revision=1), 9)
        given_away = indexable(tagged("x4", "word of y", author="y", names=["Berlin"], revision=1), 9)
        await write(index, deletion("x2"), edited, given_away, erasure("x", 1))
        assert await found(index, "word") == ["x4"]
        await write(index, status("x", 8, hidden=False))
        assert await found(index, "word") == ["x4", "x3"]
        assert [(one.key, one.posts, one.authors) for one in await index.top_entities()] == [("berlin", 2, 2)]

    async def test_14e_the_newest_status_wins_in_any_order(self, index: EntityIndex) -> None:
        said = {"hide 1": (1, True), "show 2": (2, False), "hide 3": (3, True), "show 3": (3, False)}
        orders = [order for count in range(1, 5) for order in itertools.permutations(said, count)]
        own, together = ([f"{way} {' '.join(order)}" for order in orders] for way in ("own", "together"))
        changes = {
            name: [status(name, said[one][0], hidden=said[one][1]) for one in order]
            for names in (own, together)
            for name, order in zip(names, orders, strict=True)
        }
        await write(index, *(indexable(tagged(name, "word", author=name)) for name in own))
        for place in range(4):  # a write each, so that every state goes through the store
            await write(index, *(changes[name][place] for name in own if place < len(changes[name])))
        for name in together:
            changes[name].insert(len(changes[name]) // 2, indexable(tagged(name, "word", author=name)))  # type: ignore[arg-type]
        await write(index, *(one for name in together for one in changes[name]))
        seen = {" ".join(name.split()[1:]) for name in await found(index, "own OR word")}
        # At one position hiding wins: nobody who asked to be hidden is seen because of a clock that stood still.
        expected = {" ".join(order) for order in orders if not max(said[one] for one in order)[1]}
        assert seen == expected
        assert {name.split()[0] for name in await found(index, "word")} == {"own", "together"}

    async def test_14f_a_status_is_of_one_author_of_one_source(self, index: EntityIndex) -> None:
        elsewhere = tagged("a", "word", author="x", source="bluesky")
        await write(index, elsewhere, tagged("b", "word", author="X"), tagged("c", "word", author="x"))
        await write(index, status("x", 7, hidden=True))
        assert sorted(await found(index, "word")) == ["a", "b"]
        await write(index, status("x", 8, hidden=False), status("x", 1, hidden=True, source="bluesky"))
        assert sorted(await found(index, "word")) == ["b", "c"]

    async def test_14g_dead_letters_stay(self, index: EntityIndex) -> None:
        await write(index, letter("1", author="x", position=5), status("x", 7, hidden=True))
        assert await write(index, letter("2", author="x", position=6)) == WriteReport(dead=1)
        assert await letters(index) == ["1", "2"]

    async def test_14h_erasing_does_not_show_and_showing_does_not_restore(self, index: EntityIndex) -> None:
        early, late = (indexable(tagged(name, "word", author="x"), place) for name, place in (("a", 3), ("b", 9)))
        await write(index, early, status("x", 4, hidden=True))
        await write(index, erasure("x", 5), late)
        assert (await stored(index), await everything(index)) == ([], ["b"])
        await write(index, status("x", 10, hidden=False), early)
        assert await found(index, "word") == ["b"]

    async def test_14i_a_hidden_author_is_no_news(self, index: EntityIndex) -> None:
        first = await write(index, *burst("x", ["Paris"]), status("x", 7, hidden=True), *burst("z", []))
        assert first.new_revisions == {("jsonl:x0", 0), ("jsonl:z0", 0)}
        again = await write(index, *burst("x", ["Paris"]), tagged("x1", author="x"), tagged("x2", author="y"))
        assert (again.stored, again.duplicate) == (2, 1)
        assert again.new_revisions == {("jsonl:x2", 0)}
        shown = await write(index, tagged("x3", author="x"), status("x", 8, hidden=False), tagged("x4", author="x"))
        assert shown.new_revisions == {("jsonl:x4", 0)}

    async def test_14j_a_hidden_author_moves_no_trend_and_no_clock(self, index: EntityIndex) -> None:
        loud = [tagged(f"{who}{at}", author=who, names=["Macron"], minute=at) for who in "abc" for at in (75, 600)]
        early = [tagged(who, author=who, names=["Berlin"], minute=60) for who in "rst"]
        late = [tagged(f"{who}{at}", author=who, names=["Paris"], minute=75) for who in "uvw" for at in range(2)]
        await write(index, *loud, *early, *late)
        assert [one.entity.key for one in await index.trending(window_seconds=600, past_windows=3)] == ["macron"]
        await write(index, *(status(who, 1, hidden=True) for who in "abcv"), status("x", 1, hidden=True))
        await write(index, tagged("z", author="z", names=["Paris"], minute=75), status("v", 2, hidden=True))
        trends = await index.trending(window_seconds=600, past_windows=3)
        assert [(one.entity.key, one.entity.posts, one.series) for one in trends] == [("paris", 5, (0, 0, 0, 3))]

    async def test_14k_a_backup_has_them_all_and_says_who_is_hidden(self, index: EntityIndex) -> None:
        await write(
            index, *burst("x", ["Paris"]), *burst("y", []), *(tagged(f"n{at}", author=f"{at}") for at in range(450))
        )
        said = [status(f"{at}", at, hidden=at % 2 == 0) for at in range(450)]
        await write(index, *said, status("x", 7, hidden=True), status("ann", 3, hidden=True, source="bluesky"))
        await write(
            index, status("x", 2**63 - 1, hidden=True), status("y", 0, hidden=False), status("y", 0, hidden=False)
        )
        expected = [*said, status("x", 2**63 - 1, hidden=True), status("y", 0, hidden=False)]
        expected.append(status("ann", 3, hidden=True, source="bluesky"))
        assert await statuses(index) == sorted(expected, key=lambda one: (one.source, one.author))
        assert len(await everything(index)) == 452
        assert len(await stored(index)) == 226

    async def test_14l_a_replay_of_statuses_changes_nothing(self, index: EntityIndex) -> None:
        changes: list[Change] = [
            *map(indexable, burst("x", ["Paris"], posts=3)),
            status("x", 5, hidden=True),
            *map(indexable, burst("y", ["Berlin"], posts=2)),
            status("y", 6, hidden=True),
            status("x", 9, hidden=False),
        ]
        await write(index, *changes)
        before = (await seen_of_paris(index), await statuses(index))
        for start in (0, 0, 3, 4, 6):
            await write(index, *changes[start:])
            assert (await seen_of_paris(index), await statuses(index)) == before

    async def test_14m_pages_go_on_when_an_author_is_hidden_between_them(self, index: EntityIndex) -> None:
        await write(index, *burst("x", [], posts=6), *burst("y", [], posts=6, minute=0.05))
        for order, position in (("newest", 1), ("relevance", 3)):
            first = await index.search(Query("word", size=3, order=order))  # type: ignore[arg-type]
            await write(index, status("x", position, hidden=True))
            second = await index.search(Query("word", size=20, order=order, after=first.next))  # type: ignore[arg-type]
            names = [post.id for post in (*first.posts, *second.posts)]
            assert len(set(names)) == len(names)
            assert {name for name in names if name.startswith("jsonl:y")} == {f"jsonl:y{at}" for at in range(6)}
            assert not any(post.id.startswith("jsonl:x") for post in second.posts)
            await write(index, status("x", position + 1, hidden=False))

    async def test_14n_an_author_is_hidden_and_shown_again_and_again(self, index: EntityIndex) -> None:
        posts: list[Indexable] = [indexable(one) for one in burst("x", ["Paris"], posts=40)]
        await write(index, *posts, *burst("y", ["Paris"]))
        for position in range(1, 8):
            await write(index, status("x", position, hidden=position % 2 == 1))
            wanted = 1 if position % 2 else 41
            assert (await index.search(Query("word", size=1))).total == wanted
            assert [one.posts for one in await index.top_entities()] == [wanted]
