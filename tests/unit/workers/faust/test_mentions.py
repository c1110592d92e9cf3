"""Mentions on the broker: which go out, to which partition, and what a restart makes of them."""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mention_feeds import MINUTE, START, mentions

from search.detection.event_timeline import EventTimeline
from search.detection.mention_feed import MentionFeed
from search.detection.trend_partition import partition_of
from search.events.clock import VOTERS
from search.events.subjects import mentions_of
from search.index import Change, Indexable, WriteReport
from tagstream.detections import DeletedPost, MentionBatch, MinuteOfTrends, PostMentions
from tagstream.errors import BrokerUnavailable, NewerVersion, RejectedDocument
from tagstream.kafka.topics import open_topics
from tagstream.posts import Author, Deletion, Entity, TaggedPost
from tagstream.runtime.metrics import EventOutcome
from tagstream.settings import Settings
from workers.faust import index_step, mention_step
from workers.faust.deliveries import ConsumedRecord
from workers.faust.detector_states import CHUNK_BYTES, OwnSlots, SavedState, newest_states
from workers.faust.index_step import Indexed
from workers.faust.mention_step import MentionPublisher
from workers.faust.mentions import mention_records, read_mentions, read_trends, trend_records
from workers.faust.records import Indexing, Outgoing, dead_letter_of_record
from workers.pipeline.counters import Counters
from workers.pipeline.runner import Delivery, StageLimits, StageRunner, acknowledge

NAMES = open_topics(Settings())
SEEN = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
RECORD = ConsumedRecord("posts.tagged", 0, 0, b"jsonl:a", b"{}", {}, 0)


def post(names: Sequence[tuple[str, Any]], created_at: datetime = SEEN, **fields: Any) -> Indexable:
    text = " ".join(name for name, _ in names)
    entities, start = [], 0
    for name, type_ in names:
        end = start + len(name)
        entities.append(Entity(text=name, type=type_, start=start, end=end, score=1.0, key=name.casefold()))
        start = end + 1
    fields = {"id": "jsonl:a", "author": Author(id="x")} | fields
    tagged = TaggedPost(
        source="jsonl", created_at=created_at, text=text, entities=tuple(entities), model="m@1", generation=1, **fields
    )
    return Indexable(tagged, SEEN)


class Index:
    """Knows which posts are news; refuses those that it is told to."""

    def __init__(self, news: set[tuple[str, int]], poison: str = "") -> None:
        self._news = news
        self._poison = poison
        self.written: list[Change] = []

    async def write(self, changes: Sequence[Change], _: object = None) -> WriteReport:
        for change in changes:
            if isinstance(change, Indexable) and change.post.id == self._poison:
                raise RejectedDocument("no")
        self.written += changes
        return WriteReport(stored=len(changes), new_revisions=frozenset(self._news))

    async def rehearse(self, _: Sequence[Change]) -> dict[int, Exception]:
        return {}


class Broker:
    """Takes records, or is away; gives back what was saved."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.away_for = 0
        self.topics = NAMES

    async def publish(self, records: Sequence[Outgoing]) -> None:
        if self.away_for:
            self.away_for -= 1
            raise BrokerUnavailable("away, says a test")
        self.sent += records

    async def load(self, name: str) -> SavedState | None:
        return newest_states((one.key, one.value) for one in self.saved()).get(name)

    def saved(self) -> list[Outgoing]:
        return [one for one in self.sent if one.topic == NAMES.detectors.name]

    def batches(self) -> list[tuple[int | None, MentionBatch]]:
        mine = [one for one in self.sent if one.topic == NAMES.mentions.name]
        return [(one.partition, MentionBatch.model_validate_json(one.value)) for one in mine]

    def mentioned(self) -> list[str]:
        return list(dict.fromkeys(one.post_id for _, batch in self.batches() for one in batch.posts))


def publisher(broker: Broker) -> MentionPublisher:
    states: Any = broker
    return MentionPublisher(broker.publish, NAMES, states, lambda: 1, ThreadPoolExecutor(1))


def indexed(offset: int, minute: datetime, partition: int = 0) -> Indexed:
    told = post([("Berlin", "LOC")], minute, id=f"jsonl:{offset}", author=Author(id=f"a{offset}"))
    return Indexed(partition, offset, told, 0)


def stage(index: Any, sent: list[Outgoing]) -> tuple[Any, Counters]:
    counters = Counters()

    async def publish(records: Sequence[Outgoing]) -> None:
        sent.extend(records)

    return index_step.index(index, publish, NAMES, counters, StageLimits()), counters


async def test_only_news_is_mentioned_and_once_in_a_batch() -> None:
    made, counters = stage(Index({("jsonl:a", 2)}), [])
    old, new = post([("Berlin", "LOC")], revision=1), post([("Paris", "LOC")], revision=2)
    answers = await made.work([Indexing(RECORD, one) for one in (old, new, new)])
    assert [answer.told for answer in answers] == [None, new, None]
    assert counters[EventOutcome.STORED] == 3


async def test_a_deletion_is_told() -> None:
    made, _ = stage(Index(set()), [])
    deletion = Deletion(id="jsonl:a", source="jsonl")
    assert [answer.told for answer in await made.work([Indexing(RECORD, deletion)])] == [deletion]


async def test_dead_letters_go_to_their_topic_and_not_into_the_index() -> None:
    sent: list[Outgoing] = []
    index = Index(set())
    made, counters = stage(index, sent)
    letters = [dead_letter_of_record(RECORD, cause, "") for cause in (EventOutcome.MALFORMED, EventOutcome.EMPTY)]
    await made.work([Indexing(RECORD, letter) for letter in letters])
    assert index.written == []
    assert [one.topic for one in sent] == ["posts.dead"]
    assert (counters[EventOutcome.MALFORMED], counters[EventOutcome.EMPTY]) == (1, 1)


async def test_a_post_that_the_index_refuses_is_kept_with_its_record() -> None:
    sent: list[Outgoing] = []
    made, counters = stage(Index(set(), "jsonl:a"), sent)
    answer = await made.dead_letter(Indexing(RECORD, post([("Berlin", "LOC")])), RejectedDocument("too odd"))
    assert answer.told is None
    assert [(one.topic, one.key) for one in sent] == [("posts.dead", b"posts.tagged-0-0")]
    assert counters[EventOutcome.REJECTED] == 1


async def test_a_post_goes_to_the_partitions_of_its_subjects_and_the_watermark_to_all() -> None:
    broker = Broker()
    await publisher(broker).stage(StageLimits()).work([indexed(offset, START) for offset in range(3)])
    partitions = NAMES.mentions.partitions
    with_posts = {partition for partition, batch in broker.batches() if batch.posts}
    assert partition_of("berlin", partitions) in with_posts
    assert len(with_posts) < partitions
    assert {partition for partition, batch in broker.batches() if batch.watermark == START} == set(range(partitions))


async def test_after_a_restart_nothing_is_judged_anew() -> None:
    """A post that was in time stays so when it is read again, and one that was late stays late."""
    values = [indexed(offset, START) for offset in range(VOTERS)]
    values += [indexed(VOTERS + offset, START + 9 * MINUTE) for offset in range(VOTERS)]
    late, rest = indexed(2 * VOTERS, START + MINUTE), indexed(2 * VOTERS + 1, START + 9 * MINUTE)
    whole = Broker()
    await publisher(whole).stage(StageLimits()).work([*values, late, rest])

    broken = Broker()
    first = publisher(broken).stage(StageLimits())
    await first.work(values)
    # Killed before it acknowledged anything: another one reads all of it again.
    second = publisher(broken)
    await second.stage(StageLimits()).work([*values, late, rest])
    assert second.late == 1
    assert broken.mentioned() == whole.mentioned()
    assert f"jsonl:{2 * VOTERS}" not in broken.mentioned()
    assert len(broken.batches()) - len(whole.batches()) <= NAMES.mentions.partitions


async def test_a_clock_that_did_not_move_is_not_saved_again() -> None:
    broker = Broker()
    made = publisher(broker).stage(StageLimits())
    nothing = Indexed(0, 0, None, 0)
    await made.work([nothing])
    assert broker.saved() == []
    await made.work([indexed(1, START)])
    await made.work([indexed(1, START), Indexed(0, 2, None, 0)])
    await made.work([Indexed(0, 3, Deletion(id="jsonl:1", source="jsonl"), 0)])
    assert len(broker.saved()) == 1
    await publisher(broker).stage(StageLimits()).work([indexed(4, START)])
    assert len({one.key for one in broker.saved()}) == 2


async def test_a_post_whose_subjects_cannot_be_read_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails_on_one(post: TaggedPost, observed_at: datetime) -> PostMentions:
        if post.id == "jsonl:1":
            raise RuntimeError("a defect, says a test")
        return mentions_of(post, observed_at)

    monkeypatch.setattr(mention_step, "mentions_of", fails_on_one)
    broker = Broker()
    made = publisher(broker)
    values = [indexed(offset, START) for offset in range(3)]
    await made.stage(StageLimits()).work([*values, *(indexed(3 + one, START + 9 * MINUTE) for one in range(3))])
    assert made.failed == 1
    assert "jsonl:1" not in broker.mentioned()
    assert {"jsonl:0", "jsonl:2"} <= set(broker.mentioned())


@pytest.mark.parametrize("broken", ["feed", "records", "broker"])
async def test_a_post_of_which_no_mentions_can_be_made_is_passed_over_and_judges_no_other(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class BreakingFeed(MentionFeed):
        def take(self, items: Iterable[PostMentions | str]) -> MentionBatch:
            batch = super().take(items)
            if any(one.post_id == "jsonl:5" for one in batch.posts):
                raise ZeroDivisionError("a defect, says a test")
            return batch

    def breaking_records(batch: MentionBatch, names: Any, *, to_all: bool) -> list[Outgoing]:
        if any(one.post_id == "jsonl:5" for one in batch.posts):
            raise ZeroDivisionError("a defect, says a test")
        return mention_records(batch, names, to_all=to_all)

    class BreakingBroker(Broker):
        async def publish(self, records: Sequence[Outgoing]) -> None:
            if any(b'"jsonl:5"' in one.value for one in records):
                raise RejectedDocument("too large, says a test")
            await super().publish(records)

    values = [indexed(offset, START) for offset in range(VOTERS)]
    values += [indexed(VOTERS + offset, START + 9 * MINUTE) for offset in range(VOTERS)]
    late = indexed(2 * VOTERS, START + MINUTE)
    whole = Broker()
    made = publisher(whole).stage(StageLimits())
    for value in (*values[:5], *values[6:], late):
        await made.work([value])

    if broken == "feed":
        monkeypatch.setattr(mention_step, "MentionFeed", BreakingFeed)
    if broken == "records":
        monkeypatch.setattr(mention_step, "mention_records", breaking_records)
    broker, told = BreakingBroker() if broken == "broker" else Broker(), []
    states: Any = broker
    passing = MentionPublisher(broker.publish, NAMES, states, lambda: 1, ThreadPoolExecutor(1), told.append)
    runner = StageRunner(passing.stage(StageLimits(batch_count=len(values))))
    acknowledged: list[int] = []

    async def deliveries() -> AsyncIterator[Sequence[Delivery[Indexed]]]:
        for group in (values, [late]):
            yield [Delivery(one, lambda at=one.offset: acknowledged.append(at)) for one in group]  # type: ignore[misc]

    await runner.run(deliveries(), acknowledge)
    assert acknowledged == list(range(2 * VOTERS + 1))
    assert (passing.failed, len(told)) == (1, 1)
    assert broker.mentioned() == whole.mentioned()
    newest = {partition: batch.watermark for partition, batch in broker.batches()}
    assert newest == {partition: batch.watermark for partition, batch in whole.batches()}


async def test_what_the_broker_did_not_take_is_published_by_the_next_attempt() -> None:
    broker = Broker()
    broker.away_for = 1
    made = publisher(broker).stage(StageLimits())
    values = [indexed(offset, START) for offset in range(3)]
    with pytest.raises(BrokerUnavailable):
        await made.work(values)
    await made.work(values)
    assert broker.mentioned() == ["jsonl:0", "jsonl:1", "jsonl:2"]


def test_a_batch_is_parted_so_that_a_record_can_hold_it_and_the_watermark_comes_last() -> None:
    keys = tuple("ö" * 120 + str(number) for number in range(30))
    posts = tuple(mentions(number, START, number, keys) for number in range(300))
    deleted = (DeletedPost(post_id="jsonl:x", minute=START),)
    batch = MentionBatch(source_partition=1, watermark=START, posts=posts, deleted=deleted)
    records = mention_records(batch, NAMES, to_all=False)
    assert len(records) > NAMES.mentions.partitions
    assert all(len(one.value) <= NAMES.mentions.max_value_bytes for one in records)
    for partition in range(NAMES.mentions.partitions):
        mine = [MentionBatch.model_validate_json(one.value) for one in records if one.partition == partition]
        assert [one.watermark for one in mine] == [None] * (len(mine) - 1) + [START]
        assert sum(len(one.posts) for one in mine) == 300
    assert sum(b"jsonl:x" in one.value for one in records) == NAMES.mentions.partitions


def erasure(posts: int) -> tuple[DeletedPost, ...]:
    one = DeletedPost(post_id="jsonl:a", minute=START)
    return tuple(one.model_copy(update={"post_id": f"jsonl:{'ö' * 20}{number}"}) for number in range(posts))


def test_an_erasure_of_any_number_of_posts_fits_into_records_and_the_watermark_comes_last() -> None:
    keys = tuple("ö" * 120 + str(number) for number in range(30))
    posts = tuple(mentions(number, START, number, keys) for number in range(100))
    batch = MentionBatch(source_partition=1, watermark=START, posts=posts, deleted=erasure(60_000))
    records = mention_records(batch, NAMES, to_all=False)
    assert all(len(one.value) <= NAMES.mentions.max_value_bytes for one in records)
    assert {one.partition for one in records} == set(range(NAMES.mentions.partitions))
    mine = [MentionBatch.model_validate_json(one.value) for one in records if one.partition == 1]
    assert len(mine) > 10
    assert [one.watermark for one in mine] == [None] * (len(mine) - 1) + [START]
    assert tuple(one for part in mine for one in part.posts) == posts
    assert tuple(one for part in mine for one in part.deleted) == batch.deleted


def test_a_minute_of_many_deletions_is_told_in_records_of_which_the_last_closes_it() -> None:
    minute = MinuteOfTrends(partition=0, minute=START, deleted=erasure(60_000))
    records = trend_records(minute, NAMES)
    assert len(records) > 1
    assert all(len(one.value) <= NAMES.trends.max_value_bytes for one in records)
    parts = [MinuteOfTrends.model_validate_json(one.value) for one in records]
    assert tuple(one for part in parts for one in part.deleted) == minute.deleted
    whole, cut = EventTimeline(2), EventTimeline(2)
    other = MinuteOfTrends(partition=1, minute=START)
    said = [*whole.take(minute), *whole.take(other)]
    # The other partition closes the minute in the middle, and a repeat of the parts changes nothing.
    cut_said = [*cut.take(parts[0]), *cut.take(other)]
    assert cut_said == []
    cut_said = [closed for part in parts for closed in cut.take(part)]
    assert cut_said == said
    assert [one.minute for one in said] == [START]
    assert cut.snapshot() == whole.snapshot()


def record(value: bytes | None, offset: int = 5) -> ConsumedRecord:
    return ConsumedRecord("mentions", 2, offset, b"0", value, {}, 0)


def test_records_of_version_1_and_rubbish_are_passed_over_and_a_newer_version_stops_the_worker() -> None:
    old = {"version": 1, "key": "berlin", "type": "LOC", "post_id": "jsonl:a", "companions": []}
    good = MentionBatch(source_partition=1, watermark=START).model_dump_json().encode()
    read = read_mentions([record(json.dumps(old).encode()), record(b"{"), record(None), record(b"[]"), record(good, 6)])
    assert [one.batch is None for one in read] == [True, True, True, True, False]
    assert (read[4].partition, read[4].offset) == (2, 6)
    with pytest.raises(NewerVersion):
        read_mentions([record(b'{"version": 3}')])
    with pytest.raises(NewerVersion):
        read_trends([record(b'{"version": 2}')])


async def test_of_saved_snapshots_the_whole_one_with_the_highest_offset_counts() -> None:
    large = bytes(range(256)) * (CHUNK_BYTES // 200)
    sent: list[Outgoing] = []

    async def publish(records: Sequence[Outgoing]) -> None:
        sent.extend(records)

    slots = OwnSlots("trends/0", NAMES, None)
    await slots.save(publish, 7, large)
    first = list(sent)
    await slots.save(publish, 9, b"short")
    second = sent[len(first) :]
    torn = slots.chunks(12, large)[:1]
    other = OwnSlots("trends/1", NAMES, None).chunks(3, b"other")
    late = OwnSlots("trends/0", NAMES, None).chunks(8, b"of one that was given up")
    assert len(first) > 1
    assert all(len(one.value or b"") <= NAMES.detectors.max_value_bytes for one in first)
    found = newest_states((one.key, one.value) for one in [*first, *other, *second, *torn, *late])
    assert {name: (one.offset, one.snapshot) for name, one in found.items()} == {
        "trends/0": (9, b"short"),
        "trends/1": (3, b"other"),
    }
    assert found["trends/0"].keys == {one.key for one in (*first, *second, *late)}
    # The two slots share no key: compaction leaves one of them whole.
    assert not {one.key for one in first} & {one.key for one in second}


def test_the_minute_of_a_post_is_never_later_than_its_acceptance() -> None:
    from search.events.subjects import mentions_of

    ahead = post([("Berlin", "LOC")], datetime(9999, 1, 1, tzinfo=UTC))
    assert mentions_of(ahead.post, ahead.observed_at).minute == SEEN - timedelta(seconds=15)
