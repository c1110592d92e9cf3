# ruff: noqa: F811 - tests ask for imported fixtures by their names
"""What Kibana may see: the alias of the posts, their text, and nothing that was deleted or hidden."""

import math
from typing import Any

import pytest
from test_elastic_faults import Opener, index, opened, prefix  # noqa: F401

from search.elastic import shown_posts
from search.elastic.index import ElasticIndex
from search.testing.posts import tagged, write
from search.testing.writing import deletion, erasure, status
from tagstream.bounds import MAX_TEXT_LENGTH


async def seen(index: ElasticIndex, **query: Any) -> set[str]:
    """Returns the names of the posts that the alias shows."""
    await index.refresh()
    asked = query or {"match_all": {}}
    answer = await index.client.raw.search(index=index.address.names.shown_posts, query=asked, size=100)
    return {hit["_source"]["id"].rpartition(":")[2] for hit in answer["hits"]["hits"]}


async def looked_at(index: ElasticIndex) -> None:
    """Lets the interval pass after which a writer looks who is hidden, and one write come."""
    await index.refresh()
    index._shown._next = 0.0
    await write(index)


async def test_text_is_found_in_any_script(index: ElasticIndex) -> None:
    said = {
        "de": "Erdbeben in Köln, sagt die Feuerwehr",
        "ja": "東京で地震がありました",
        "ar": "زلزال قوي يضرب المدينة",
        "ru": "Сильное землетрясение на Камчатке",
        "th": "แผ่นดินไหว",
        "hi": "दिल्ली में भूकंप",
    }
    await write(index, *(tagged(name, text) for name, text in said.items()))
    for name, words in (("de", "KÖLN"), ("ja", "地震"), ("ar", "زلزال"), ("ru", "ЗЕМЛЕТРЯСЕНИЕ"), ("hi", "भूकंप")):
        assert await seen(index, match_phrase={"text": words}) == {name}
    assert await seen(index, match={"text": "feuerwehr"}) == {"de"}
    assert await seen(index, match_phrase={"text": "die erdbeben"}) == set()


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.parametrize("piece", ["word ", "x", "地", "\U0001f30b"])
async def test_no_text_is_too_long(index: ElasticIndex, piece: str) -> None:
    longest = (piece * MAX_TEXT_LENGTH)[: MAX_TEXT_LENGTH - 4] + " end"
    report = await write(index, tagged("long", longest))
    assert report.stored == 1
    assert await seen(index, match={"text": "end"}) == {"long"}


async def test_names_are_flat_and_as_they_were_written(index: ElasticIndex) -> None:
    await write(index, tagged("a", names=["Merkel", "Paris"]), tagged("b", names=["Paris"]))
    assert await seen(index, term={"person": "Merkel"}) == {"a"}
    assert await seen(index, term={"place": "Paris"}) == {"a", "b"}
    assert await seen(index, term={"place_key": "paris"}) == {"a", "b"}


async def test_deleted_and_erased_posts_leave_no_text(index: ElasticIndex) -> None:
    await write(index, tagged("a", "quake"), tagged("b", "quake", author="x"), tagged("c", "quake"))
    await write(index, deletion("a"), erasure("x", 9))
    assert await seen(index, match={"text": "quake"}) == {"c"}


async def test_posts_of_hidden_authors_are_not_shown(index: ElasticIndex) -> None:
    await write(index, *(tagged(name, "quake", author=name) for name in "xyz"))
    assert await seen(index) == set("xyz")
    await write(index, status("x", 1, hidden=True), status("y", 1, hidden=True))
    await looked_at(index)
    assert await seen(index) == await seen(index, match={"text": "quake"}) == {"z"}
    await write(index, tagged("later", author="x", minute=5 * 1440))  # the index of another day
    assert await seen(index) == {"z"}
    await write(index, status("y", 2, hidden=False))
    await looked_at(index)
    assert await seen(index) == {"y", "z"}
    await write(index, status("x", 2, hidden=False))
    await looked_at(index)
    assert await seen(index) == {*"xyz", "later"}


async def test_the_last_process_to_close_leaves_nobody_shown_who_is_hidden(index: ElasticIndex, opened: Opener) -> None:
    other = await opened()
    await write(other, tagged("a", author="x"), tagged("b"), status("x", 1, hidden=True))
    await other.close()
    assert await seen(index) == {"b"}


async def test_an_alias_of_an_older_list_is_set_again_by_whoever_writes_next(
    index: ElasticIndex, opened: Opener
) -> None:
    await write(index, tagged("a", author="x"), tagged("b"), status("x", 1, hidden=True))
    await looked_at(index)
    await shown_posts._put(index.client, (), (0, 0.0))  # a process that was killed had read the list before
    assert await seen(index) == {"a", "b"}
    await looked_at(await opened())
    assert await seen(index) == {"b"}


async def test_a_list_that_changes_while_it_is_set_is_set_again(
    index: ElasticIndex, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await opened()
    for one in (index, other):
        one._shown._next = math.inf  # on a busy machine the interval passes by itself
    await write(index, tagged("a", author="x"), tagged("b"), status("z", 1, hidden=True))
    original, changed = shown_posts._put, False

    async def put(*args: Any) -> None:
        nonlocal changed
        if not changed:
            changed = True
            await write(other, status("x", 1, hidden=True))
        await original(*args)

    monkeypatch.setattr(shown_posts, "_put", put)
    await looked_at(index)
    assert changed
    assert await seen(index) == {"b"}


async def test_nobody_is_asked_again_before_the_interval_is_over(
    index: ElasticIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown_posts, "INTERVAL_SECONDS", 3_600.0)
    await looked_at(index)
    asked = 0

    async def counted(*_: object) -> None:
        nonlocal asked
        asked += 1

    monkeypatch.setattr(shown_posts, "_noted", counted)
    for number in range(5):
        await write(index, tagged(str(number)))
    assert asked == 0
