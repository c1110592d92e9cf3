# ruff: noqa: F811 - tests ask for imported fixtures by their names
"""What becomes of posts that an older version put into Elasticsearch, where their text could not be searched."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from test_elastic_faults import Opener, opened, prefix  # noqa: F401

from search.elastic import schema, upgrade, writes
from search.elastic.address import Names
from search.elastic.index import ElasticIndex
from search.testing.posts import found, stored, tagged, write
from search.testing.writing import deletion, status
from tagstream.errors import Fatal, IndexUnavailable, NewerVersion, UnreadableInput

_NEW_FIELDS = ("indexed_at", "processing_seconds", "lag_seconds", *(f"{one}_key" for one in ("person", "place")))


@contextmanager
def the_version_before() -> Iterator[None]:
    """The names, mappings and documents of schema version 5."""
    original = writes.post_document

    def document(*args: Any) -> dict[str, Any]:
        return {name: value for name, value in original(*args).items() if name not in _NEW_FIELDS}

    before = {name: field for name, field in schema.POST_FIELDS.items() if name not in _NEW_FIELDS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Names, "of_day", lambda self, day: f"{self.prefix}-posts-{day}")
        patch.setattr(Names, "is_earlier", lambda *_: False)
        patch.setattr(writes, "post_document", document)
        patch.setattr(schema, "POST_FIELDS", before | {"text": {"type": "text", "index": False}})
        patch.setattr(schema, "SCHEMA_VERSION", 5)
        patch.setitem(schema.META, "schema", 5)
        yield


async def texts(index: ElasticIndex, words: str) -> int:
    """Returns how many posts have these words in their text, as Kibana asks it."""
    await index.refresh()
    body = {"query": {"match": {"text": words}}}
    answer = await index.client.raw.search(index=index.address.names.shown_posts, **body)
    return int(answer["hits"]["total"]["value"])


async def earlier_indices(index: ElasticIndex) -> list[str]:
    names = index.address.names
    return sorted(filter(names.is_earlier, await index.client.raw.indices.get_mapping(index=f"{names.prefix}-*")))


async def test_posts_of_the_form_before_are_moved_and_their_text_is_found(opened: Opener) -> None:
    with the_version_before():
        old = await opened()
        await write(
            old, *(tagged(f"{one}", f"Quake number{one}", minute=one * 30, names=["Paris"]) for one in range(600))
        )
        await write(old, tagged("7", "edited words", revision=1), deletion("3"), tagged("x", "Quake", author="x"))
        await write(old, status("x", 1, hidden=True))
        before = await stored(old)
    assert len(await earlier_indices(old)) == 3  # two days, and the posts older than the retention
    with pytest.raises(UnreadableInput, match="Start a worker"):
        await opened(create=False)
    for _ in range(2):
        new = await opened()
        assert await stored(new) == before
        assert await earlier_indices(new) == []
        assert (await texts(new, "quake"), await texts(new, "edited"), await texts(new, "number3")) == (598, 1, 0)
        assert [one.posts for one in await new.top_entities()] == [598]
    assert await stored(await opened(create=False)) == before
    await write(new, deletion("8"), tagged("9", "another", revision=1), status("x", 2, hidden=False))
    assert await found(new, "number8 OR number9") == []
    assert await found(new, "another OR author:x") == ["9", "x"]
    with the_version_before():
        with pytest.raises(NewerVersion):
            await opened()
        with pytest.raises(Fatal, match="templates"):  # a worker that runs since before
            await write(old, tagged("late", "Quake"))


async def test_a_move_that_is_cut_off_anywhere_is_made_whole(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    with the_version_before():
        old = await opened()
        await write(old, *(tagged(f"{one}", "Quake", minute=one * 60) for one in range(60)))
        before = await stored(old)
    monkeypatch.setattr(upgrade, "_STEP", 10)
    original = upgrade._write_again
    for allowed in (0, 1, 3, 4):
        left = allowed

        async def cut_off(*args: Any) -> None:
            nonlocal left
            if left == 0:
                raise IndexUnavailable("killed")
            left -= 1
            await original(*args)

        with monkeypatch.context() as patch:
            patch.setattr(upgrade, "_write_again", cut_off)
            with pytest.raises(Exception, match="killed"):
                await opened()
        with pytest.raises(UnreadableInput):
            await opened(create=False)
    assert await earlier_indices(old)
    with the_version_before(), pytest.raises(IndexUnavailable):  # what it writes now would be left behind
        await write(old, tagged("59", "late", minute=59 * 60, revision=1))
    new = await opened()
    await new.refresh()
    assert await stored(new) == before
    assert await texts(new, "quake") == 60


async def test_a_move_brings_back_nothing_that_was_deleted(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    async def killed(*_: object) -> None:
        raise IndexUnavailable("killed")

    with the_version_before():
        old = await opened()
        await write(old, tagged("a", "Quake"), tagged("b", "Quake"))
        with monkeypatch.context() as patch:  # between the record and the document
            patch.setattr(writes.ElasticWriter, "_write_documents", killed)
            with pytest.raises(IndexUnavailable):
                await old.write([deletion("a")])
    new = await opened()
    assert await texts(new, "quake") == 1
    assert await found(new, "quake") == ["b"]


async def test_several_processes_move_at_once(opened: Opener) -> None:
    with the_version_before():
        old = await opened()
        await write(old, *(tagged(f"{one}", "Quake", minute=one * 60) for one in range(100)))
        before = await stored(old)
    indices = await asyncio.gather(*(opened() for _ in range(3)))
    for index in indices:
        await index.refresh()
        assert await stored(index) == before
    assert await earlier_indices(old) == []
