"""Scenario 15: the thumbnails of posts are kept where a page can show them, and go with what they belong to.

Numbers as in docs/reference/index-contract.md. `kept` looks into the store itself, past what any question would show.
"""

import hashlib
import random
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from search.index import Change, EntityIndex, Indexable, Thumbnail, WriteReport
from search.sqlite.index import SqliteIndex
from search.testing.posts import OBSERVED, tagged, write
from search.testing.writing import EVENTS, deletion, erasure, status, visible_version
from tagstream.posts import Erasure, Media


def sha(photo: str) -> str:
    return hashlib.sha256(photo.encode()).hexdigest()


def jpeg(photo: str) -> bytes:
    return b"\xff\xd8\xff\xe0" + photo.encode() * 200 + b"\xff\xd9"


def illustrated(
    name: str,
    photos: str,
    *,
    position: int = 0,
    brought: str | None = None,
    observed_at: datetime = OBSERVED,
    **parts: Any,
) -> Indexable:
    """Returns a post that shows photos, a letter each, with the thumbnails of all, or of those `brought`."""
    post = tagged(name, media=[Media(url=f"https://p.example/{one}", sha256=sha(one)) for one in photos], **parts)
    bringing = photos if brought is None else brought
    return Indexable(post, observed_at, position, tuple(Thumbnail(sha(one), jpeg(one)) for one in bringing))


def handed_on(change: Change) -> Change:
    """Returns the change as it travels on, without bytes."""
    return Indexable(change.post, change.observed_at, change.position) if isinstance(change, Indexable) else change


async def shown(index: EntityIndex, name: str) -> str:
    """Returns the photos whose thumbnails a reader gets, in order; a dot where there is none."""
    post = await index.get(f"jsonl:{name}")
    assert post is not None
    letters = {jpeg(one): one for one in "ABCDEFGH"} | {None: "."}
    return "".join([letters[await index.thumbnail(post.id, at)] for at in range(len(post.media))])


async def kept(index: Any) -> set[tuple[str, str]]:
    """Returns everything that the store holds: the post's name and the photo's letter."""
    letters = {sha(one): one for one in "ABCDEFGH"}
    if isinstance(index, SqliteIndex):
        rows = index._writing.execute("SELECT id, sha256 FROM thumbnails").fetchall()
        return {(post_id.partition(":")[2], letters[photo]) for post_id, photo in rows}
    client, media = index.client.raw, index.client.names.media
    await client.indices.refresh(index=media)
    answer = await client.search(index=media, size=10_000)
    places = [hit["_id"].removeprefix("m:jsonl:").rpartition("/") for hit in answer["hits"]["hits"]]
    return {(name, letters[photo]) for name, _, photo in places}


class MediaContract:
    """The promises of every index about thumbnails."""

    async def test_15a_a_thumbnail_is_found_by_its_post_and_number(self, index: EntityIndex) -> None:
        await write(
            index, illustrated("a", "AB"), illustrated("b", "C", brought=""), tagged("c", media=[Media(alt="x")])
        )
        assert await index.thumbnail("jsonl:a", 0) == jpeg("A")
        assert await index.thumbnail("jsonl:a", 1) == jpeg("B")
        for name, ordinal in (("a", 2), ("a", -1), ("a", 2**70), ("b", 0), ("c", 0), ("c", 1), ("none", 0), ("", 0)):
            assert await index.thumbnail(f"jsonl:{name}", ordinal) is None

    async def test_15b_an_answer_without_bytes_keeps_what_is_there(self, index: EntityIndex) -> None:
        await write(index, illustrated("a", "A"))
        await write(index, illustrated("a", "A", generation=3, brought=""))
        assert await shown(index, "a") == "A"
        await write(index, illustrated("a", "A", revision=1, brought=""))
        assert await shown(index, "a") == "A"

    async def test_15c_a_repetition_brings_what_is_missing(self, index: EntityIndex) -> None:
        await write(index, illustrated("a", "AB", brought="A"))
        assert await shown(index, "a") == "A."
        assert await write(index, illustrated("a", "AB")) == WriteReport(duplicate=1)
        assert await shown(index, "a") == "AB"

    async def test_15d_what_the_post_does_not_show_is_not_kept(self, index: EntityIndex) -> None:
        await write(index, illustrated("a", "A", brought="AB"))
        assert await kept(index) == {("a", "A")}

    async def test_15e_an_edit_takes_the_photos_that_it_does_not_show(self, index: EntityIndex) -> None:
        await write(index, illustrated("a", "AB"))
        await write(index, illustrated("a", "BC", revision=1))
        assert await shown(index, "a") == "BC"
        assert await kept(index) == {("a", "B"), ("a", "C")}
        await write(index, illustrated("a", "", revision=2))
        assert await kept(index) == set()

    async def test_15f_an_older_revision_brings_nothing(self, index: EntityIndex) -> None:
        await write(index, illustrated("a", "A", revision=5))
        assert await write(index, illustrated("a", "B", revision=4, generation=9)) == WriteReport(stale=1)
        assert await kept(index) == {("a", "A")}

    async def test_15g_a_deletion_reaches_them(self, index: EntityIndex) -> None:
        await write(index, illustrated("a", "A"), illustrated("b", "B"))
        await write(index, deletion("a"))
        assert await kept(index) == {("b", "B")}
        assert await index.thumbnail("jsonl:a", 0) is None
        assert await write(index, illustrated("a", "A"), illustrated("a", "C", revision=9)) == WriteReport(deleted=2)
        assert await kept(index) == {("b", "B")}

    async def test_15h_and_what_comes_after_it_or_in_its_batch(self, index: EntityIndex) -> None:
        await write(index, deletion("a", revision=3))
        await write(index, illustrated("a", "A", revision=3))
        await write(index, illustrated("b", "B"), deletion("b"), illustrated("b", "B"))
        assert await kept(index) == set()
        await write(index, illustrated("a", "A", revision=4))
        assert await shown(index, "a") == "A"

    async def test_15i_two_posts_share_a_photo_and_no_fate(self, index: EntityIndex) -> None:
        await write(index, illustrated("a", "A"), illustrated("b", "A"), illustrated("c", "AA"))
        await write(index, deletion("a"))
        assert (await shown(index, "b"), await shown(index, "c")) == ("A", "AA")

    async def test_15j_an_erasure_takes_them_up_to_its_position(self, index: EntityIndex) -> None:
        posts = [illustrated(str(place), "A", position=place, author="x") for place in (1, 5, 6)]
        await write(index, *posts, illustrated("other", "A", author="y"))
        await write(index, erasure("x", 5))
        assert await kept(index) == {("6", "A"), ("other", "A")}
        await write(index, posts[0], illustrated("late", "B", position=4, author="x"))
        assert await kept(index) == {("6", "A"), ("other", "A")}

    async def test_15k_those_of_a_hidden_author_are_shown_to_nobody(self, index: EntityIndex) -> None:
        await write(index, illustrated("a", "A", author="x"), status("x", 1, hidden=True))
        assert await index.thumbnail("jsonl:a", 0) is None
        await write(index, illustrated("b", "B", author="x"))
        assert await index.thumbnail("jsonl:b", 0) is None
        await write(index, status("x", 2, hidden=False))
        assert (await shown(index, "a"), await shown(index, "b")) == ("A", "B")

    async def test_15l_ahead_of_their_post_they_are_kept_and_shown_with_it(self, index: EntityIndex) -> None:
        post = illustrated("a", "AB")
        for _ in range(2):
            assert await index.keep_thumbnails([post, illustrated("none", "")]) == 0
        assert await index.thumbnail("jsonl:a", 0) is None
        await write(index, handed_on(post))
        assert await shown(index, "a") == "AB"

    async def test_15m_ahead_of_a_newer_revision_they_outlast_the_older(self, index: EntityIndex) -> None:
        first, second, third = (illustrated("a", photo, revision=at) for at, photo in enumerate("ABA"))
        for one in (first, second, third):
            await index.keep_thumbnails([one])
        for one, seen in ((first, "A"), (second, "B"), (third, "A")):
            await write(index, handed_on(one))
            assert await shown(index, "a") == seen
        assert await kept(index) == {("a", "A")}
        anew = illustrated("a", "A", revision=9)
        await index.keep_thumbnails([anew])
        await write(index, deletion("a", revision=8))
        await write(index, handed_on(anew))
        assert await shown(index, "a") == "A"

    async def test_15n_ahead_of_what_is_then_refused_they_go(self, index: EntityIndex) -> None:
        await write(index, deletion("gone"), erasure("x", 9), illustrated("a", "A", revision=5))
        late = [
            illustrated("gone", "B"),
            illustrated("erased", "C", author="x", position=3),
            illustrated("a", "D", revision=4),
            illustrated("a", "E", revision=5),
        ]
        for _ in range(2):
            await index.keep_thumbnails(late)
            await write(index, *map(handed_on, late))
            assert await kept(index) == {("a", "A")}
        assert await shown(index, "a") == "A"

    async def test_15o_ahead_of_what_does_not_come_they_are_discarded(self, index: EntityIndex) -> None:
        await write(index, illustrated("a", "A"))
        refused = [illustrated("b", "B"), illustrated("a", "AC", revision=1)]
        await index.keep_thumbnails(refused)
        await index.keep_thumbnails([illustrated("a", "D", revision=2)])
        await index.discard_thumbnails([illustrated("b", "B"), *refused[1:]])
        await index.discard_thumbnails([illustrated("nobody", "E")])
        assert await kept(index) == {("a", "D")}

    async def test_15p_dates_that_wander_leave_nothing_behind(self, index: EntityIndex) -> None:
        years = (2026, 1, 9999, 2025, 1970)
        posts = [
            illustrated("a", "BA"[number % 2], revision=number, created_at=OBSERVED.replace(year=year))
            for number, year in enumerate(years)
        ]
        await index.keep_thumbnails(posts[:2])  # of the second nobody knows yet that its post has a day
        for number, post in enumerate(posts):
            await index.keep_thumbnails([post])
            await write(index, handed_on(post))
            assert await shown(index, "a") == "BA"[number % 2]
        await write(index, deletion("a"))
        assert await kept(index) == set()

    async def test_15q_however_far_ahead_and_however_often_repeated(self, index: EntityIndex) -> None:
        chance = random.Random(8)
        names = [str(number) for number in range(25)]
        log = [change for name in names for change in _history(name, chance)]
        log.sort(key=lambda change: change.position)
        for step in _hops(log, chance):
            if isinstance(step, Indexable):
                await index.keep_thumbnails([step])
            else:
                await index.write(step)
        expected = set()
        for name in names:
            mine = [one for one in log if _name(one) == name]
            if (version := visible_version(mine)) is not None:
                expected |= {(name, photo) for photo in PHOTOS[version[0]]}
        assert await kept(index) == expected != set()
        for name in {name for name, _ in expected}:
            assert await shown(index, name) in PHOTOS


PHOTOS = ("AB", "BC")  # by revision


def _history(name: str, chance: random.Random) -> list[Change]:
    """Returns some of the events of a post, each with the photos of its revision."""
    happened = [EVENTS[one](name) for one in chance.sample(sorted(EVENTS), chance.randrange(1, 7))]
    return [_with_photos(change) for change in happened if not hasattr(change, "hidden")]


def _with_photos(change: Change) -> Change:
    if not isinstance(change, Indexable):
        return change
    photos = PHOTOS[change.post.revision]
    media = tuple(Media(url=f"https://p.example/{one}", sha256=sha(one)) for one in photos)
    thumbnails = tuple(Thumbnail(sha(one), jpeg(one)) for one in photos)
    post = change.post.model_copy(update={"media": media})
    return Indexable(post, change.observed_at, change.position, thumbnails)


def _name(change: Change) -> str:
    match change:
        case Indexable():
            return change.post.id.partition(":")[2]
        case Erasure():
            return change.author
        case _:
            return change.id.partition(":")[2]  # type: ignore[union-attr]


def _hops(log: Sequence[Change], chance: random.Random) -> Iterator[Indexable | list[Change]]:
    """Yields the steps of two hops, the first ahead of the second, each now and then killed and begun again earlier.

    A step is a post whose thumbnails are kept, or a batch that is written.
    """
    published: list[Change] = []
    tagged_up_to = written_up_to = 0
    while tagged_up_to < len(log) or written_up_to < len(published):
        turn = chance.random()
        if turn < 0.02:
            tagged_up_to = max(0, tagged_up_to - chance.randrange(6))
        elif turn < 0.04:
            written_up_to = max(0, written_up_to - chance.randrange(9))
        elif turn < 0.6 and tagged_up_to < len(log):
            change = log[tagged_up_to]
            if isinstance(change, Indexable):
                yield change
                if chance.random() < 0.05:
                    continue  # killed before it was published
            published.append(handed_on(change))
            tagged_up_to += 1
        elif written_up_to < len(published):
            batch = published[written_up_to : written_up_to + chance.randrange(1, 8)]
            yield batch
            written_up_to += len(batch)
