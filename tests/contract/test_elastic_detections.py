"""What only Elasticsearch can do to trends and events: writers that overlap, writes that are cut off, old indices."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from elastic_proxy import Fault, healthy, proxy
from elasticsearch import AsyncElasticsearch, NotFoundError

from search.elastic import schema
from search.elastic.detections import expiry, snapshots, writes
from search.elastic.index import ElasticIndex
from search.testing.detecting import event, evidence, seen_of, trend
from search.testing.posts import START, stored, tagged, write
from search.testing.writing import deletion
from tagstream.detections import DetectedEvent
from tagstream.errors import CorruptState, IndexUnavailable, NewerVersion
from tagstream.settings import Settings

_numbers = itertools.count()
SETTINGS = Settings(elasticsearch_timeout_seconds=60)  # the machine may be busy with other tests

Opener = Callable[..., Awaitable[ElasticIndex]]


class Cut(Exception):
    """The end of a process in the middle of a write."""


@pytest.fixture
async def opened(elasticsearch: Any) -> AsyncIterator[Opener]:
    """Opens the test's index, as often as it is called, by any way to the server."""
    made: list[ElasticIndex] = []
    prefix = f"detections{next(_numbers)}"

    async def open_one(url: str = elasticsearch.url, **options: Any) -> ElasticIndex:
        index = await ElasticIndex.open(f"{url}/{prefix}", SETTINGS, **options)
        made.append(index)
        return index

    yield open_one
    for index in made:
        await index.close()
    async with AsyncElasticsearch(elasticsearch.url) as client:
        await client.indices.delete(index=list(await client.indices.get_mapping(index=f"{prefix}-*")))
        with suppress(NotFoundError):
            await client.indices.delete_index_template(name=[f"{prefix}-{kind}" for kind in ("posts", "media")])


async def test_the_newest_state_is_the_latest_minute_whoever_writes(opened: Opener) -> None:
    writers = [await opened() for _ in range(3)]
    await write(writers[0], tagged("a"))
    chance = random.Random(5)
    states = [event(f"{name}", minute) for name in range(4) for minute in range(12)]
    chance.shuffle(states)

    async def say(index: ElasticIndex, told: list[DetectedEvent]) -> None:
        for start in range(0, len(told), 4):
            await index.write_detections([], told[start : start + 4])

    await asyncio.gather(*(say(index, states[place::3]) for place, index in enumerate(writers)))
    await writers[0].refresh()
    assert [one.id for one in await writers[0].events()] == ["0", "1", "2", "3"]
    assert {one.minute for one in await writers[0].events()} == {START + timedelta(minutes=11)}
    for name in range(4):
        assert len(await writers[1].event_history(f"{name}")) == 12


async def test_a_writer_that_stalls_does_not_turn_the_newest_state_back(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, other = await opened(), await opened()
    await write(index, tagged("a"))
    await index.write_detections([], [event("e", 1)])
    original, stalled = writes.many, False

    async def read_and_stall(*arguments: Any, **options: Any) -> AsyncIterator[Any]:
        nonlocal stalled
        hits = [hit async for hit in original(*arguments, **options)]
        if not stalled:
            stalled = True
            await other.write_detections([], [event("e", 9)])
        for hit in hits:
            yield hit

    monkeypatch.setattr(writes, "many", read_and_stall)
    await index.write_detections([], [event("e", 5)])
    assert stalled
    newest = await index.event("e")
    assert newest is not None
    assert newest.minute == START + timedelta(minutes=9)


@pytest.mark.parametrize("step", ["send", "_write_newest"])
async def test_what_is_cut_off_the_same_call_completes(
    opened: Opener, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    index = await opened()
    await write(index, tagged("a"))
    told = [trend("paris", 1)], [event("e", minute) for minute in range(3)], {"trends": b"new"}
    await index.write_detections([], [], {"trends": b"old"})

    async def cut(*_: Any) -> None:
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(writes, step, cut)
        with pytest.raises(Cut):
            await index.write_detections(*told)
    assert await index.detector_state("trends") == b"old", "a snapshot never stands for what is not stored"
    await index.write_detections(*told)
    await index.refresh()
    assert (await index.stored_trends(), await index.events()) == (told[0], told[1][-1:])
    assert (await index.event_history("e"), await index.detector_state("trends")) == (told[1], b"new")


async def test_an_answer_that_is_lost_costs_and_doubles_nothing(elasticsearch: Any, opened: Opener) -> None:
    async with proxy(elasticsearch.url) as between:
        index = await opened(between.url)
        await write(index, tagged("a"))
        chance = random.Random(3)

        def fault(path: str) -> Fault:
            return "lost" if path.endswith("/_bulk") and chance.random() < 0.4 else "pass"

        between.fault = fault
        for minute in range(8):
            while True:
                with suppress(IndexUnavailable):
                    await index.write_detections([trend("e", minute)], [event("e", minute)], {"s": b"%d" % minute})
                    break
        assert between.met > 0
        between.fault = healthy
        await index.refresh()
        assert (await index.stored_trends(), await index.events()) == ([trend("e", 7)], [event("e", 7)])
        assert await index.event_history("e") == [event("e", minute) for minute in range(8)]
        assert await index.detector_state("s") == b"7"


async def test_a_snapshot_that_is_cut_off_leaves_the_one_before(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = await opened()
    whole = bytes(range(256)) * 5_000
    await index.write_detections([], [], {"trends": whole})
    monkeypatch.setattr(snapshots, "_PARTS_AT_ONCE", 1)
    original, sent = snapshots.send, 0

    async def cut(*arguments: Any) -> Any:
        nonlocal sent
        sent += 1
        if sent == 3:
            raise Cut
        return await original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "send", cut)
        with pytest.raises(Cut):
            await index.write_detections([], [], {"trends": whole[::-1]})
    assert await index.detector_state("trends") == whole
    await index.write_detections([], [], {"trends": whole[::-1]})
    assert await index.detector_state("trends") == whole[::-1]
    await index.client.raw.delete(index=index.address.names.detectors, id="d:trends/1/1")
    with pytest.raises(CorruptState, match="--rebuild"):
        await index.detector_state("trends")


async def test_minutes_older_than_the_retention_go_unless_they_were_stored_since(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = await opened()
    await write(index, tagged("a"))
    day = timedelta(days=1)
    for stored_at, name in ((START, "past"), (START + 30 * day, "archive")):
        monkeypatch.setattr(writes, "_now", lambda moment=stored_at: int(moment.timestamp() * 1000))
        await index.write_detections([trend(name, 1), trend(name, 90_000)], [event(name, 1), event(name, 90_000)])
    await index.refresh()
    assert await expiry.drop_expired(index.client, START) == 0
    assert await expiry.drop_expired(index.client, START + day) == 2
    await index.refresh()
    assert await expiry.drop_expired(index.client, START + day) == 0
    assert [len(await index.event_history(name)) for name in ("past", "archive")] == [1, 2]
    assert await index.stored_trends(until=START + day) == [trend("archive", 1)]
    assert {one.id for one in await index.events()} == {"past", "archive"}


async def test_the_newest_state_of_an_event_outlasts_the_retention(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = await opened()
    await write(index, tagged("a"))
    monkeypatch.setattr(writes, "_now", lambda: int(START.timestamp() * 1000))
    await index.write_detections([], [event("one", 1), *(event("two", minute) for minute in (2, 3, 4))])
    await index.refresh()
    monkeypatch.setattr(expiry, "MAX_REMOVED", 1)
    removed = []
    for _ in range(5):
        removed.append(await expiry.drop_expired(index.client, START + timedelta(days=1)))
        await index.refresh()
    assert removed == [0, 1, 1, 0, 0]
    for name, last in (("one", 1), ("two", 4)):
        assert await index.event_history(name) == [await index.event(name)] == [event(name, last)]
    assert len(await index.events(until=START + timedelta(minutes=9))) == 2
    told = [one async for one in index.everything() if isinstance(one, DetectedEvent)]
    assert sorted(one.id for one in told) == ["one", "two"]


async def test_an_index_of_the_version_before(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = schema.fixed_indices
    with monkeypatch.context() as patch:
        patch.setitem(schema.META, "schema", 4)
        patch.setattr(schema, "SCHEMA_VERSION", 4)
        patch.setattr(
            schema,
            "fixed_indices",
            lambda names, replicas: {
                index: body for index, body in fixed(names, replicas).items() if index not in names.detections
            },
        )
        old = await opened()
        await write(old, tagged("a"), tagged("b"), deletion("b"))
    reader = await opened(create=False)
    assert (await reader.events(), await reader.events(until=START), await reader.stored_trends()) == ([], [], [])
    assert (await reader.event("e"), await reader.event_history("e")) == (None, [])
    assert await reader.detector_state("trends") is None
    assert len([one async for one in reader.everything()]) == 2
    assert [one.post.id async for one in reader.posts_by_time()] == ["jsonl:a"]
    new = await opened()
    await new.write_detections([trend("e", seen=evidence("ab"))], [event("e", seen=evidence("ab"))])
    await new.refresh()
    assert (await seen_of(reader))["event"] == ("a", None, 8, 8)
    assert len(await stored(new)) == 1
    mappings = await new.client.raw.indices.get_mapping(index=list(new.address.names.detections))
    assert {one["mappings"]["dynamic"] for one in mappings.values()} == {"strict"}
    with monkeypatch.context() as patch:  # an older tagstream, whose backup would lack them
        patch.setattr(schema, "SCHEMA_VERSION", 4)
        for create in (False, True):
            with pytest.raises(NewerVersion):
                await opened(create=create)


async def test_compacted_no_document_holds_a_word_of_a_deleted_post(opened: Opener) -> None:
    index = await opened()
    await write(index, tagged("a"), tagged("b"), tagged("c"))
    seen = (*evidence("a", keys=("explosion",)), *evidence("b", keys=("paris",)))
    await index.write_detections(
        [trend("paris", seen=seen), trend("explosion", seen=evidence("a", keys=("explosion",)))],
        [event("e", minute, seen=seen, typical="a") for minute in range(3)] + [event("f", seen=evidence("c"))],
    )
    await write(index, deletion("a"), deletion("c"))
    await index.compact()
    await index.refresh()
    told = await index.events(), await index.event_history("e"), await index.stored_trends()
    assert [[one.key for one in state.subjects] for state in told[1]] == [["paris"]] * 3
    assert ([one.id for one in told[0]], [one.key for one in told[2]]) == (["e"], ["paris"])
    names = index.address.names
    answer = await index.client.raw.search(index=[names.trends, names.events, names.event_states], size=100)
    documents = [str(hit["_source"]) for hit in answer["hits"]["hits"]]
    assert len(documents) == 1 + 4 + 2
    assert not [one for one in documents if "xplosion" in one]
    await index.compact()
    assert (await index.events(), await index.event_history("e"), await index.stored_trends()) == told
