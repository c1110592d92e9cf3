"""The order of publishing and saving, with a publisher and a keeper that do as the test tells them."""

import asyncio
from collections.abc import Sequence

import pytest
from pipeline_fakes import ListSource, post

from ingest.publisher import OutgoingRecord
from ingest.run import READ_EVENTS, Ingest
from tagstream.errors import Fatal, UnreadableInput
from tagstream.kafka.topics import open_topics
from tagstream.settings import Settings
from tagstream.source import Received


class HeldPublisher:
    """Acknowledges a batch when the test says so."""

    def __init__(self) -> None:
        self.batches: list[tuple[Sequence[OutgoingRecord], asyncio.Future[None]]] = []
        self.failure: asyncio.Future[None]
        self.last_refusal = None
        self.closed = False
        self.grew = asyncio.Event()

    async def open(self) -> None:
        self.failure = asyncio.get_running_loop().create_future()

    async def publish(self, records: Sequence[OutgoingRecord]) -> asyncio.Future[None]:
        published: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.batches.append((records, published))
        self.grew.set()
        return published

    async def has(self, number: int) -> None:
        while len(self.batches) < number:
            self.grew.clear()
            await self.grew.wait()

    async def close(self) -> None:
        self.closed = True


class ListKeeper:
    """Keeps cursors in a list."""

    def __init__(self, cursor: str | None = None) -> None:
        self.saved: list[str] = []
        self.changed = asyncio.Event()
        self.failure: Fatal | None = None
        self._cursor = cursor

    async def claim(self) -> str | None:
        return self._cursor

    async def save(self, cursor: str) -> None:
        if self.failure:
            raise self.failure
        self.saved.append(cursor)
        self.changed.set()

    async def close(self) -> None: ...


class Run:
    """One ingest between the fakes."""

    def __init__(self, source: ListSource, **settings: object) -> None:
        self.source = source
        self.publisher = HeldPublisher()
        self.keeper = ListKeeper()
        configured = Settings.model_validate({"stop_seconds": 0} | settings)
        self.ingest = Ingest(source, configured, open_topics(configured))
        self.ingest._publisher = self.publisher  # type: ignore[assignment]
        self.ingest._keeper = self.keeper  # type: ignore[assignment]
        self.stop = asyncio.Event()

    def start(self) -> "asyncio.Task[object]":
        return asyncio.create_task(self.ingest.run(self.stop, lambda _: None))


def posts(batches: int) -> ListSource:
    return ListSource([post(number) for number in range(batches * READ_EVENTS)])


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_no_cursor_is_saved_before_everything_up_to_it_is_on_the_broker() -> None:
    run = Run(posts(3))
    task = run.start()
    await run.publisher.has(3)
    first, second, third = (published for _, published in run.publisher.batches)
    second.set_result(None)
    third.set_result(None)
    await settle()
    assert run.keeper.saved == []
    first.set_result(None)
    report = await task
    assert run.keeper.saved == [str(3 * READ_EVENTS)]
    assert report.ended  # type: ignore[attr-defined]


async def test_posts_that_come_one_at_a_time_are_published_some_at_a_time() -> None:
    class Trickle(ListSource):
        """One more post can be had every two milliseconds."""

        async def next_batch(self, limit: int) -> Sequence[Received]:
            self.began = getattr(self, "began", None) or asyncio.get_running_loop().time()
            await asyncio.sleep(0.002)
            there = int((asyncio.get_running_loop().time() - self.began) / 0.002)
            return await super().next_batch(min(limit, max(1, there - self.given)))

    run = Run(Trickle([post(number) for number in range(40)]))
    task = run.start()
    published = 0
    while published < 40:
        await run.publisher.has(1)
        for _, answer in run.publisher.batches:
            if not answer.done():
                answer.set_result(None)
        published = sum(len(records) for records, _ in run.publisher.batches)
        await asyncio.sleep(0.001)
    await task
    assert len(run.publisher.batches) < 20


async def test_a_full_window_stops_the_reading() -> None:
    run = Run(posts(50), in_flight_posts=2 * READ_EVENTS)
    task = run.start()
    await run.publisher.has(2)
    await asyncio.sleep(0.1)
    assert len(run.publisher.batches) == 2
    assert run.source.given <= 3 * READ_EVENTS
    run.publisher.batches[0][1].set_result(None)
    await run.publisher.has(3)
    run.stop.set()
    await task


async def test_a_stop_during_an_outage_ends_and_saves_only_what_is_safe() -> None:
    run = Run(posts(3))
    task = run.start()
    await run.publisher.has(3)
    run.publisher.batches[0][1].set_result(None)
    await run.keeper.changed.wait()
    run.stop.set()
    report = await asyncio.wait_for(task, 5)
    assert run.keeper.saved == [str(READ_EVENTS)]
    assert not report.ended  # type: ignore[attr-defined]
    assert report.progress.in_flight == 2 * READ_EVENTS  # type: ignore[attr-defined]
    assert run.publisher.closed
    assert run.source.closed


async def test_a_source_that_fails_is_reported_when_what_it_gave_is_safe() -> None:
    source = posts(1)
    source.failure = UnreadableInput("the disk is gone")
    run = Run(source)
    task = run.start()
    await run.publisher.has(1)
    run.publisher.batches[0][1].set_result(None)
    with pytest.raises(UnreadableInput):
        await task
    assert run.keeper.saved == [str(READ_EVENTS)]


async def test_an_owner_that_was_replaced_stops() -> None:
    run = Run(ListSource([post(1)], live=True))
    run.keeper.failure = Fatal("another one reads it now")
    task = run.start()
    await run.publisher.has(1)
    run.publisher.batches[0][1].set_result(None)
    with pytest.raises(Fatal, match="another one"):
        await asyncio.wait_for(task, 5)


async def test_a_broker_that_refuses_ends_the_run() -> None:
    run = Run(ListSource([post(1)], live=True))
    task = run.start()
    await run.publisher.has(1)
    run.publisher.failure.set_exception(Fatal("refused"))
    with pytest.raises(Fatal, match="refused"):
        await asyncio.wait_for(task, 5)
    assert run.keeper.saved == []


async def test_what_the_source_counted_is_in_the_report() -> None:
    run = Run(posts(1))
    run.source.counted = {"gap": 1}
    task = run.start()
    await run.publisher.has(1)
    run.publisher.batches[0][1].set_result(None)
    report = await task
    assert report.progress.source_counts == {"gap": 1}  # type: ignore[attr-defined]
