"""Queries as hypothesis makes them, answered by SQLite and by a plain reading of each post."""

import asyncio
import random
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.index import Query
from search.query import MAX_DEPTH, parse
from search.sqlite import reads
from search.sqlite.file import READ_WRITE
from search.sqlite.index import SqliteIndex
from search.sqlite.schema import connect
from search.testing.evaluation import VALUES, holds, random_posts
from search.testing.posts import indexable

POSTS = random_posts(random.Random(19), 300)


def _write(path: Path) -> None:
    async def work() -> None:
        index = await SqliteIndex.open(path)
        await index.write([indexable(post) for post in POSTS])
        await index.close()

    asyncio.run(work())


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    path = tmp_path_factory.mktemp("answers") / "posts.db"
    _write(path)
    opened = connect(path, READ_WRITE)
    yield opened
    opened.close()


def _depth(text: str) -> int:
    return max(accumulate((sign == "(") - (sign == ")") for sign in text))


def _negated(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("{}{}".format, st.sampled_from(["", "", "-", "NOT "]), part)


def _joined(part: st.SearchStrategy[str], joint: str, most: int) -> st.SearchStrategy[str]:
    return st.lists(_negated(part), min_size=1, max_size=most).map(joint.join)


VALUE = st.sampled_from(VALUES)
QUERIES = st.recursive(
    VALUE,
    lambda inner: (_joined(inner, " ", 4) | _joined(inner, " OR ", 3) | _joined(inner, " AND ", 3)).map("({})".format),
    max_leaves=24,
).filter(lambda text: _depth(text) <= MAX_DEPTH and len(text) < 600)


@settings(max_examples=300, deadline=None)
@given(_joined(QUERIES, " ", 3) | _joined(QUERIES, " OR ", 3))
def test_sqlite_finds_what_a_plain_reading_finds(connection: object, text: str) -> None:
    query = parse(text)
    page = reads.search(connection, Query(text, size=1000))  # type: ignore[arg-type]
    assert [post.id for post in page.posts] == [post.id for post in POSTS[::-1] if holds(query, post)]
    assert page.total == len(page.posts)
