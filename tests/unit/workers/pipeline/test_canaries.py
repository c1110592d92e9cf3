"""A defect of ours is told from hostile posts by canaries: in the runner, and in every stage of both shapes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from stage_bench import Bench, failing, until

import search.sqlite.damage
import search.sqlite.writes
from search.index import Indexable
from search.sqlite.index import SqliteIndex
from tagstream import codec
from tagstream.errors import Fatal, ModelUnavailable, UntaggablePost
from tagstream.kafka.topics import open_topics
from tagstream.posts import Deletion, Post, TaggedPost
from tagstream.settings import Settings
from workers.faust import index_step
from workers.faust.deliveries import ConsumedRecord
from workers.faust.records import Indexing, Outgoing
from workers.faust.steps import open_pools, open_steps
from workers.images.step import see
from workers.pipeline import steps as stages
from workers.pipeline.canaries import BELIEVED_FAILURES
from workers.pipeline.canary_posts import canary_answers, canary_posts
from workers.pipeline.counters import Counters
from workers.pipeline.runner import Delivery, Stage, StageLimits, StageRunner
from workers.pipeline.steps import Arrival, PreparedArrival, Tagged
from workers.tagger.interface import PreparedPost
from workers.tagger.stub import StubTagger

CANARY = -1


def broken(*, since: int = 0, **limits: float) -> Bench:
    """A stage with a defect that begins with that value."""
    calls = 0

    async def work(values: Sequence[int]) -> Sequence[str]:
        nonlocal calls
        calls += any(value >= since for value in values)
        if calls:
            raise ZeroDivisionError("a defect")
        return [f"r{value}" for value in values]

    return Bench(work, **limits)


@pytest.mark.parametrize("examined", [False, True])
@pytest.mark.parametrize("batch_count", [1, 8, 64])
async def test_any_number_of_hostile_values_in_a_row_is_no_defect(batch_count: int, examined: bool) -> None:
    bench = Bench(failing(set(range(20, 420)), ZeroDivisionError), batch_count=batch_count)
    bench.check_by(CANARY, examined=examined)
    await bench.run(range(440))
    assert [value for value, _ in bench.dead_lettered] == list(range(20, 420))
    assert bench.acknowledged == list(range(440))
    assert bench.handed_over == [f"dead{value}" if 20 <= value < 420 else f"r{value}" for value in range(440)]
    assert bench.runner.dead_lettered == 400


@pytest.mark.parametrize("examined", [False, True])
@pytest.mark.parametrize("batch_count", [1, 8, 64])
async def test_a_defect_fails_the_canaries_too_and_nothing_is_acknowledged(batch_count: int, examined: bool) -> None:
    bench = broken(batch_count=batch_count)
    bench.check_by(CANARY, examined=examined)
    with pytest.raises(Fatal, match="stage bench fails on posts that are known to be good") as caught:
        await bench.run(range(100))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert bench.dead_lettered == []
    assert bench.acknowledged == []


async def test_a_defect_that_begins_after_a_verdict_dead_letters_few() -> None:
    bench = broken(since=200)
    bench.check_by(CANARY)
    with pytest.raises(Fatal, match="known to be good"):
        await bench.run(range(400))
    assert len(bench.dead_lettered) < BELIEVED_FAILURES
    assert len(bench.acknowledged) < 200 + BELIEVED_FAILURES


async def test_canaries_cost_a_small_share_of_what_the_failures_cost() -> None:
    bench = Bench(failing(set(range(0, 3_000, 2)), ZeroDivisionError), batch_count=64)
    bench.check_by(CANARY)
    began = asyncio.get_running_loop().time()
    await bench.run(range(3_000))
    seconds = asyncio.get_running_loop().time() - began
    assert 1 <= bench.asked <= 1_500 / BELIEVED_FAILURES + seconds + 2
    assert len(bench.acknowledged) == 3_000


async def test_poison_asks_no_canary() -> None:
    bench = Bench(failing(set(range(40)), UntaggablePost))
    bench.check_by(CANARY)
    await bench.run(range(40))
    assert bench.asked == 0
    assert len(bench.dead_lettered) == 40


async def test_without_canaries_an_unexpected_error_is_the_value_s_own() -> None:
    bench = Bench(failing(set(range(100)), ZeroDivisionError))
    await bench.run(range(100))
    assert len(bench.dead_lettered) == 100


async def test_a_canary_waits_for_an_outage_and_accuses_nobody_for_it() -> None:
    down = True

    async def work(values: Sequence[int]) -> Sequence[str]:
        if CANARY in values and down:
            raise ModelUnavailable("down")
        return await failing({3}, ZeroDivisionError)(values)

    bench = Bench(work)
    bench.check_by(CANARY)
    running = asyncio.create_task(bench.run(range(8)))
    await until(lambda: bench.gate.retries >= 5)
    assert bench.dead_lettered == []
    down = False
    await running
    assert [value for value, _ in bench.dead_lettered] == [3]


async def test_the_poison_of_a_batch_is_found_at_once_where_that_is_cheap() -> None:
    bench = Bench(failing({5, 17, 60}, ZeroDivisionError), batch_count=64)
    bench.check_by(CANARY, examined=True)
    await bench.run(range(64))
    assert [value for value, _ in bench.dead_lettered] == [5, 17, 60]
    assert len(bench.calls) == 2


async def test_where_many_are_poison_they_are_tried_few_at_a_time() -> None:
    bench = Bench(failing(set(range(0, 6_400, 2)), ZeroDivisionError), batch_count=64)
    bench.check_by(CANARY)
    await bench.run(range(6_400))
    calls = len(bench.calls) - bench.asked
    assert calls < 1.15 * (6_400 + 100)  # splitting by halves would take nearly twice as many


# --- every stage of both shapes ------------------------------------------------------------------------------------

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
HOSTILE = "hostile"


class Defect:
    """Makes a function fail: on every post, or on hostile ones alone."""

    def __init__(self, *, everywhere: bool) -> None:
        self.everywhere = everywhere

    def check(self, text: str) -> None:
        if self.everywhere or HOSTILE in text:
            raise ZeroDivisionError("a defect of a test")


class Tagger(StubTagger):
    def __init__(self, preparing: Defect | None = None, tagging: Defect | None = None) -> None:
        super().__init__()
        self._preparing, self._tagging = preparing, tagging

    def prepare(self, posts: Sequence[Post], contexts: Any = None) -> list[PreparedPost]:
        for post in posts:
            if self._preparing is not None:
                self._preparing.check(post.text)
        return super().prepare(posts, contexts)

    def tag(self, prepared: Sequence[PreparedPost]) -> list[TaggedPost]:
        for one in prepared:
            if self._tagging is not None:
                self._tagging.check(one.post.text)
        return super().tag(prepared)


def arrivals(number: int) -> list[Arrival]:
    """As many posts, every second of them hostile."""
    texts = [f"{HOSTILE if place % 2 else 'Paris'} {place}" for place in range(number)]
    posts = [Post(id=f"a:{place}", source="a", created_at=NOON, text=text) for place, text in enumerate(texts)]
    return [Arrival(post, f"f:{place}", str(place), NOON) for place, post in enumerate(posts)]


def tagged(number: int) -> list[Tagged]:
    tagger = StubTagger()
    answers = tagger.tag(tagger.prepare([one.event for one in arrivals(number) if isinstance(one.event, Post)]))
    pairs = zip(arrivals(number), answers, strict=True)
    return [Tagged(arrival, Indexable(answer, NOON)) for arrival, answer in pairs]


def indexing(number: int) -> list[Indexing]:
    records = (ConsumedRecord("t", 0, offset, b"k", b"v", {}, 0) for offset in range(number))
    return [Indexing(record, value.change) for record, value in zip(records, tagged(number), strict=True)]


Made = tuple[Stage[Any, Any], list[Any]]


def of_prepare(defect: Defect, *_: Any) -> Made:
    return stages.prepare(Tagger(preparing=defect), ThreadPoolExecutor(1), LIMITS), arrivals(200)


def of_tag(defect: Defect, *_: Any) -> Made:
    prepared = StubTagger().prepare([one.event for one in arrivals(200) if isinstance(one.event, Post)])
    values = [PreparedArrival(arrival, one) for arrival, one in zip(arrivals(200), prepared, strict=True)]
    return stages.tag(Tagger(tagging=defect), ThreadPoolExecutor(1), LIMITS), values


def of_local_index(defect: Defect, index: SqliteIndex, patch: pytest.MonkeyPatch) -> Made:
    writing = search.sqlite.writes.post_json
    patch.setattr(search.sqlite.writes, "post_json", lambda post: (defect.check(post.text), writing(post))[1])
    return (
        stages.index(
            lambda values: index.write([value.change for value in values]),
            lambda values: index.rehearse([value.change for value in values]),
            LIMITS,
        ),
        tagged(200),
    )


async def _published(_: Sequence[Outgoing]) -> None: ...


def of_publish(defect: Defect, index: SqliteIndex, patch: pytest.MonkeyPatch) -> Made:
    def encode(post: Any) -> bytes:
        defect.check(getattr(post, "text", ""))
        return b"{}"

    patch.setattr(codec, "encode_json", encode)
    settings = Settings()
    steps = open_steps(settings, None, StubTagger(), index, _published, TOPICS, open_pools(settings))
    return steps.publish, tagged(200)


def of_faust_index(defect: Defect, index: SqliteIndex, patch: pytest.MonkeyPatch) -> Made:
    writing = search.sqlite.writes.post_json
    patch.setattr(search.sqlite.writes, "post_json", lambda post: (defect.check(post.text), writing(post))[1])
    values = [
        Indexing(ConsumedRecord("t", 0, place, b"k", b"v", {}, 0), one.change) for place, one in enumerate(tagged(200))
    ]
    return index_step.index(index, _published, TOPICS, Counters(), LIMITS), values


LIMITS = StageLimits(batch_count=64)
TOPICS = open_topics(Settings(topic_prefix="unit."))
STAGES: list[Callable[..., Made]] = [
    of_prepare,
    of_tag,
    of_local_index,
    of_publish,
    of_faust_index,
]


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[SqliteIndex]:
    index = await SqliteIndex.open(tmp_path / "index.db")
    yield index
    await index.close()


async def through(stage: Stage[Any, Any], values: Sequence[Any], acknowledged: list[int]) -> int:
    """How many of the values were dead-lettered; which were acknowledged is appended."""

    async def deliveries() -> AsyncIterator[list[Delivery[Any]]]:
        yield [Delivery(value, lambda at=at: acknowledged.append(at)) for at, value in enumerate(values)]

    async def to(done: Sequence[Delivery[Any]]) -> None:
        for one in done:
            one.acknowledge()

    runner = StageRunner(stage)
    async with asyncio.timeout(30):
        await runner.run(deliveries(), to)
    return runner.dead_lettered


@pytest.mark.parametrize("made", STAGES, ids=lambda made: made.__name__[3:])
async def test_hostile_posts_cost_their_own_dead_letter(
    made: Callable[..., Made], index: SqliteIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, values = made(Defect(everywhere=False), index, monkeypatch)
    acknowledged: list[int] = []
    assert await through(stage, values, acknowledged) == 100
    assert acknowledged == list(range(200))


@pytest.mark.parametrize("made", [of_prepare, of_tag], ids=["prepare", "tag"])
async def test_a_deletion_beside_a_hostile_post_goes_on(
    made: Callable[..., Made], index: SqliteIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, values = made(Defect(everywhere=False), index, monkeypatch)
    deletions = [Arrival(Deletion(id=f"a:{at}", source="a"), f"d:{at}", str(at), NOON) for at in range(100)]
    beside = deletions if made is of_prepare else [PreparedArrival(deletion, None) for deletion in deletions]
    mixed = [value for pair in zip(values, beside, strict=False) for value in pair]
    acknowledged: list[int] = []
    assert await through(stage, mixed, acknowledged) == 50
    assert acknowledged == list(range(200))


@pytest.mark.parametrize("made", STAGES, ids=lambda made: made.__name__[3:])
async def test_a_defect_stops_and_acknowledges_nothing(
    made: Callable[..., Made], index: SqliteIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, values = made(Defect(everywhere=True), index, monkeypatch)
    acknowledged: list[int] = []
    with pytest.raises(Fatal, match="known to be good"):
        await through(stage, values, acknowledged)
    assert acknowledged == []


async def test_hostile_posts_have_the_file_looked_through_once(
    index: SqliteIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look takes seconds where an index is large, and the feed waits for it."""
    looks: list[float] = []

    def look(path: Path, seconds: float) -> None:
        assert path == index.path
        looks.append(seconds)

    monkeypatch.setattr(search.sqlite.damage, "damage", look)
    stage, values = of_local_index(Defect(everywhere=False), index, monkeypatch)
    assert await through(stage, values, []) == 100
    assert looks == [search.sqlite.damage.WRITER_LOOK_SECONDS]
    assert looks[0] <= 2


async def test_canaries_leave_nothing_in_the_index(index: SqliteIndex) -> None:
    assert await index.rehearse([Indexable(post, NOON) for post in canary_answers()]) == {}
    assert [post async for post in index.documents()] == []
    assert index._writing.execute("SELECT count(*) FROM registry").fetchone() == (0,)


def test_canaries_differ_each_time_and_are_posts_that_every_model_reads() -> None:
    first, second = canary_posts(), canary_posts()
    assert not {post.text for post in first} & {post.text for post in second}
    assert all({"en", "und"} <= set(post.langs) for post in first)
    assert first[1].hashtags != second[1].hashtags


async def test_the_image_stage_has_no_canary_because_it_loses_nothing() -> None:
    stage = see(lambda thumbnails: [()] * len(thumbnails), ThreadPoolExecutor(2), LIMITS)
    assert stage.check is None
    arrival = arrivals(1)[0]
    assert (await stage.dead_letter(arrival, ZeroDivisionError())).event == arrival.event
