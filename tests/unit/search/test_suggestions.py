"""What a search that finds nothing is offered: queries that find something."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from search.index import EntityIndex, Query
from search.sqlite.index import SqliteIndex
from search.suggestions import MOST, Suggestion, suggestions
from search.testing.posts import entity, tagged, write


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[EntityIndex]:
    opened = await SqliteIndex.open(tmp_path / "posts.db")
    merkel, square = entity("Angela Merkel", "PER"), entity("Merkel Square", "LOC")
    await write(
        opened,
        tagged("a", "Angela Merkel speaks", minute=1, entities=[merkel]),
        tagged("b", "at Merkel Square", minute=2, entities=[square]),
        *(tagged(f"c{at}", "power was cut, storm", minute=at) for at in range(5)),
        tagged("d", "storm over Berlin", names=["Berlin"], lang="de"),
    )
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    ("text", "offered", "posts"),
    [
        ('person:"Merkel"', 'person:"Angela Merkel"', 1),
        ('person:"merkel"', "person:merkel", 1),
        ('organisation:"Angela Merkel"', 'entity:"Angela Merkel"', 1),
        ("organisation:merkel", "entity:merkel", 2),
        ("person:berl", "entity:berl*", 1),
        ("person:merkle", "person:merkel", 1),
        ("strom", "storm", 6),
        ("strom -berlin", "storm -berlin", 5),
        ('"power cut"', "power cut", 5),
        ("storm person:merkel", "storm", 6),
        ("storm AND person:merkel", "person:merkel", 1),
        ("berlin until:2020", "berlin", 1),
        ("storm (macron OR obama)", "storm", 6),
    ],
)
async def test_a_query_without_an_answer_is_offered_one_with(
    index: EntityIndex, text: str, offered: str, posts: int
) -> None:
    assert (await index.search(Query(text))).total == 0
    found = await suggestions(index, Query(text))
    assert Suggestion(offered, posts) in found
    assert len(found) <= MOST
    for one in found:
        assert (await index.search(Query(one.text))).total == one.posts > 0


@pytest.mark.parametrize("text", ["zzzzzz", "#nothing", "lang:fr", "-storm"])
async def test_what_is_like_nothing_is_offered_nothing(index: EntityIndex, text: str) -> None:
    assert await suggestions(index, Query(text)) == []


async def test_the_questions_are_bounded(index: EntityIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    search = index.search

    async def counted(query: Query) -> object:
        nonlocal asked
        asked += 1
        return await search(query)

    monkeypatch.setattr(index, "search", counted)
    await suggestions(index, Query(" ".join(f'person:"nobody {at}"' for at in range(60))))
    assert asked <= 30
