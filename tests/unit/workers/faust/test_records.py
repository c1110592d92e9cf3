"""Records into events and changes, and back: what cannot be read is kept whole, what can travels unchanged."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from search.index import Indexable
from tagstream import codec
from tagstream.bounds import MAX_MESSAGE_LENGTH
from tagstream.errors import NewerVersion
from tagstream.kafka.topics import KIND, headers, open_topics
from tagstream.posts import AccountStatus, Author, DeadLetter, Deletion, Erasure, Post, TaggedPost
from tagstream.runtime.metrics import EventOutcome
from tagstream.settings import Settings
from workers.faust.deliveries import ConsumedRecord
from workers.faust.records import dead_letter_of_record, outgoing, read_posts, read_tagged
from workers.pipeline.steps import Arrival, Tagged

NAMES = open_topics(Settings())
MOMENT = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
POST = Post(
    id="jsonl:a", source="jsonl", author=Author(id="x"), created_at=MOMENT, revision=3, text="Berlin 🎉", position=9
)
TAGGED = TaggedPost(
    id="jsonl:a",
    source="jsonl",
    author=Author(id="x"),
    created_at=MOMENT,
    revision=3,
    text="Berlin 🎉",
    model="m@1",
    generation=1,
)
DELETION = Deletion(id="jsonl:a", source="jsonl", revision=4, position=10)
ERASURE = Erasure(source="jsonl", author="x", position=11)
STATUS = AccountStatus(source="jsonl", author="x", hidden=True, position=2**63 - 1)
PASSING = (DELETION, ERASURE, STATUS)


def record(value: bytes | None, topic: str = "posts", **fields: Any) -> ConsumedRecord:
    made = ConsumedRecord(topic, 2, 7, b"jsonl:a", value, dict(headers(MOMENT)), 0)
    return replace(made, **fields)


@pytest.mark.parametrize("event", [POST, DELETION, ERASURE, STATUS])
def test_an_event_is_read_as_it_was_published(event: Post | Deletion | Erasure | AccountStatus) -> None:
    data = codec.encode(event)
    assert read_posts([record(data)]) == [Arrival(event, "posts-2-7", "", MOMENT, data)]


@pytest.mark.parametrize(
    ("event", "change"),
    [(POST, TAGGED), (POST.model_copy(update={"position": 2**63 - 1}), TAGGED), *((one, one) for one in PASSING)],
)
def test_what_is_published_on_posts_tagged_is_read_back_as_the_change(event: Any, change: Any) -> None:
    whole = Indexable(change, MOMENT, event.position) if isinstance(change, TaggedPost) else change
    sent = outgoing(Tagged(Arrival(event, "posts-2-7", "", MOMENT), whole), NAMES)
    assert sent is not None
    assert (sent.topic, sent.key) == ("posts.tagged", b"x" if event in (ERASURE, STATUS) else b"jsonl:a")
    back = ConsumedRecord(sent.topic, 0, 0, sent.key, sent.value, dict(sent.headers), 0)
    assert read_tagged([back])[0].change == whole


@pytest.mark.parametrize(
    "value", [b"", b"\xc1", b"\x80", codec.encode(dead_letter_of_record(record(b""), EventOutcome.MALFORMED, ""))]
)
def test_what_no_post_is_becomes_a_dead_letter_with_its_bytes(value: bytes) -> None:
    letter = read_posts([record(value)])[0].event
    assert isinstance(letter, DeadLetter)
    assert (letter.origin, letter.body, letter.cause) == ("posts-2-7", value, "malformed")
    assert letter.post_id == "jsonl:a"
    sent = outgoing(Tagged(read_posts([record(value)])[0], letter), NAMES)
    assert sent is not None
    assert (sent.topic, sent.key) == ("posts.dead", b"posts-2-7")
    assert codec.decode(sent.value) == letter


@pytest.mark.parametrize("kind", [b"tagged", b"deletion", b"erasure", b"account_status", b"\xff", b"", b"post"])
@pytest.mark.parametrize("value", [b"{", b"{}", b"[]", b"null", b"\xff"])
def test_garbage_of_any_kind_on_posts_tagged_becomes_a_dead_letter(kind: bytes, value: bytes) -> None:
    change = read_tagged([record(value, "posts.tagged", headers={"kind": kind})])[0].change
    assert isinstance(change, DeadLetter)
    assert (change.origin, change.body) == ("posts.tagged-2-7", value)


def test_of_an_oversized_record_the_head_its_length_and_its_hash_are_kept() -> None:
    value = b"\xc1" * 200_000
    letter = read_posts([record(value)])[0].event
    assert isinstance(letter, DeadLetter)
    assert (letter.body, letter.size) == (value[: 64 * 1024], 200_000)
    assert letter.sha256 == hashlib.sha256(value).hexdigest()


def test_a_record_without_a_value_is_counted_and_not_kept() -> None:
    arrival = read_posts([record(None)])[0]
    assert isinstance(arrival.event, DeadLetter)
    assert arrival.event.cause == EventOutcome.EMPTY
    assert outgoing(Tagged(arrival, arrival.event), NAMES) is None


def test_a_newer_message_stops_and_is_no_dead_letter() -> None:
    newer = codec.encode(POST).replace(b"\xa7version\x03", b"\xa7version\x04", 1)
    with pytest.raises(NewerVersion):
        read_posts([record(newer)])
    with pytest.raises(NewerVersion):
        read_tagged([record(b'{"version": 4}', "posts.tagged")])


@pytest.mark.parametrize("kind", ["deletion", "erasure", "account_status", "verdict"])
def test_a_newer_message_without_entities_stops_too_be_its_kind_known_or_not(kind: str) -> None:
    fields = {**dict(headers(MOMENT)), KIND: kind.encode()}
    with pytest.raises(NewerVersion):
        read_tagged([record(b'{"version": 4}', "posts.tagged", headers=fields)])
    (kept,) = read_tagged([record(b'{"version": 3}', "posts.tagged", headers=fields)])
    assert isinstance(kept.change, DeadLetter)


def test_a_post_is_no_change_of_the_index() -> None:
    fields = {**dict(headers(MOMENT)), KIND: b"post"}
    (kept,) = read_tagged([record(POST.model_dump_json().encode(), "posts.tagged", headers=fields)])
    assert isinstance(kept.change, DeadLetter)
    assert "where what is to be indexed belongs" in kept.change.message


@pytest.mark.parametrize("key", [None, b"", b"\xff\xfe", b"k" * 300])
def test_a_key_that_is_no_id_names_no_post(key: bytes | None) -> None:
    letter = dead_letter_of_record(record(b"\xc1", key=key), EventOutcome.MALFORMED, "m" * 5000)
    assert letter.post_id in (None, "\ufffd\ufffd")
    assert len(letter.message) == MAX_MESSAGE_LENGTH
