"""What only Elasticsearch can do to an index: writers that overlap, writes that are cut off anywhere, old mappings."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from elastic_proxy import Fault, busy, healthy, proxy
from elasticsearch import AsyncElasticsearch, ConflictError, NotFoundError

from search import terms
from search.elastic import reads, schema, writes
from search.elastic.client import ATTEMPTS
from search.elastic.index import ElasticIndex
from search.elastic.writes import ElasticWriter
from search.index import Change, Query, SourceCursor
from search.open import open_index
from search.testing.posts import START, entity, found, indexable, letters, stored, tagged, write
from search.testing.writing import EVENTS, History, assert_as_the_model_says, deletion, erasure, letter, status
from tagstream.errors import (
    CorruptState,
    Fatal,
    IndexUnavailable,
    NewerVersion,
    RejectedDocument,
    ServiceUnavailable,
    UnreadableInput,
)
from tagstream.posts import TaggedPost
from tagstream.settings import Settings
from tagstream.text.analysis import ANALYSIS_VERSION

_numbers = itertools.count()
SETTINGS = Settings(elasticsearch_timeout_seconds=60)  # the machine may be busy with other tests

Opener = Callable[..., Awaitable[ElasticIndex]]


@pytest.fixture
def prefix() -> str:
    return f"faults{next(_numbers)}"


@pytest.fixture
async def opened(elasticsearch: Any, prefix: str) -> AsyncIterator[Opener]:
    """Opens the test's index, as often as it is called, by any way to the server."""
    made: list[ElasticIndex] = []

    async def open_one(url: str = elasticsearch.url, **options: Any) -> ElasticIndex:
        index = await ElasticIndex.open(f"{url}/{prefix}", SETTINGS, **options)
        made.append(index)
        return index

    yield open_one
    for index in made:
        await index.close()
    async with raw_client(elasticsearch.url) as client:
        names = list(await client.indices.get_mapping(index=f"{prefix}-*"))
        if names:
            await client.indices.delete(index=names)
        with suppress(NotFoundError):
            await client.indices.delete_index_template(name=[f"{prefix}-{kind}" for kind in ("posts", "media")])


@asynccontextmanager
async def raw_client(url: str) -> AsyncIterator[Any]:
    async with AsyncElasticsearch(url) as client:
        yield client


@pytest.fixture
async def index(opened: Opener) -> ElasticIndex:
    return await opened()


def a_batch() -> list[Change]:
    """One of everything, over what `before` left."""
    return [
        indexable(tagged("new", "new words", author="x", names=["Merkel"]), 20),
        indexable(tagged("edited", "second", author="y", revision=1, names=["Paris"]), 20),
        deletion("deleted"),
        indexable(tagged("unseen", author="z"), 3),
        erasure("z", 9),
        letter("kept", post_id="jsonl:new", position=20),
        indexable(tagged("new", "new words", author="x", generation=3, names=["Macron"]), 20),
        indexable(tagged("of one who is hidden", "new", author="h", names=["Paris"]), 20),
        status("h", 20, hidden=True),
        status("y", 20, hidden=False),
    ]


async def before(index: ElasticIndex) -> None:
    await write(
        index,
        tagged("edited", "first", author="y", names=["Merkel"]),
        tagged("deleted", author="y", names=["Merkel"]),
        indexable(tagged("erased", author="z", names=["Merkel"]), 5),
        letter("of the deleted", post_id="jsonl:deleted"),
        letter("of the erased", author="z", position=4),
        status("y", 10, hidden=True),
    )


async def whole(index: ElasticIndex) -> tuple[object, ...]:
    await index.refresh()
    found = {word: (await index.search(Query(word, size=1))).total for word in ("first", "second", "new", "words")}
    entities = [(one.key, one.posts, one.authors) for one in await index.top_entities()]
    return await stored(index), await letters(index), entities, found, await index.cursor("feed")


class Cut(Exception):
    """The process ended here."""


STEPS = [
    "_enter_erasures",
    "_write_registry",
    "_write_statuses",
    "_write_documents",
    "_sweep_dead_letters",
    "_look_again",
    "_save_cursor",
]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_write_cut_off_anywhere_is_made_whole_by_itself(
    index: ElasticIndex, opened: Opener, monkeypatch: pytest.MonkeyPatch, step: str, moment: str
) -> None:
    await before(index)
    original = getattr(ElasticWriter, step)

    async def cut(*args: Any) -> Any:
        if moment == "after":
            await original(*args)
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(ElasticWriter, step, cut)
        with pytest.raises(Cut):
            await index.write(a_batch(), SourceCursor("feed", "2"))
    assert await index.cursor("feed") == ("2" if (step, moment) == ("_save_cursor", "after") else None)
    again = await opened()
    await again.write(a_batch(), SourceCursor("feed", "2"))
    posts, kept, entities, words, cursor = await whole(again)
    assert isinstance(posts, list)
    assert [(post.id, post.text, post.generation) for post in posts] == [
        ("jsonl:edited", "second", 1),
        ("jsonl:new", "new words", 3),
    ]
    assert (kept, cursor) == (["kept"], "2")
    assert entities == [("paris", 1, 1), ("macron", 1, 1)]
    assert words == {"first": 0, "second": 1, "new": 1, "words": 1}


async def test_a_document_that_was_never_written_is_repaired(
    index: ElasticIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut(*_: Any) -> None:
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(ElasticWriter, "_write_documents", cut)
        with pytest.raises(Cut):
            await index.write([indexable(tagged("a", "lost"))])
    assert await index.get("jsonl:a") is None
    assert (await write(index, tagged("a", "lost"))).stored == 1
    assert await found(index, "lost") == ["a"]
    assert (await write(index, tagged("a", "lost"))).duplicate == 1


async def test_a_busy_server_is_asked_again_and_no_more_than_it_can_bear(elasticsearch: Any, opened: Opener) -> None:
    async with proxy(elasticsearch.url) as before:
        index = await opened(before.url)
        turns = itertools.cycle(["busy", "pass", "busy", "busy", "pass"])
        before.fault = lambda path: next(turns) if path.endswith("/_bulk") else "pass"  # type: ignore[assignment]
        for number in range(5):
            await index.write([indexable(tagged(f"{number} {one}", "word")) for one in range(20)])
        assert before.met > 5
        before.met = 0
        before.fault = busy
        with pytest.raises(IndexUnavailable, match="429"):
            await index.write([indexable(tagged("late", "word"))])
        assert before.met <= ATTEMPTS
        while index.client.budget.take():
            pass
        before.met = 0
        with pytest.raises(IndexUnavailable):
            await index.write([indexable(tagged("late", "word"))])
        assert before.met == 1, "without a budget nothing is tried twice"
        before.fault = healthy
        await write(index, tagged("late", "word"))
        assert (await index.search(Query("word", size=1))).total == 101


async def test_an_answer_that_is_lost_costs_and_doubles_nothing(elasticsearch: Any, opened: Opener) -> None:
    async with proxy(elasticsearch.url) as between:
        index = await opened(between.url)
        await before(index)
        chance = random.Random(3)

        def fault(path: str) -> Fault:
            return "lost" if path.endswith("/_bulk") and chance.random() < 0.4 else "pass"

        between.fault = fault
        while True:
            try:
                await index.write(a_batch(), SourceCursor("feed", "2"))
                break
            except IndexUnavailable:
                continue
        assert between.met > 0
        between.fault = healthy
        posts, kept, entities, _, cursor = await whole(index)
        assert isinstance(posts, list)
        assert [post.id for post in posts] == ["jsonl:edited", "jsonl:new"]
        assert (kept, entities, cursor) == (["kept"], [("paris", 1, 1), ("macron", 1, 1)], "2")


async def test_two_writers_of_the_same_posts_lose_nothing(index: ElasticIndex, opened: Opener) -> None:
    other = await opened()
    chance = random.Random(7)
    histories = [History(str(number), tuple(chance.choices(list(EVENTS), k=8))) for number in range(60)]
    halves: list[list[list[Change]]] = [[], []]
    for place in range(8):
        for half in (0, 1):
            halves[half].append([one.changes[place] for one in histories if chance.random() < 0.5 or place % 2 == half])
    # Whatever was left out by chance is written by both, so that each history is whole.
    rest = [change for one in histories for change in one.changes]

    async def write_all(writer: ElasticIndex, batches: list[list[Change]]) -> None:
        for batch in [*batches, rest[::2], rest[1::2]]:
            await until_written(writer, batch)

    await asyncio.gather(write_all(index, halves[0]), write_all(other, halves[1]))
    await index.refresh()
    await assert_as_the_model_says(index, histories)


async def until_written(index: ElasticIndex, batch: list[Change], interrupted: asyncio.Event | None = None) -> None:
    """Writes it as the stage runner does, which waits while the index is away."""
    while True:
        try:
            await index.write(batch)
            return
        except IndexUnavailable:
            if interrupted is not None:
                interrupted.set()
            await asyncio.sleep(0.05)


@asynccontextmanager
async def held(monkeypatch: pytest.MonkeyPatch, index: ElasticIndex, batch: list[Change]) -> AsyncIterator[None]:
    """While the block runs, a write of the batch stands between the registry and its documents."""
    entered, released = asyncio.Event(), asyncio.Event()
    original = index.writer._write_documents

    async def wait(*args: Any) -> None:
        entered.set()
        await released.wait()
        await original(*args)

    with monkeypatch.context() as patch:
        patch.setattr(index.writer, "_write_documents", wait)
        writing = asyncio.create_task(index.write(batch))
        await entered.wait()
        yield
        released.set()
        await writing


async def delete_while_written(
    monkeypatch: pytest.MonkeyPatch, index: ElasticIndex, other: ElasticIndex, post: Change, gone: Change
) -> None:
    async with held(monkeypatch, index, [post]):
        await other.write([gone])
        await until_forgotten(other)


async def until_forgotten(index: ElasticIndex) -> None:
    """Waits until the server has forgotten what was deleted: a version that lost to a deletion is taken."""
    client, day = index.client.raw, index.address.names.of_day("2026.03.01")
    probe = {"index": day, "id": f"probe {next(_numbers)}", "version_type": "external"}
    with suppress(NotFoundError):
        await client.delete(**probe, version=5)
    while True:
        await client.indices.refresh(index=day)
        with suppress(ConflictError):
            await client.index(**probe, version=1, document={"id": "probe"})
            break
    await client.delete(**probe, version=9)


async def forget_deletes(index: ElasticIndex) -> None:
    """Elasticsearch remembers a delete's version for a minute: from now on for a moment only."""
    await index.client.raw.indices.put_settings(index=index.address.names.posts, settings={"index.gc_deletes": "1ms"})


async def test_a_late_create_never_brings_back_what_was_deleted(
    index: ElasticIndex, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await opened()
    await write(index, tagged("first of the day"))
    await forget_deletes(index)
    for revision in range(3):
        post = indexable(tagged("a", "word", author="x", revision=revision))
        await delete_while_written(monkeypatch, index, other, post, deletion("a", revision=revision))
        assert await found_now(index) == []
        assert (await index.write([post])).deleted == 1
        assert await found_now(index) == []


async def test_a_late_create_whose_writer_dies_is_removed_when_it_is_read_again(
    index: ElasticIndex, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await opened()
    await write(index, tagged("first of the day"))
    await forget_deletes(index)

    async def cut(*_: Any) -> None:
        raise Cut

    post = indexable(tagged("a", "word"))
    monkeypatch.setattr(index.writer, "_look_again", cut)
    with pytest.raises(Cut):
        await delete_while_written(monkeypatch, index, other, post, deletion("a"))
    assert await found_now(other) == ["a"], "the fault must have left it"
    await other.write([post])
    assert await found_now(other) == []


async def found_now(index: ElasticIndex) -> list[str]:
    await index.refresh()
    return await found(index, "word")


async def test_an_account_erased_while_another_writes_its_posts(
    index: ElasticIndex, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await opened()
    posts: list[Change] = [indexable(tagged(str(place), "word", author="x"), place) for place in (4, 5, 6)]
    dead = letter("1", author="x", position=5)
    async with held(monkeypatch, index, [*posts, dead]):
        await other.write([erasure("x", 5)])
    assert await found_now(index) == ["6"]
    assert await letters(index) == []


async def test_an_account_erased_again_and_again_while_it_writes(index: ElasticIndex, opened: Opener) -> None:
    other = await opened()
    places = list(range(1, 121))

    async def write_posts() -> None:
        for start in range(0, 120, 10):
            await until_written(
                index, [indexable(tagged(str(at), "word", author="x"), at) for at in places[start : start + 10]]
            )

    async def erase() -> None:
        for position in (10, 35, 60, 90):
            await until_written(other, [erasure("x", position)])

    await asyncio.gather(write_posts(), erase())
    assert sorted(map(int, await found_now(index))) == list(range(91, 121))


async def test_a_server_killed_in_mid_write_and_started_again(new_stack: Any) -> None:
    server = new_stack("elasticsearch").elasticsearch
    settings = Settings(elasticsearch_timeout_seconds=2)
    index = await ElasticIndex.open(f"{server.url}/killed", settings)
    batches = [[indexable(tagged(f"{n} {one}", "word", names=["Paris"])) for one in range(30)] for n in range(40)]
    progress = asyncio.Event()
    interrupted = asyncio.Event()

    async def write_all() -> None:
        for number, batch in enumerate(batches):
            await until_written(index, [*batch], interrupted)
            if number == 5:
                progress.set()

    writing = asyncio.create_task(write_all())
    await progress.wait()
    server.kill()
    await asyncio.wait_for(interrupted.wait(), 60)  # the kill must hit a write to mean anything
    await asyncio.to_thread(server.start)
    await asyncio.to_thread(server.wait)
    await writing
    await index.refresh()
    assert len(await stored(index)) == (await index.search(Query("word", size=1))).total == 1200
    assert [one.posts for one in await index.top_entities()] == [1200]
    await index.close()


async def test_an_older_mapping_gets_the_fields_it_lacks(
    opened: Opener, monkeypatch: pytest.MonkeyPatch, elasticsearch: Any, prefix: str
) -> None:
    fields = {name: field for name, field in schema.POST_FIELDS.items() if name != "lang"}
    with monkeypatch.context() as patch:
        patch.setattr(schema, "POST_FIELDS", fields)
        old = await opened()
        await write(old, tagged("a"))
        # This code with that mapping: every post of the kind would be refused, so it is no post's fault.
        with pytest.raises(Fatal, match="templates") as caught:
            await write(old, tagged("b", lang="en"))
        assert not isinstance(caught.value, CorruptState)
    new = await opened()
    await write(new, tagged("b", lang="en"), tagged("c", lang="en", minute=60 * 24))
    assert await found(new, "lang:en") == ["c", "b"]
    async with raw_client(elasticsearch.url) as client:
        for mapping in (await client.indices.get_mapping(index=f"{prefix}-posts-*")).values():
            assert "lang" in mapping["mappings"]["properties"]


async def test_a_mapping_that_contradicts_ours_is_refused(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "POST_FIELDS", schema.POST_FIELDS | {"lang": {"type": "long"}})
        await opened()
    with pytest.raises(CorruptState, match="another prefix"):
        await opened()


@pytest.mark.parametrize("part", ["schema", "analysis"])
async def test_a_newer_index_is_refused(opened: Opener, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(schema.META, part, 99)
        await opened()
    for create in (True, False):
        with pytest.raises(NewerVersion, match="99"):
            await opened(create=create)


async def test_an_index_of_somebody_else_is_refused(opened: Opener, elasticsearch: Any, prefix: str) -> None:
    async with raw_client(elasticsearch.url) as client:
        await client.indices.create(index=f"{prefix}-registry")
    with pytest.raises(CorruptState, match="not made by tagstream"):
        await opened()


async def test_nothing_is_made_for_a_reader(opened: Opener, elasticsearch: Any, prefix: str) -> None:
    with pytest.raises(UnreadableInput, match=prefix):
        await opened(create=False)
    async with raw_client(elasticsearch.url) as client:
        assert (await client.indices.get_mapping(index=f"{prefix}-*")) == {}
    await opened()
    reader = await open_index(f"elasticsearch:{elasticsearch.url}/{prefix}", create=False)
    assert await stored(reader) == []
    await reader.close()
    with pytest.raises(IndexUnavailable, match="closed"):
        await reader.search(Query())


async def test_a_server_that_is_not_there() -> None:
    with pytest.raises(ServiceUnavailable, match=r"127\.0\.0\.1:9/"):
        await open_index("elasticsearch:http://127.0.0.1:9/x")


async def test_another_analysis_gives_names_the_keys_of_today(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    index = await opened()
    older = entity("AT&amp;T", "ORG").model_copy(update={"key": "at&amp;t"})
    await write(
        index, tagged("a", "AT&amp;T", entities=(older,)), tagged("b", "AT&T", entities=(entity("AT&T", "ORG"),))
    )
    monkeypatch.setitem(schema.META, "analysis", ANALYSIS_VERSION + 1)
    monkeypatch.setattr(schema, "ANALYSIS_VERSION", ANALYSIS_VERSION + 1)
    index = await opened()
    await index.refresh()
    assert sorted(await found(index, 'organisation:"AT&T"')) == ["a", "b"]
    post = await index.get("jsonl:a")
    assert post is not None
    assert [one.key for one in post.entities] == ["at&t"]


async def test_another_analysis_writes_the_terms_anew(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    index = await opened()
    await write(index, *(tagged(f"{number}", "word") for number in range(700)), deletion("3"))
    monkeypatch.setitem(schema.META, "analysis", ANALYSIS_VERSION + 1)
    monkeypatch.setattr(schema, "ANALYSIS_VERSION", ANALYSIS_VERSION + 1)
    monkeypatch.setattr(terms, "post_terms", lambda post: [f"new{post.text}"])
    for _ in range(2):
        index = await opened()
        await index.refresh()
        assert (await index.search(Query("newword", size=1))).total == 699
        assert await found(index, "word") == []


async def test_a_document_that_the_server_refuses_is_one_posts_fault(
    index: ElasticIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = writes.post_document

    def spoilt(post: TaggedPost, *args: Any) -> dict[str, Any]:
        document = original(post, *args)
        return document | {"time": "no time"} if post.id == "jsonl:bad" else document

    monkeypatch.setattr(writes, "post_document", spoilt)
    with pytest.raises(RejectedDocument, match="jsonl:bad"):
        await write(index, tagged("a", "word"), tagged("bad", "word"), tagged("b", "word"))
    await write(index, tagged("a", "word"), tagged("b", "word"), letter("of the bad one", post_id="jsonl:bad"))
    assert sorted(await found(index, "word")) == ["a", "b"]


async def test_days_that_are_over_are_dropped_whole(index: ElasticIndex) -> None:
    day = timedelta(days=1)
    for number in range(4):
        await write(index, indexable(tagged(str(number), "word", minute=1440 * number), observed_at=START + 4 * day))
    await write(index, indexable(tagged("ancient", "word", created_at=START - 1000 * day)))
    names = index.address.names
    assert await index.drop_days(START + 2 * day) == [names.of_day("2026.03.01"), names.of_day("2026.03.02")]
    assert await found(index, "word") == ["3", "2", "ancient"]
    await write(index, deletion("0"), tagged("1", "word"))
    mappings = await index.client.raw.indices.get_mapping(index=names.posts)
    assert sorted(map(names.day_of, mappings)) == ["2026.03.03", "2026.03.04", "old"]


async def test_a_new_day_of_the_feed_drops_what_is_older_than_the_retention(index: ElasticIndex) -> None:
    for days in (0, 89, 91):
        moment = START + timedelta(days=days)
        await write(index, indexable(tagged(str(days), "word", created_at=moment), observed_at=moment))
    assert await found(index, "word") == ["91", "89"]


async def test_reading_everything_goes_on_when_the_server_forgets_where_it_was(
    index: ElasticIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(index, *(tagged(f"{number:02}") for number in range(40)))
    opened_for: list[str] = []
    original = reads._open

    async def noted(*args: Any) -> str:
        opened_for.append(await original(*args))
        return opened_for[-1]

    monkeypatch.setattr(reads, "_open", noted)
    monkeypatch.setattr(reads, "_STEP", 10)
    ids = []
    async for post in index.documents():
        ids.append(post.id)
        if len(ids) == 15:
            await index.client.raw.close_point_in_time(id=opened_for[-1])
    assert ids == [f"jsonl:{number:02}" for number in range(40)]
    assert len(opened_for) == 2
