"""Thumbnails over the two hops of a worker: stored before their post is published, and gone with what becomes of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from search.index import Change, Indexable, SourceCursor, WriteReport
from search.sqlite.index import SqliteIndex
from search.thumbnails import thumbnails_of
from tagstream import codec
from tagstream.errors import BrokerUnavailable, IndexUnavailable, RejectedDocument
from tagstream.kafka import topics
from tagstream.posts import Deletion, Event, Media, Post, TaggedPost
from tagstream.runtime.backoff import BackOff
from tagstream.runtime.metrics import EventOutcome
from tagstream.settings import Settings
from workers.faust.deliveries import ConsumedRecord
from workers.faust.records import Outgoing, read_posts, read_tagged
from workers.faust.steps import WorkerStages, open_pools, open_steps
from workers.pipeline.retry import RetryGate
from workers.pipeline.runner import Delivery, Stage, StageRunner
from workers.tagger.stub import StubTagger

SETTINGS = Settings()
NAMES = topics.open_topics(SETTINGS)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
A, B = "a" * 64, "b" * 64


def post(name: str, *photos: str, revision: int = 0, text: str = "Berlin") -> Post:
    media = tuple(Media(sha256=photo, thumbnail=b"\xff\xd8" + photo.encode()) for photo in photos)
    return Post(id=f"jsonl:{name}", source="jsonl", created_at=NOON, revision=revision, text=text, media=media)


class Broker:
    """Two topics in lists; what it is told to refuse or not to answer it does not take."""

    def __init__(self) -> None:
        self.tagged: list[ConsumedRecord] = []
        self.dead: list[ConsumedRecord] = []
        self.refused: set[bytes] = set()
        self.away = 0

    async def __call__(self, records: Sequence[Outgoing]) -> None:
        if self.away:
            self.away -= 1
            raise BrokerUnavailable("away")
        if any(one.topic == NAMES.tagged.name and one.key in self.refused for one in records):
            raise RejectedDocument("no record of that size")
        for one in records:
            kept = self.tagged if one.topic == NAMES.tagged.name else self.dead
            kept.append(ConsumedRecord(one.topic, 0, len(kept), one.key, one.value, dict(one.headers), 0))


class Faulty(SqliteIndex):
    """A real index that is away for so many calls, refuses some posts, and says when it keeps thumbnails."""

    away = 0
    refused: frozenset[str] = frozenset()
    refused_thumbnails = 0
    on_keep: Callable[[], None] | None = None

    async def keep_thumbnails(self, posts: Sequence[Indexable]) -> int:
        if self.away:
            self.away -= 1
            raise IndexUnavailable("away")
        if self.on_keep is not None:
            self.on_keep()
        return await super().keep_thumbnails(posts) + self.refused_thumbnails

    async def write(self, changes: Sequence[Change], cursor: SourceCursor | None = None) -> WriteReport:
        if any(isinstance(one, Indexable) and one.post.id in self.refused for one in changes):
            raise RejectedDocument("no such document")
        return await super().write(changes, cursor)


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[Faulty]:
    index = await Faulty.open(tmp_path / "index.db")
    yield index
    await index.close()


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def steps(index: Faulty, broker: Broker) -> AsyncIterator[WorkerStages]:
    pools = open_pools(SETTINGS)
    yield open_steps(SETTINGS, None, StubTagger(), index, broker, NAMES, pools)
    pools.shutdown()


async def through(values: Sequence[object], *stages: Stage) -> int:  # type: ignore[type-arg]
    """Runs values through stages, one after the other; returns how many were acknowledged."""
    acknowledged = 0

    def acknowledge() -> None:
        nonlocal acknowledged
        acknowledged += 1

    for stage in stages:
        results: list[object] = []

        async def given(batch: Sequence[object] = tuple(values)) -> AsyncIterator[Sequence[Delivery[object]]]:
            yield [Delivery(one, acknowledge) for one in batch]

        async def take(deliveries: Sequence[Delivery[object]], into: list[object] = results) -> None:
            into += [one.value for one in deliveries]
            if stage is stages[-1]:  # noqa: B023 - called within its turn
                for one in deliveries:
                    one.acknowledge()

        async with asyncio.timeout(20):
            await StageRunner(stage, gate=RetryGate(BackOff(0.001, 0.002))).run(given(), take)
        values = results
    return acknowledged


async def tag(steps: WorkerStages, *events: Event) -> int:
    records = [
        ConsumedRecord(NAMES.posts.name, 0, at, topics.key_of(one), codec.encode(one), dict(topics.headers(NOON)), 0)  # type: ignore[arg-type]
        for at, one in enumerate(events)
    ]
    return await through(read_posts(records), steps.prepare, steps.tag, steps.publish)


async def write(steps: WorkerStages, broker: Broker, start: int = 0) -> int:
    return await through(read_tagged(broker.tagged[start:]), steps.index)


async def kept(index: Faulty) -> set[tuple[str, str]]:
    return set(index._writing.execute("SELECT substr(id, 7), sha256 FROM thumbnails").fetchall())


async def test_a_thumbnail_is_stored_and_its_post_travels_without_it(
    steps: WorkerStages, index: Faulty, broker: Broker
) -> None:
    assert await tag(steps, post("1", A), post("2"), Deletion(id="jsonl:3", source="jsonl")) == 3
    assert await kept(index) == {("1", A)}
    assert not any(b'thumbnail":"' in (one.value or b"") for one in broker.tagged)
    assert await index.thumbnail("jsonl:1", 0) is None
    await write(steps, broker)
    assert await index.thumbnail("jsonl:1", 0) == b"\xff\xd8" + A.encode()


async def test_nothing_is_published_before_its_thumbnail_is_stored(
    steps: WorkerStages, index: Faulty, broker: Broker
) -> None:
    index.away = 5
    published_before: list[int] = []
    index.on_keep = lambda: published_before.append(len(broker.tagged))
    assert await tag(steps, post("1", A), post("2", B)) == 2
    assert (published_before, index.away, len(broker.tagged), broker.dead) == ([0], 0, 2, [])
    assert steps.tag_counters[EventOutcome.UNEXPECTED] == steps.tag_counters[EventOutcome.REJECTED] == 0


async def test_a_broker_that_is_away_leaves_them_until_it_comes_back(
    steps: WorkerStages, index: Faulty, broker: Broker
) -> None:
    broker.away = 4
    assert await tag(steps, post("1", A)) == 1
    await write(steps, broker)
    assert await kept(index) == {("1", A)}


async def test_one_whose_post_cannot_be_published_does_not_stay(
    steps: WorkerStages, index: Faulty, broker: Broker
) -> None:
    broker.refused = {b"jsonl:2"}
    assert await tag(steps, *(post(str(number), A) for number in range(1, 4))) == 3
    assert await kept(index) == {("1", A), ("3", A)}
    assert [codec.decode(one.value or b"").post_id for one in broker.dead] == ["jsonl:2"]  # type: ignore[union-attr]


async def test_nor_one_whose_tagged_post_is_too_large(
    steps: WorkerStages, index: Faulty, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(codec.MAX_BYTES, "tagged", 2000)
    await tag(steps, post("1", A, text="Berlin " * 400), post("2", B))
    assert await kept(index) == {("2", B)}
    assert len(broker.dead) == 1


async def test_nor_one_whose_post_the_index_refuses(steps: WorkerStages, index: Faulty, broker: Broker) -> None:
    index.refused = frozenset({"jsonl:2"})
    await tag(steps, post("1", A), post("2", A))
    await write(steps, broker)
    assert await kept(index) == {("1", A)}
    assert steps.index_counters[EventOutcome.REJECTED] == 1


async def test_a_thumbnail_that_the_store_refuses_is_counted_and_stops_nothing(
    steps: WorkerStages, index: Faulty, broker: Broker
) -> None:
    index.refused_thumbnails = 2
    await tag(steps, post("1", A, B))
    assert (len(broker.tagged), steps.tag_counters[EventOutcome.THUMBNAIL_REFUSED]) == (1, 2)


@pytest.mark.parametrize("killed_after", ["thumbnail", "publish", "index"])
async def test_a_kill_between_any_two_effects_is_healed_by_the_replay(
    steps: WorkerStages, index: Faulty, broker: Broker, killed_after: str
) -> None:
    """The post, its edit and its deletion were done with; the first hop had not committed the post, and begins anew."""
    events: list[Event] = [post("1", A), post("1", B, revision=1), Deletion(id="jsonl:1", source="jsonl")]
    await tag(steps, *events)
    await write(steps, broker)
    assert await kept(index) == set()
    again = len(broker.tagged)
    if killed_after == "thumbnail":
        [arrival] = read_posts(
            [ConsumedRecord("posts", 0, 0, b"", codec.encode(events[0]), dict(topics.headers(NOON)), 0)]
        )  # type: ignore[arg-type]
        assert isinstance(arrival.event, Post)
        await index.keep_thumbnails([_indexable(arrival.event)])
        assert await kept(index) == {("1", A)}, "the fault must have left it"
    elif killed_after == "publish":
        await tag(steps, events[0])
    else:
        await tag(steps, events[0])
        await write(steps, broker, again)
    await tag(steps, *events)
    await write(steps, broker, again)
    assert await kept(index) == set()


def _indexable(event: Post) -> Indexable:
    fields = {name: getattr(event, name) for name in ("id", "source", "created_at", "revision", "text")}
    media = tuple(one.without_bytes() for one in event.media)
    return Indexable(TaggedPost(**fields, media=media, model="m@1", generation=1), NOON, 0, thumbnails_of(event))
