# ruff: noqa: F811 - tests ask for imported fixtures by their names
"""What only Elasticsearch can do to thumbnails: writes cut off anywhere, writers that overlap, days that end."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from elastic_proxy import busy, healthy, proxy
from test_elastic_faults import STEPS, Cut, Opener, held, index, opened, prefix  # noqa: F401

from search.elastic import schema, thumbnails
from search.elastic.documents import to_json
from search.elastic.index import ElasticIndex
from search.elastic.writes import ElasticWriter
from search.index import Change, Indexable, Thumbnail
from search.testing.media import handed_on, illustrated, jpeg, kept, sha, shown
from search.testing.posts import START, write
from search.testing.writing import deletion, erasure, status
from tagstream.errors import CorruptState, IndexUnavailable, NewerVersion

DAY = timedelta(days=1)


def a_batch() -> list[Change]:
    """One of everything that thumbnails can meet, over what `before` left."""
    return [
        illustrated("new", "A", author="x", position=20),
        illustrated("edited", "BC", revision=1, author="y", position=20),
        deletion("deleted"),
        illustrated("deleted", "D", author="y"),
        illustrated("unseen", "E", author="z", position=3),
        erasure("z", 9),
        illustrated("re-tagged", "F", generation=3, brought=""),
        illustrated("of one who is hidden", "G", author="h"),
        status("h", 20, hidden=True),
    ]


LEFT = {("new", "A"), ("edited", "B"), ("edited", "C"), ("re-tagged", "F"), ("of one who is hidden", "G")}


async def before(index: ElasticIndex) -> None:
    await write(
        index,
        illustrated("edited", "AB", author="y"),
        illustrated("deleted", "D", author="y"),
        illustrated("erased", "E", author="z", position=5),
        illustrated("re-tagged", "F"),
    )


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("step", [*STEPS[:-1], "_write_thumbnails"])
async def test_a_write_cut_off_anywhere_is_made_whole_by_itself(
    index: ElasticIndex, opened: Opener, monkeypatch: pytest.MonkeyPatch, step: str, ahead: bool
) -> None:
    await before(index)
    original = getattr(ElasticWriter, step)

    async def cut(*args: Any) -> Any:
        await original(*args)
        raise Cut

    async def hop(writer: ElasticIndex) -> None:
        if ahead:
            await writer.keep_thumbnails([one for one in a_batch() if isinstance(one, Indexable)])
        await writer.write(list(map(handed_on, a_batch())) if ahead else a_batch())

    with monkeypatch.context() as patch:
        patch.setattr(ElasticWriter, step, cut)
        with pytest.raises(Cut):
            await hop(index)
    again = await opened()
    await hop(again)
    assert await kept(again) == LEFT
    assert (await shown(again, "edited"), await shown(again, "re-tagged")) == ("BC", "F")
    assert await again.thumbnail("jsonl:of one who is hidden", 0) is None


@pytest.mark.parametrize("gone", [deletion("a"), erasure("x", 9)])
async def test_a_writer_that_is_late_leaves_no_thumbnail_of_what_was_deleted(
    index: ElasticIndex, opened: Opener, monkeypatch: pytest.MonkeyPatch, gone: Change
) -> None:
    other = await opened()
    async with held(monkeypatch, index, [illustrated("a", "AB", author="x", position=3)]):
        await other.write([gone])
    assert await kept(index) == set()


async def test_nor_of_what_was_edited_meanwhile(
    index: ElasticIndex, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await opened()
    async with held(monkeypatch, index, [illustrated("a", "AB")]):
        await other.write([illustrated("a", "BC", revision=1)])
    assert await kept(index) == {("a", "B"), ("a", "C")}
    assert await shown(other, "a") == "BC"


async def test_a_repetition_that_is_late_leaves_none_either(
    index: ElasticIndex, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await opened()
    await index.write([illustrated("a", "A", brought="")])
    async with held(monkeypatch, index, [illustrated("a", "A")]):
        await other.write([deletion("a")])
    assert await kept(index) == set()


async def test_the_thumbnails_of_a_day_go_with_its_posts(index: ElasticIndex) -> None:
    posts = [
        illustrated(str(number), "A", observed_at=START + 4 * DAY, created_at=START + number * DAY)
        for number in range(4)
    ]
    ancient = illustrated("ancient", "B", created_at=START - 1000 * DAY)
    await index.keep_thumbnails([*posts, ancient])
    await write(index, *map(handed_on, [*posts, ancient]))
    names = index.address.names
    gone = [made(day) for made in (names.media_of_day, names.of_day) for day in ("2026.03.01", "2026.03.02")]
    assert await index.drop_days(START + 2 * DAY) == gone
    assert await kept(index) == {("2", "A"), ("3", "A"), ("ancient", "B")}
    # Neither what comes late nor a deletion makes the day again.
    await index.keep_thumbnails([posts[0]])
    await index.discard_thumbnails([posts[1]])
    await write(index, deletion("0"), deletion("1"), deletion("ancient"))
    there = await index.client.raw.indices.get_mapping(index=names.media)
    assert sorted(map(names.day_of, there)) == ["2026.03.03", "2026.03.04", "old"]
    assert await kept(index) == {("2", "A"), ("3", "A")}


@pytest.mark.parametrize("ahead", [False, True])
async def test_a_thumbnail_that_the_server_refuses_stops_no_post(
    index: ElasticIndex, monkeypatch: pytest.MonkeyPatch, ahead: bool
) -> None:
    def spoilt(value: Any) -> bytes:
        return b"{" if len(value["jpeg"]) > 600 else to_json(value)

    posts = [illustrated("a", "A"), illustrated("b", "B"), illustrated("c", "C")]
    posts[1] = Indexable(posts[1].post, posts[1].observed_at, 0, (Thumbnail(sha("B"), jpeg("B") * 4),))
    with monkeypatch.context() as patch:
        patch.setattr("search.elastic.thumbnails.to_json", spoilt)
        if ahead:
            assert await index.keep_thumbnails(posts) == 1
            report = await index.write(list(map(handed_on, posts)))
        else:
            report = await index.write(posts)
            assert report.refused_thumbnails == 1
    assert report.stored == 3
    assert [await shown(index, name) for name in "abc"] == ["A", ".", "C"]


async def test_a_store_that_is_away_is_waited_for(elasticsearch: Any, opened: Opener) -> None:
    async with proxy(elasticsearch.url) as between:
        index = await opened(between.url)
        between.fault = busy
        for attempt in (index.keep_thumbnails, index.discard_thumbnails):
            with pytest.raises(IndexUnavailable):
                await attempt([illustrated("a", "A")])
        between.fault = healthy
        await index.keep_thumbnails([illustrated("a", "A")])
        await index.write([illustrated("a", "A", brought="")])
        assert await shown(index, "a") == "A"


async def test_an_index_from_before_thumbnails_gets_them(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {name: field for name, field in schema.REGISTRY_FIELDS.items() if name != "photos"}
    with monkeypatch.context() as patch:
        patch.setitem(schema.META, "schema", 2)
        patch.setattr(schema, "SCHEMA_VERSION", 2)
        patch.setattr(schema, "REGISTRY_FIELDS", fields)
        old = await opened()
        await old.client.raw.indices.delete_index_template(name=old.address.names.media.removesuffix("-*"))
        await write(old, illustrated("a", "", author="x"))
    assert await (await opened(create=False)).thumbnail("jsonl:a", 0) is None
    new = await opened()
    await write(new, illustrated("a", "A", revision=1, author="x"), illustrated("b", "B"))
    assert (await shown(new, "a"), await shown(new, "b")) == ("A", "B")
    with monkeypatch.context() as patch:  # an older tagstream, whose deletions would leave them
        patch.setattr(schema, "SCHEMA_VERSION", 2)
        with pytest.raises(NewerVersion):
            await opened()


async def test_a_stored_thumbnail_that_is_none_is_corrupt_state(index: ElasticIndex) -> None:
    await index.write([illustrated("a", "A")])
    where, identifier = thumbnails.address(index.address.names, "jsonl:a", f"2026.03.01/{sha('A')}")
    await index.client.raw.index(index=where, id=identifier, document={})
    with pytest.raises(CorruptState, match="thumbnail"):
        await index.thumbnail("jsonl:a", 0)


async def test_many_thumbnails_at_a_time_by_many_writers(index: ElasticIndex, opened: Opener) -> None:
    writers = [index, await opened(), await opened()]
    posts = [illustrated(f"{number}", "ABCD") for number in range(60)]

    async def both(writer: ElasticIndex, some: list[Indexable]) -> None:
        await writer.keep_thumbnails(some)
        await writer.write(list(map(handed_on, some)))

    async def hop(writer: ElasticIndex) -> None:
        for start in range(0, 60, 20):
            # As a stage does: an index that another writer makes at this moment cannot be read yet.
            while True:
                try:
                    await both(writer, posts[start : start + 20])
                    break
                except IndexUnavailable:
                    await asyncio.sleep(0.05)

    await asyncio.gather(*map(hop, writers))
    assert len(await kept(index)) == 240
    await asyncio.gather(*(one.write([deletion(str(number)) for number in range(60)]) for one in writers))
    assert await kept(index) == set()
