"""Which mentions go out, and when: for news only, each once, with what a counter needs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from search.index import Change, Indexable, WriteReport
from tagstream.errors import Fatal, RejectedDocument
from tagstream.kafka.topics import open_topics
from tagstream.posts import Author, Entity, TaggedPost
from tagstream.runtime.metrics import EventOutcome
from tagstream.settings import Settings
from workers.faust import index_step
from workers.faust.deliveries import ConsumedRecord
from workers.faust.mentions import MAX_COMPANIONS, mentions_of
from workers.faust.records import Indexing, Outgoing, dead_letter_of_record
from workers.pipeline.counters import Counters
from workers.pipeline.runner import StageLimits

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


def test_a_mention_for_each_distinct_entity() -> None:
    found = mentions_of(post([("Berlin", "LOC"), ("NASA", "ORG"), ("BERLIN", "LOC")]), NAMES)
    assert [one.key for one in found] == [b"berlin", b"nasa"]
    assert json.loads(found[0].value) == {
        "version": 1,
        "key": "berlin",
        "type": "LOC",
        "author": "x",
        "minute": "2026-03-01T12:30Z",
        "post_id": "jsonl:a",
        "revision": 0,
        "companions": [["ORG", "nasa"]],
    }


@pytest.mark.parametrize(
    ("created_at", "minute"),
    [
        (datetime(9999, 1, 1, tzinfo=UTC), "2026-03-01T12:30Z"),
        (datetime(13, 1, 1, 0, 5, tzinfo=UTC), "0013-01-01T00:05Z"),
    ],
)
def test_no_author_s_clock_runs_ahead(created_at: datetime, minute: str) -> None:
    assert json.loads(mentions_of(post([("Berlin", "LOC")], created_at), NAMES)[0].value)["minute"] == minute


def test_a_post_that_names_a_thousand_makes_no_mention_too_large() -> None:
    found = mentions_of(post([("🎉" * 200 + str(number), "MISC") for number in range(200)], author=None), NAMES)
    assert len(json.loads(found[0].value)["companions"]) == MAX_COMPANIONS
    assert all(len(one.value) <= NAMES.mentions.max_value_bytes for one in found)


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


def stage(index: Any, sent: list[Outgoing]) -> tuple[Any, Counters]:
    counters = Counters()

    async def publish(records: Sequence[Outgoing]) -> None:
        sent.extend(records)

    return index_step.index(index, publish, NAMES, counters, StageLimits()), counters


async def test_only_news_is_mentioned_and_once_in_a_batch() -> None:
    made, counters = stage(Index({("jsonl:a", 2)}), [])
    old, new = post([("Berlin", "LOC")], revision=1), post([("Paris", "LOC")], revision=2)
    answers = await made.work([Indexing(RECORD, one) for one in (old, new, new)])
    assert [[one.key for one in answer.mentions] for answer in answers] == [[], [b"paris"], []]
    assert counters[EventOutcome.STORED] == 3


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
    assert answer.mentions == ()
    assert [(one.topic, one.key) for one in sent] == [("posts.dead", b"posts.tagged-0-0")]
    assert counters[EventOutcome.REJECTED] == 1


async def test_a_mention_that_cannot_go_out_stops_the_worker() -> None:
    async def publish(_: object) -> None: ...

    made = index_step.mention(publish, StageLimits())
    with pytest.raises(Fatal):
        await made.dead_letter(index_step.Indexed((), 0), RejectedDocument("too large"))
