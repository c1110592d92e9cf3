"""The fate of each record, with a producer whose futures the test settles; and who may save a cursor."""

import asyncio
from typing import Any

import pytest
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumberError,
    ProducerFencedError,
)
from kafka.future import Future

import ingest.publisher
from ingest.cursors import CursorKeeper, Superseded, _SavedCursor
from ingest.publisher import EventPublisher, OutgoingRecord
from tagstream.errors import Fatal
from tagstream.kafka.topics import open_topics
from tagstream.runtime.backoff import BackOff
from tagstream.settings import Settings

SETTINGS = Settings()
TOPICS = open_topics(SETTINGS)


class HeldProducer:
    """Keeps what it is given, and may refuse at once what it is given next."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Future]] = []
        self.refuses: list[KafkaError] = []
        self.grew = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def send(self, _topic: str, *, key: bytes, **_given: object) -> Future:
        if self.refuses:
            raise self.refuses.pop()
        future = Future()
        self.sent.append((key, future))
        self._loop.call_soon_threadsafe(self.grew.set)
        return future

    def keys(self) -> list[bytes]:
        return [key for key, _ in self.sent]


@pytest.fixture
async def publisher(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(ingest.publisher, "BACK_OFF", BackOff(0.001, 0.001))
    monkeypatch.setattr(ingest.publisher, "close_producer", lambda _: None)
    producer = HeldProducer()
    monkeypatch.setattr(EventPublisher, "_open", lambda _: producer)
    opened = EventPublisher(SETTINGS, TOPICS)
    await opened.open()
    opened.producer = producer  # type: ignore[attr-defined]
    yield opened
    await opened.close()


def batch(*keys: str) -> list[OutgoingRecord]:
    return [OutgoingRecord(TOPICS.posts.name, key.encode(), b"value", []) for key in keys]


async def sent(publisher: Any, number: int) -> None:
    async with asyncio.timeout(5):
        while len(publisher.producer.sent) < number:
            publisher.producer.grew.clear()
            await publisher.producer.grew.wait()


async def test_a_batch_is_published_when_its_last_record_is_acknowledged(publisher: Any) -> None:
    published = await publisher.publish(batch("a", "b"))
    (_, first), (_, second) = publisher.producer.sent
    second.success(None)
    await asyncio.sleep(0.01)
    assert not published.done()
    first.success(None)
    await asyncio.wait_for(published, 5)


@pytest.mark.parametrize("error", [KafkaTimeoutError("expired"), OutOfOrderSequenceNumberError("a new epoch")])
async def test_what_fails_in_an_outage_is_published_again(publisher: Any, error: KafkaError) -> None:
    published = await publisher.publish(batch("a", "b"))
    (_, first), (_, second) = publisher.producer.sent
    first.success(None)
    second.failure(error)
    await sent(publisher, 3)
    assert publisher.producer.keys() == [b"a", b"b", b"b"]
    assert "Kafka" in publisher.last_refusal
    assert not published.done()
    publisher.producer.sent[2][1].success(None)
    await asyncio.wait_for(published, 5)
    assert publisher.last_refusal is None
    assert not publisher.failure.done()


async def test_what_is_not_even_taken_is_given_again(publisher: Any) -> None:
    publisher.producer.refuses = [KafkaTimeoutError("no metadata")] * 3
    published = await publisher.publish(batch("a", "b"))
    await sent(publisher, 2)
    for _, future in publisher.producer.sent:
        future.success(None)
    await asyncio.wait_for(published, 5)


async def test_a_producer_that_stands_still_is_replaced_and_counts_nothing_twice(
    publisher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = await publisher.publish(batch("a", "b"))
    first = publisher.producer
    second = HeldProducer()
    monkeypatch.setattr(EventPublisher, "_open", lambda _: second)
    await publisher._replace()
    publisher.producer = second
    await sent(publisher, 2)
    for _, future in first.sent:  # the old one wakes up, or is closed: either way nobody listens
        future.success(None)
    second.sent[0][1].success(None)
    await asyncio.sleep(0.02)
    assert not published.done()
    second.sent[1][1].success(None)
    await asyncio.wait_for(published, 5)
    assert second.keys() == [b"a", b"b"]


async def test_a_stall_is_noticed(publisher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced = asyncio.Event()
    monkeypatch.setattr(ingest.publisher, "_STALLED_SECONDS", 0.01)

    async def replace(_: EventPublisher) -> None:
        replaced.set()

    monkeypatch.setattr(EventPublisher, "_replace", replace)
    watching = asyncio.create_task(publisher._watch())
    await asyncio.sleep(0.05)
    assert not replaced.is_set(), "there is nothing to wait for"
    await publisher.publish(batch("a"))
    await asyncio.wait_for(replaced.wait(), 5)
    watching.cancel()


async def test_a_refusal_ends_it_and_accuses_nobody(publisher: Any) -> None:
    """The library fails whatever is in flight with the error of one record."""
    published = await publisher.publish(batch("a", "b"))
    for _, future in publisher.producer.sent:
        future.failure(MessageSizeTooLargeError("too large"))
    with pytest.raises(Fatal, match=r"max\.message\.bytes"):
        await asyncio.wait_for(publisher.failure, 5)
    assert not published.done()


class Names:
    """The name of a source on a broker: its newest record, and how often saving is refused."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, newest: _SavedCursor | None) -> None:
        self.newest = newest
        self.refusals = 0
        self.saved: list[str | None] = []
        monkeypatch.setattr("ingest.cursors.BACK_OFF", BackOff(0.001, 0.001))
        monkeypatch.setattr(CursorKeeper, "_fence", lambda keeper: setattr(keeper, "_producer", object()))
        monkeypatch.setattr(CursorKeeper, "_drop_producer", lambda keeper: setattr(keeper, "_producer", None))
        monkeypatch.setattr(CursorKeeper, "_newest", lambda _: self.newest)
        monkeypatch.setattr(CursorKeeper, "_write", lambda _, place: self._write(place))

    def _write(self, place: _SavedCursor) -> None:
        if self.refusals:
            self.refusals -= 1
            raise ProducerFencedError("fenced")
        self.newest = place
        self.saved.append(place.cursor)


async def test_an_owner_that_was_refused_goes_on_if_it_is_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch, _SavedCursor("7", "somebody before"))
    keeper = CursorKeeper(SETTINGS, TOPICS, "feed")
    assert await keeper.claim() == "7"
    names.refusals = 2
    await asyncio.wait_for(keeper.save("8"), 5)
    assert names.saved == ["7", "8"]


async def test_an_owner_that_was_replaced_saves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch, None)
    keeper = CursorKeeper(SETTINGS, TOPICS, "feed")
    assert await keeper.claim() is None
    names.newest = _SavedCursor("9", "somebody after")
    names.refusals = 1
    with pytest.raises(Superseded, match="feed"):
        await asyncio.wait_for(keeper.save("8"), 5)
    assert names.saved == [None]


async def test_of_two_that_start_at_once_one_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch, None)
    names.refusals = 1
    with pytest.raises(Superseded):
        await asyncio.wait_for(CursorKeeper(SETTINGS, TOPICS, "feed").claim(), 5)
