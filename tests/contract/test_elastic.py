"""The Elasticsearch index keeps the contract, on a real server."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from search.elastic import over_time
from search.elastic.index import ElasticIndex
from search.elastic.shown_posts import component
from search.index import Span
from search.sqlite.index import SqliteIndex
from search.testing.index_contract import IndexContract
from search.testing.posts import START, found, letters, stored, tagged, write
from search.testing.writing import EVENTS, deletion, letter
from tagstream.posts import TaggedPost
from tagstream.settings import Settings

_numbers = itertools.count()
SETTINGS = Settings(elasticsearch_timeout_seconds=60)  # the machine may be busy with other tests


@pytest.fixture
async def index(elasticsearch: Any) -> AsyncIterator[ElasticIndex]:
    prefix = f"contract{next(_numbers)}"
    index = await ElasticIndex.open(f"{elasticsearch.url}/{prefix}", SETTINGS)
    try:
        yield index
    finally:
        await remove(index)
        await index.close()


async def remove(index: ElasticIndex) -> None:
    """Takes the index off the server, which refuses to delete by pattern."""
    indices = index.client.raw.indices
    await indices.delete(index=list(await indices.get_mapping(index=f"{index.address.names.prefix}-*")))
    templates = await indices.get_index_template(name=f"{index.address.names.prefix}-*")
    await indices.delete_index_template(name=[one["name"] for one in templates["index_templates"]])
    await index.client.raw.cluster.delete_component_template(name=component(index.address.names))


class TestElastic(IndexContract):
    whole_batches = False


async def test_both_kinds_of_index_report_and_find_the_same(index: ElasticIndex, tmp_path: Path) -> None:
    chance = random.Random(11)
    sqlite = await SqliteIndex.open(tmp_path / "index.db")
    events = [*EVENTS.values(), lambda one: letter(f"{one} {chance.random()}", post_id=f"jsonl:{one}")]
    for _ in range(25):
        batch = [chance.choice(events)(str(chance.randrange(150))) for _ in range(chance.randrange(1, 40))]
        reports = [await write(one, *batch) for one in (index, sqlite)]
        assert reports[0] == reports[1]
        assert reports[0].new_revisions == reports[1].new_revisions
    assert await stored(index) == await stored(sqlite) != []
    assert await letters(index) == await letters(sqlite)
    for query in ("", "first", "second -person:macron", "other OR second", '"other words"', "type:PER", "author:3"):
        assert set(await found(index, query)) == set(await found(sqlite, query)), query
    assert set(await index.top_entities()) == set(await sqlite.top_entities())
    await sqlite.close()


async def test_the_beginning_of_a_long_feed_is_read_once_a_minute_and_its_end_each_time(
    index: ElasticIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(over_time, "LONG_FEED", 100)
    now = 0.0
    spans = over_time.FeedSpans(index.client, lambda: now)

    def minutes(first: int, last: int) -> list[TaggedPost]:
        return [tagged(f"m{at}", author=f"a{at % 7}", minute=at) for at in range(first, last)]

    await write(index, *minutes(50, 90))
    assert await spans.span() == Span(START + timedelta(minutes=50), START + timedelta(minutes=90))
    await write(index, *minutes(40, 50))
    assert await spans.span() == Span(START + timedelta(minutes=40), START + timedelta(minutes=90))
    await write(index, *minutes(30, 40), *minutes(90, 190))
    assert await spans.span() == Span(START + timedelta(minutes=40), START + timedelta(minutes=190))
    now = 60.0
    assert await spans.span() == Span(START + timedelta(minutes=30), START + timedelta(minutes=190))


async def test_compacted_no_segment_holds_a_removed_document(index: ElasticIndex) -> None:
    await write(index, *(tagged(f"{at}", f"word{at}") for at in range(60)))
    await write(index, deletion("7"), tagged("8", "edited", revision=1))
    posts = index.address.names.posts
    deadline = asyncio.get_running_loop().time() + 120
    while True:
        done = await index.compact()
        assert min(done) > 0
        stats = await index.client.raw.indices.stats(index=posts, metric="docs")
        if stats["_all"]["total"]["docs"]["deleted"] == 0:
            break
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(5)  # the server keeps what was removed a moment ago
    assert (await found(index, "word7"), await found(index, "edited")) == ([], ["8"])
