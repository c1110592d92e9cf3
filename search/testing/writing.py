"""Scenarios 1 to 7: what a write does, in whatever order things arrive.

Numbers as in docs/reference/index-contract.md.
"""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest

from search.index import Change, EntityIndex, Indexable, Query, SourceCursor, WriteReport
from search.testing.posts import OBSERVED, START, found, indexable, letters, stored, tagged, write
from tagstream.dead_letter import dead_letter
from tagstream.errors import RejectedDocument
from tagstream.posts import AccountStatus, DeadLetter, Deletion, Erasure


def deletion(name: str, revision: int | None = None, position: int = 0) -> Deletion:
    return Deletion(id=f"jsonl:{name}", source="jsonl", revision=revision, position=position)


def erasure(author: str, position: int) -> Erasure:
    return Erasure(source="jsonl", author=author, position=position)


def status(author: str, position: int, *, hidden: bool, source: str = "jsonl") -> AccountStatus:
    return AccountStatus(source=source, author=author, hidden=hidden, position=position)


def letter(origin: str, cause: str = "malformed", body: bytes = b"x", **parts: object) -> DeadLetter:
    return dead_letter(origin=origin, source="jsonl", cause=cause, message="why", body=body, **parts)  # type: ignore[arg-type]


# What can happen to one post, each at its own place of its source. `{}` becomes the post's own name.
EVENTS: dict[str, Callable[[str], Change]] = {
    "create": lambda one: indexable(tagged(one, "first", author=one, names=["Merkel"]), 10),
    "again": lambda one: indexable(tagged(one, "other words", author=one, names=["Obama"]), 10),
    "re-tag": lambda one: indexable(tagged(one, "first", author=one, names=["Paris"], generation=3), 10),
    "edit": lambda one: indexable(tagged(one, "second", author=one, names=["Macron"], revision=1), 20),
    "edit re-tagged": lambda one: indexable(
        tagged(one, "second", author=one, names=["Macron", "Paris"], revision=1, generation=3), 20
    ),
    "delete first": lambda one: deletion(one, revision=0, position=15),
    "delete edit": lambda one: deletion(one, revision=1, position=25),
    "delete for ever": lambda one: deletion(one, position=15),
    "erase early": lambda one: erasure(one, 12),
    "erase late": lambda one: erasure(one, 22),
    "hide": lambda one: status(one, 11, hidden=True),
    "show": lambda one: status(one, 17, hidden=False),
}


def visible_version(changes: Iterable[Change]) -> tuple[int, int] | None:
    """Returns the (revision, generation) that must be visible after these changes, in whatever order they came.

    Says it without any order: the newest revision decides; it must lie above every deletion and erasure, and the newest
    status of its author must not hide it.
    """
    changes = list(changes)
    posts = [change for change in changes if isinstance(change, Indexable)]
    said = {change.position: change.hidden for change in changes if isinstance(change, AccountStatus)}
    if not posts or (said and said[max(said)]):
        return None
    newest = max(one.post.revision for one in posts)
    for change in changes:
        if isinstance(change, Deletion) and (change.revision is None or change.revision >= newest):
            return None
        position = next(one.position for one in posts if one.post.revision == newest)
        if isinstance(change, Erasure) and change.position >= position:
            return None
    return newest, max(one.post.generation for one in posts if one.post.revision == newest)


@dataclass
class History:
    """One post and what happens to it, in order."""

    name: str
    events: tuple[str, ...]

    @property
    def changes(self) -> list[Change]:
        return [EVENTS[one](self.name) for one in self.events]


async def assert_as_the_model_says(index: EntityIndex, histories: Sequence[History]) -> None:
    seen = {post.id: post for post in await stored(index)}
    visible = {post_id: (post.revision, post.generation) for post_id, post in seen.items()}
    expected = {f"jsonl:{one.name}": visible_version(one.changes) for one in histories}
    wrong = {
        one.events: (visible.get(f"jsonl:{one.name}"), expected[f"jsonl:{one.name}"])
        for one in histories
        if visible.get(f"jsonl:{one.name}") != expected[f"jsonl:{one.name}"]
    }
    assert not wrong, f"{len(wrong)} histories end wrong (got, expected)"
    mentions = Counter(entity.key for post in seen.values() for entity in post.entities)
    assert {one.key: one.posts for one in await index.top_entities(size=10)} == mentions
    assert await total(index, "first") == sum(post.text == "first" for post in seen.values())
    assert await total(index, "person:macron") == mentions["macron"]


async def total(index: EntityIndex, text: str) -> int:
    return (await index.search(Query(text, size=1))).total


class WritingContract:
    """The promises of every index about writing."""

    async def test_1a_the_first_of_a_repeated_version_wins(self, index: EntityIndex) -> None:
        first = await write(index, tagged("a", "first", names=["Merkel"]))
        second = await write(index, tagged("a", "second", names=["Macron"]), tagged("b", "b"), tagged("b", "c"))
        assert (first, second) == (WriteReport(stored=1), WriteReport(stored=1, duplicate=2))
        assert [post.text for post in await stored(index)] == ["first", "b"]
        assert await found(index, "second") == []

    async def test_1b_a_newer_revision_replaces_words_and_mentions(self, index: EntityIndex) -> None:
        await write(index, tagged("a", "first", names=["Merkel", "Paris"]))
        report = await write(index, tagged("a", "second", names=["Macron"], revision=7, generation=0))
        assert report == WriteReport(stored=1)
        assert (await found(index, "first"), await found(index, "second")) == ([], ["a"])
        assert (await found(index, "person:merkel"), await found(index, "place:paris")) == ([], [])
        assert [(one.key, one.posts) for one in await index.top_entities()] == [("macron", 1)]
        assert [post.revision for post in await stored(index)] == [7]

    async def test_1c_an_older_revision_never_comes_back(self, index: EntityIndex) -> None:
        await write(index, tagged("a", "second", revision=7))
        report = await write(index, tagged("a", "first", revision=6, generation=4000))
        assert report == WriteReport(stale=1)
        assert [post.text for post in await stored(index)] == ["second"]

    async def test_1d_a_newer_model_replaces_and_an_older_never_does(self, index: EntityIndex) -> None:
        await write(index, tagged("a", names=["Merkel"], generation=3))
        report = await write(index, tagged("a", names=["Macron"], generation=2))
        assert report == WriteReport(stale=1)
        assert await write(index, tagged("a", names=["Paris"], generation=5)) == WriteReport(stored=1)
        assert [(one.key, one.posts) for one in await index.top_entities()] == [("paris", 1)]
        assert (await found(index, "type:PER"), await found(index, "type:LOC")) == ([], ["a"])

    async def test_1e_a_report_sums_to_its_batch(self, index: EntityIndex) -> None:
        await write(index, tagged("old", revision=5), deletion("gone"), erasure("someone", 9))
        report = await write(
            index,
            *(tagged("new"), tagged("new"), tagged("old", revision=4), tagged("gone")),
            *(indexable(tagged("erased", author="someone"), 9), deletion("x"), erasure("y", 0), letter("z")),
        )
        assert report == WriteReport(stored=1, duplicate=1, stale=1, deleted=2, tombstones=2, dead=1)

    async def test_1f_an_empty_batch_is_fine(self, index: EntityIndex) -> None:
        assert await write(index) == WriteReport()

    async def test_2a_the_time_of_a_post_is_fixed_at_first_sight(self, index: EntityIndex) -> None:
        await write(index, tagged("a", minute=1), tagged("b", minute=2))
        await write(index, tagged("a", minute=3, revision=1))
        assert await found(index, "") == ["b", "a"]
        assert await found(index, "", until=START + timedelta(minutes=2)) == ["a"]

    async def test_2b_a_post_from_the_future_has_the_time_it_was_seen_at(self, index: EntityIndex) -> None:
        await write(index, tagged("future", created_at=START.replace(year=9999)), tagged("past", minute=0))
        await write(index, tagged("ancient", created_at=START.replace(year=1)))
        assert await found(index, "", since=OBSERVED, until=OBSERVED + timedelta(seconds=1)) == ["future"]
        assert await found(index, "") == ["future", "past", "ancient"]
        for order in ("newest", "relevance"):
            page = await index.search(Query("words", order=order))
            times = {post.id.rpartition(":")[2]: time for post, time in zip(page.posts, page.times, strict=True)}
            assert (times["future"], times["past"]) == (OBSERVED, START)

    async def test_2c_many_posts_of_one_moment_are_all_kept(self, index: EntityIndex) -> None:
        for start in range(0, 300, 100):
            await write(index, *(tagged(f"{number}") for number in range(start, start + 100)))
        assert len(await stored(index)) == (await index.search(Query())).total == 300

    async def test_3a_a_deletion_reaches_everything(self, index: EntityIndex) -> None:
        await write(index, tagged("a", "words", names=["Merkel", "Paris"]), tagged("b", "words", names=["Merkel"]))
        assert await write(index, deletion("a")) == WriteReport(tombstones=1)
        assert await index.get("jsonl:a") is None
        assert [post.id for post in await stored(index)] == await _ids(index, "words") == ["jsonl:b"]
        assert await found(index, "place:paris") == []
        assert [(one.key, one.posts) for one in await index.top_entities()] == [("merkel", 1)]
        assert await index.companions("merkel") == []

    async def test_3b_late_create_after_deletion(self, index: EntityIndex) -> None:
        await write(index, deletion("a", revision=3))
        report = await write(index, tagged("a", revision=3, generation=4000), tagged("a"))
        assert report == WriteReport(deleted=2)
        assert await stored(index) == []

    async def test_3c_what_the_network_creates_anew_is_accepted(self, index: EntityIndex) -> None:
        await write(index, tagged("a", "old"))
        await write(index, deletion("a", revision=0))
        assert await write(index, tagged("a", "new", revision=1)) == WriteReport(stored=1)
        assert await found(index, "new") == ["a"]

    async def test_3d_a_deletion_without_revision_is_for_ever(self, index: EntityIndex) -> None:
        await write(index, deletion("a"))
        await write(index, deletion("a", revision=1))
        assert await write(index, tagged("a", revision=2**50)) == WriteReport(deleted=1)

    async def test_3e_a_deletion_reaches_dead_letters(self, index: EntityIndex) -> None:
        await write(index, letter("1", post_id="jsonl:a", position=5), letter("2", post_id="jsonl:b"), letter("3"))
        await write(index, deletion("a", revision=0, position=6), deletion("b"))
        await write(index, deletion("a", revision=0, position=2))
        assert await letters(index) == ["3"]
        report = await write(
            index,
            *(letter("4", post_id="jsonl:a", position=6), letter("5", post_id="jsonl:a", position=7)),
            letter("6", post_id="jsonl:b", position=8),
        )
        assert report == WriteReport(dead=1, deleted=2)
        assert await letters(index) == ["3", "5"]

    async def test_3f_a_deletion_in_the_batch_of_its_post(self, index: EntityIndex) -> None:
        await write(index, tagged("a"), letter("1", post_id="jsonl:a"), deletion("a"), tagged("a"), tagged("b"))
        assert [post.id for post in await stored(index)] == ["jsonl:b"]
        assert await letters(index) == []

    async def test_4a_an_erasure_takes_everything_up_to_its_position(self, index: EntityIndex) -> None:
        posts = [indexable(tagged(str(place), author="x", names=["Merkel"]), place) for place in (1, 5, 6)]
        await write(index, *posts, indexable(tagged("other", author="y", names=["Merkel"]), 1), tagged("nobody"))
        await write(index, erasure("x", 5))
        assert [post.id for post in await stored(index)] == ["jsonl:6", "jsonl:nobody", "jsonl:other"]
        assert [(one.posts, one.authors) for one in await index.top_entities()] == [(2, 2)]

    async def test_4b_an_erasure_meets_what_comes_later(self, index: EntityIndex) -> None:
        await write(index, erasure("x", 5), erasure("x", 3))
        early = await write(index, indexable(tagged("early", author="x"), 5))
        later = await write(index, indexable(tagged("later", author="x"), 6))
        assert (early, later) == (WriteReport(deleted=1), WriteReport(stored=1))

    async def test_4c_an_erasure_is_of_one_source(self, index: EntityIndex) -> None:
        elsewhere = indexable(tagged("a", author="x", source="bluesky"), 1)
        await write(index, elsewhere, letter("1", author="x", position=1), erasure("x", 5))
        assert [post.id for post in await stored(index)] == ["bluesky:a"]

    async def test_4d_an_erasure_reaches_dead_letters(self, index: EntityIndex) -> None:
        await write(index, letter("1", author="x", position=5), letter("2", author="x", position=6))
        await write(index, letter("3", author="y", position=5), erasure("x", 5), letter("4", author="x", position=4))
        assert await letters(index) == ["2", "3"]

    async def test_4e_a_new_answer_of_a_model_keeps_the_position_of_its_post(self, index: EntityIndex) -> None:
        await write(index, indexable(tagged("a", author="x"), 8))
        await write(index, indexable(tagged("a", author="x", generation=3), 0), erasure("x", 5))
        assert [post.generation for post in await stored(index)] == [3]

    async def test_4f_no_older_revision_shows_in_place_of_an_erased_one(self, index: EntityIndex) -> None:
        older = indexable(tagged("a", author="x"), 9)
        erased = indexable(tagged("a", author="x", revision=1), 5)
        assert await write(index, erasure("x", 5), erased, older) == WriteReport(tombstones=1, deleted=1, stale=1)
        elsewhere = [indexable(one.post.model_copy(update={"id": "jsonl:b"}), one.position) for one in (older, erased)]
        assert await write(index, *elsewhere) == WriteReport(stored=1, deleted=1)
        assert await stored(index) == []

    async def test_5a_every_order_of_events_ends_the_same(self, index: EntityIndex) -> None:
        orders = itertools.chain.from_iterable(itertools.permutations(EVENTS, count) for count in (1, 2, 3, 4))
        histories = [History(str(number), events) for number, events in enumerate(orders)]
        for place in range(4):  # a write each, so that every state goes through the store
            await write(index, *(one.changes[place] for one in histories if place < len(one.events)))
        await assert_as_the_model_says(index, histories)

    async def test_5b_every_order_in_one_batch_ends_the_same(self, index: EntityIndex) -> None:
        orders = itertools.permutations(EVENTS, 4)
        histories = [History(str(number), events) for number, events in enumerate(orders)]
        for start in range(0, len(histories), 500):
            await write(index, *(change for one in histories[start : start + 500] for change in one.changes))
        await assert_as_the_model_says(index, histories)

    async def test_5c_long_histories_in_batches_of_any_size_end_the_same(self, index: EntityIndex) -> None:
        chance = random.Random(5)
        histories = [History(str(number), tuple(chance.choices(list(EVENTS), k=9))) for number in range(400)]
        waiting = [one.changes for one in histories]
        while any(waiting):
            batch = [
                change
                for changes in waiting
                for change in [changes.pop(0) for _ in range(min(len(changes), chance.randrange(4)))]
            ]
            await write(index, *batch)
        await assert_as_the_model_says(index, histories)

    async def test_5d_a_replay_changes_nothing(self, index: EntityIndex) -> None:
        chance = random.Random(6)
        changes = [EVENTS[chance.choice(list(EVENTS))](str(chance.randrange(40))) for _ in range(400)]
        changes.append(letter("1", body=b"\xff\x00"))
        await write(index, *changes)
        before = (await stored(index), await index.top_entities(), await letters(index))
        for start in (0, 0, 137, 300):
            await write(index, *changes[start:])
        assert (await stored(index), await index.top_entities(), await letters(index)) == before

    async def test_6a_the_cursor_is_saved_with_the_changes(self, index: EntityIndex) -> None:
        assert await index.cursor("feed") is None
        await write(index, tagged("a"), cursor=SourceCursor("feed", "1"))
        await write(index, cursor=SourceCursor("feed", "2"))
        await write(index, tagged("b"))
        assert (await index.cursor("feed"), await index.cursor("other")) == ("2", None)

    async def test_6b_a_refused_batch_leaves_nothing(self, index: EntityIndex) -> None:
        spoilt = tagged("bad")
        spoilt = spoilt.model_copy(update={"model": "\ud800"})
        with pytest.raises(RejectedDocument, match="jsonl:bad"):
            await write(index, tagged("a"), deletion("b"), letter("c"), spoilt, cursor=SourceCursor("feed", "1"))
        assert (await stored(index), await letters(index), await index.cursor("feed")) == ([], [], None)
        assert await write(index, tagged("b")) == WriteReport(stored=1)

    async def test_6c_a_rehearsal_names_what_cannot_be_written_and_keeps_nothing(self, index: EntityIndex) -> None:
        await write(index, indexable(tagged("there", "before"), 1))
        bad = tagged("bad", "x").model_copy(update={"text": "\ud83d"})
        changes: list[Change] = [
            indexable(tagged("new", "Oslo", names=["Oslo"]), 2),
            indexable(bad, 3),
            letter("file:1"),
            indexable(tagged("there", "after", revision=1), 4),
        ]
        assert [*await index.rehearse(changes)] == [1]
        assert await letters(index) == []
        assert await found(index, "before") == ["there"]
        assert not await found(index, "after")
        assert not await found(index, "Oslo")

    async def test_7a_a_dead_letter_is_kept_once_by_its_origin(self, index: EntityIndex) -> None:
        one = letter("file:7", cause="malformed", body=b"\xff\x00{", post_id="jsonl:a", author="x", position=3)
        await write(index, one)
        await write(index, one, letter("file:8", cause="too large"))
        assert [kept async for kept in index.dead_letters("malformed")] == [one]
        assert await letters(index) == ["file:7", "file:8"]

    async def test_7b_dead_letters_are_dropped_by_origin(self, index: EntityIndex) -> None:
        await write(index, *(letter(f"file:{number}") for number in range(700)))
        assert len(await letters(index)) == 700
        assert await index.drop_dead_letters(["file:1", "file:2", "file:none"]) == 2
        assert await index.drop_dead_letters(["file:1"]) == await index.drop_dead_letters([]) == 0
        assert len(await letters(index)) == 698

    async def test_7c_a_dead_letter_of_any_content_is_kept(self, index: EntityIndex) -> None:
        odd = letter("line \ud800", cause="\udfff", body=bytes(range(256)), post_id="\ud800")
        assert await write(index, odd) == WriteReport(dead=1)
        assert [kept.body async for kept in index.dead_letters()] == [bytes(range(256))]

    async def test_7d_dead_letters_are_counted_by_cause_and_the_first_are_read_alone(self, index: EntityIndex) -> None:
        assert await index.dead_letter_counts() == {}
        long = letter("file:x", cause="too large " * 2_000)
        await write(index, *(letter(f"file:{number:03}", cause="odd") for number in range(600)))
        await write(index, long, letter("file:y", cause="malformed"))
        assert await index.dead_letter_counts() == {"odd": 600, long.cause: 1, "malformed": 1}
        for size in (0, 1, 250, 550, 602, 700):
            assert len([one async for one in index.dead_letters(size=size)]) == min(size, 602)
        assert [one.origin async for one in index.dead_letters("malformed", size=5)] == ["file:y"]


async def _ids(index: EntityIndex, text: str) -> list[str]:
    return [f"jsonl:{name}" for name in await found(index, text)]
