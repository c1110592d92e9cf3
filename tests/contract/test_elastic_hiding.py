# ruff: noqa: F811 - tests ask for imported fixtures by their names
"""What only Elasticsearch can do to a hidden account: writers that overlap, long lists, indices from before."""

import asyncio
import random
from typing import Any

import pytest
from test_elastic_faults import Opener, held, index, opened, prefix, until_written  # noqa: F401

from search.elastic import hidden_authors, queries, schema
from search.elastic.index import ElasticIndex
from search.index import Change, Query
from search.testing.posts import found, indexable, stored, tagged, write
from search.testing.writing import status
from tagstream.errors import NewerVersion, UnreadableInput


async def test_an_account_hidden_while_another_writes_its_posts(
    index: ElasticIndex,
    opened: Opener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = await opened()
    posts: list[Change] = [indexable(tagged(str(place), "word", author="x"), place) for place in range(3)]
    async with held(monkeypatch, index, [*posts, indexable(tagged("y", "word", author="y"))]):
        await other.write([status("x", 1, hidden=True)])
    await index.refresh()
    assert await found(index, "word") == await found(other, "word") == ["y"]
    assert await other.get("jsonl:1") is None


async def test_what_many_writers_say_of_an_account_ends_with_the_newest(index: ElasticIndex, opened: Opener) -> None:
    writers = [index, *[await opened() for _ in range(3)]]
    chance = random.Random(4)
    accounts = [f"account {number}" for number in range(30)]
    await write(index, *(tagged(name, "word", author=name) for name in accounts))
    said = [
        status(name, position, hidden=chance.random() < 0.5)
        for name in accounts
        for position in chance.choices(range(8), k=12)
    ]

    async def say(writer: ElasticIndex) -> None:
        mine = [*said]
        random.Random(writers.index(writer)).shuffle(mine)
        for start in range(0, len(mine), 25):
            await until_written(writer, [*mine[start : start + 25]])

    await asyncio.gather(*map(say, writers))
    await index.refresh()
    newest = {name: max((one.position, one.hidden) for one in said if one.author == name) for name in accounts}
    assert {one.author: (one.position, one.hidden) async for one in index.account_statuses()} == newest
    assert set(await found(index, "word")) == {name for name in accounts if not newest[name][1]}


async def test_a_list_of_many_pages_hides_them_all(
    index: ElasticIndex,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hidden_authors, "_STEP", 7)
    monkeypatch.setattr(queries, "_TERMS_A_CLAUSE", 5)
    names = [f"author {number}" for number in range(28)]
    await write(index, *(tagged(name, "word", author=name, names=["Paris"]) for name in names), tagged("z", "word"))
    await write(index, *(status(name, 1, hidden=True) for name in names))
    assert await found(index, "word") == await found(index, "word", order="relevance") == ["z"]
    assert await index.top_entities() == []
    await write(index, *(status(name, 2, hidden=False) for name in names[:3]))
    assert set(await found(index, "word")) == {"z", *names[:3]}


async def test_the_list_is_fetched_only_after_it_has_changed(
    index: ElasticIndex, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await opened()
    fetched = 0
    original = hidden_authors._hidden_authors

    async def counted(*args: Any) -> list[int]:
        nonlocal fetched
        fetched += 1
        return await original(*args)

    monkeypatch.setattr(hidden_authors, "_hidden_authors", counted)
    await write(index, tagged("a", "word", author="x"), tagged("b", "word", author="y"))
    for position, author, seen in ((1, "x", ["b"]), (2, "y", []), (3, "x", []), (4, "y", [])):
        before = fetched
        await write(other, status(author, position, hidden=True))
        for _ in range(4):
            assert await found(index, "word") == seen
        assert fetched == before + 1


async def test_an_index_from_before_accounts_could_be_hidden(
    opened: Opener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(schema.META, "schema", 1)
        patch.setattr(schema, "SCHEMA_VERSION", 1)
        old = await opened()
        await old.client.raw.indices.delete(index=old.address.names.accounts)
        with pytest.raises(UnreadableInput, match="Start a worker"):
            await opened(create=False)
        await old.close()
    new = await opened()
    await write(new, tagged("a", "word", author="x"), status("x", 1, hidden=True))
    assert await stored(await opened(create=False)) == []
    with monkeypatch.context() as patch:  # an older tagstream, which would show what is hidden
        patch.setattr(schema, "SCHEMA_VERSION", 1)
        with pytest.raises(NewerVersion):
            await opened(create=False)


async def test_a_hidden_author_is_not_read_at_the_moment_that_it_is_hidden(index: ElasticIndex) -> None:
    await write(index, tagged("a", "word", author="x"))
    await index.write([status("x", 1, hidden=True)])
    assert await index.get("jsonl:a") is None, "without a refresh"
    await index.refresh()
    assert (await index.search(Query("word"))).total == 0
