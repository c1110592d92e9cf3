"""`tagstream bench search`: its posts are what an index takes, its questions find some, its figures add up."""

import json
from collections import Counter
from pathlib import Path

import pytest

from ops.bench.search import SearchFigures, fill, measure_search
from ops.bench.search_feed import posts, word_of
from ops.bench.search_queries import QUESTIONS
from ops.bench.search_results import add_results
from ops.docs.search_speed import search_speed_page
from search.index import Facets, Page, Query
from search.sqlite.index import SqliteIndex
from search.web.questions import Histogram

COUNT = 3_000


@pytest.fixture
async def index(tmp_path: Path) -> SqliteIndex:
    opened = await SqliteIndex.open(tmp_path / "bench.db")
    await fill(opened, COUNT, lambda _: None)
    return opened


def test_a_seed_gives_the_same_posts_and_names_stand_where_they_say() -> None:
    first, again = next(posts(500)), next(posts(500))
    assert first == again
    assert len({one.post.id for one in first}) == 500
    assert [one.post.created_at for one in first] == sorted(one.post.created_at for one in first)
    named = [(one.post.text, entity) for one in first for entity in one.post.entities]
    assert named
    assert all(text[entity.start : entity.end] == entity.text for text, entity in named)


def test_words_are_as_frequent_as_their_ranks_let_expect() -> None:
    words = Counter(word for batch in posts(4_000) for one in batch for word in one.post.text.split())
    assert len({word_of(rank) for rank in range(1, 5_000)}) == 4_999
    assert words[word_of(1)] > 1.5 * words[word_of(2)] > 3 * words[word_of(10)] > 0


async def test_filling_goes_on_where_it_stopped(tmp_path: Path) -> None:
    index = await SqliteIndex.open(tmp_path / "bench.db")
    for count in (2_000, 3_000, 3_000):
        await fill(index, count, lambda _: None)
        assert (await index.search(Query(size=1))).total == min(count, 3_000)
    await index.close()


async def test_nearly_every_question_finds_something(index: SqliteIndex) -> None:
    for question in QUESTIONS:
        answers = [await question.ask(index, query) for query in question.queries]
        found = [
            answer.total if isinstance(answer, Page | Facets) else isinstance(answer, Histogram) for answer in answers
        ]
        assert any(found) or "rare" in question.name, question.name
    await index.close()


async def test_figures_are_of_every_question_and_page_and_are_kept(index: SqliteIndex, tmp_path: Path) -> None:
    figures = await measure_search(index, "sqlite", times=2)
    await index.close()
    assert isinstance(figures, SearchFigures)
    assert [one.name for one in figures.questions] == [one.name for one in QUESTIONS]
    assert figures.posts == COUNT
    for one in (figures.overall, *figures.questions, *figures.pages):
        assert 0 < one.p50_ms <= one.p95_ms <= one.max_ms
    path = tmp_path / "results.json"
    add_results(path, [figures])
    add_results(path, [figures])
    assert len(json.loads(path.read_text())) == 1
    page = search_speed_page(path)
    assert "## sqlite, 3,000 posts" in page
    assert "| a phrase |" in page
