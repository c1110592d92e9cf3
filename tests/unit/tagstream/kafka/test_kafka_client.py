"""What Kafka's errors mean, and what goes on which topic: pure, without a broker."""

import inspect
import json
from datetime import UTC, datetime

import pytest
from kafka import errors as kafka_errors

from ingest.records import records_of
from tagstream.codec import decode, encode
from tagstream.dead_letter import dead_letter
from tagstream.errors import Fatal, Retryable, ServiceUnavailable
from tagstream.kafka.client import at_start, map_error
from tagstream.kafka.topics import headers, observed_at, open_topics, position
from tagstream.posts import AccountStatus, Author, DeadLetter, Deletion, Erasure, Media, Post
from tagstream.settings import Settings
from tagstream.source import Received

NOW = datetime(2026, 3, 1, 12, 30, 0, 123_000, tzinfo=UTC)
TOPICS = open_topics(Settings(topic_prefix="unit."))
# The library says of these that they do not pass; here they do.
PASSING = {
    "BrokerNotAvailableError",
    "InvalidProducerEpochError",
    "OutOfOrderSequenceNumberError",
    "StaleBrokerEpochError",
    "StaleControllerEpochError",
    "UnknownError",
    "UnknownProducerIdError",
}


def post(number: int, **fields: object) -> Post:
    return Post(id=f"jsonl:{number}", source="jsonl", created_at=NOW, **({"text": "Paris"} | fields))


def test_every_error_of_the_library_is_judged() -> None:
    kinds = [one for _, one in inspect.getmembers(kafka_errors, inspect.isclass) if issubclass(one, Exception)]
    kinds = [one for one in kinds if one.__module__ == kafka_errors.__name__]
    assert len(kinds) > 100
    waited_for = set()
    for kind in kinds:
        error = kind.__new__(kind)
        assert isinstance(map_error(error), Retryable | Fatal)
        if isinstance(map_error(error), Retryable) and not kind.retriable:
            waited_for.add(kind.__name__)
    assert waited_for == PASSING


def test_at_the_start_an_outage_ends_the_program_after_its_patience() -> None:
    asked = 0

    def operation() -> str:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise kafka_errors.KafkaTimeoutError("busy")
        return "there"

    with pytest.raises(ServiceUnavailable, match=r"127\.0\.0\.1:9092.*TAGSTREAM_KAFKA"):
        at_start(Settings(), operation)
    assert at_start(Settings(), operation, patience_seconds=60) == "there"
    assert asked == 3


@pytest.mark.parametrize("kind", [kafka_errors.MessageSizeTooLargeError, kafka_errors.TopicAuthorizationFailedError])
def test_a_refusal_is_never_poison_but_says_what_to_do(kind: type[kafka_errors.KafkaError]) -> None:
    """One oversized record fails the whole producer, and with it records that are innocent."""
    verdict = map_error(kind("why"))
    assert isinstance(verdict, Fatal)
    assert "why" in str(verdict)
    assert ";" in str(verdict)


def test_each_event_goes_to_its_topic_under_its_key() -> None:
    letter = dead_letter(origin="/feed:4", source="jsonl", cause="bad_id", message="no", body=b"{}")
    events = [
        post(1),
        Deletion(id="jsonl:1", source="jsonl"),
        Erasure(source="jsonl", author="ä", position=3),
        AccountStatus(source="jsonl", author="ä", hidden=True, position=4),
        letter,
    ]
    received = [Received(event, str(number)) for number, event in enumerate(events)]
    records = records_of(received, "jsonl:/feed", NOW, TOPICS)
    assert [(one.topic, one.key) for one in records] == [
        ("unit.posts", b"jsonl:1"),
        ("unit.posts", b"jsonl:1"),
        ("unit.posts", "ä".encode()),
        ("unit.posts", "ä".encode()),
        ("unit.posts.dead", b"/feed:4"),
    ]
    assert [decode(one.value or b"") for one in records] == events
    assert {observed_at(one.headers, 0) for one in records[:4]} == {NOW}


def test_a_status_that_no_message_can_hold_becomes_a_letter_that_names_its_author() -> None:
    huge = AccountStatus(source="s", author="ann", hidden=True, position=7).model_copy(update={"source": "s" * 9_000})
    letter = decode(records_of([Received(huge, "2")], "jsonl:/f", NOW, TOPICS)[0].value or b"")
    assert isinstance(letter, DeadLetter)
    assert (letter.cause, letter.post_id, letter.author, letter.position) == ("oversized", None, "ann", 7)
    assert json.loads(letter.body)["source"] == huge.source


@pytest.mark.parametrize("change", [{"position": 2**64}, {"text": "\ud83d"}, {"url": "\udfff" * 9}], ids=str)
def test_what_a_codec_refuses_becomes_a_letter(change: dict[str, object]) -> None:
    letter = decode(records_of([Received(post(1).model_copy(update=change), "2")], "x:/f", NOW, TOPICS)[0].value or b"")
    assert isinstance(letter, DeadLetter)
    assert (letter.cause, letter.post_id) == ("unencodable", "jsonl:1")
    assert json.loads(letter.body)["id"] == "jsonl:1"


def test_a_letter_with_lone_surrogates_is_kept() -> None:
    letter = dead_letter(origin="f:1", source="x", cause="c", message="m", body=b"b").model_copy(
        update={"origin": "f\ud83d:1", "message": "\udfff", "author": "a" * 900}
    )
    (record,) = records_of([Received(letter, "2")], "x:/f", NOW, TOPICS)
    kept = decode(record.value or b"")
    assert isinstance(kept, DeadLetter)
    assert (record.key, kept.origin, kept.message, kept.author) == (
        "f\ufffd:1".encode(),
        "f\ufffd:1",
        "\ufffd",
        None,
    )


def test_what_supersedes_a_letter_ends_it_first() -> None:
    records = records_of([Received(post(1), "9", supersedes="/feed:1")], "jsonl:/feed", NOW, TOPICS)
    assert [(one.topic, one.key, one.value is None) for one in records] == [
        ("unit.posts.dead", b"/feed:1", True),
        ("unit.posts", b"jsonl:1", False),
    ]


def test_an_oversized_post_becomes_a_letter_that_deletions_reach() -> None:
    media = tuple(Media(thumbnail=b"\xff" * 64 * 1024) for _ in range(4))
    huge = post(2, text="\U0001f30d" * 90_000, media=media, author=Author(id="a"), position=7)
    records = records_of([Received(post(1), "1"), Received(huge, "2"), Received(post(3), "3")], "jsonl:/f", NOW, TOPICS)
    assert [one.topic for one in records] == ["unit.posts", "unit.posts.dead", "unit.posts"]
    letter = decode(records[1].value or b"")
    assert isinstance(letter, DeadLetter)
    assert (letter.cause, letter.post_id, letter.author, letter.position) == ("oversized", "jsonl:2", "a", 7)
    assert letter.origin == "jsonl:/f@2"
    assert len(letter.body) == 64 * 1024 < letter.size


def test_headers_survive_the_hop() -> None:
    for place in (0, 2**45, 2**63 - 1):
        given = headers(NOW, position=place, kind="tagged")
        assert (observed_at(given, 0), position(given)) == (NOW, place)
        assert (observed_at(dict(given), 0), position(dict(given))) == (NOW, place)
    assert position([("position", b"%d" % 2**63)]) == position([("position", b"9" * 5_000)]) == 0
    assert observed_at([("observed_at", b"%d" % 2**63)], 0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert observed_at(None, 1000) == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert observed_at([("observed_at", b"-7")], 0) == datetime(1970, 1, 1, tzinfo=UTC)


def test_every_message_we_make_fits_its_topic() -> None:
    for topic in TOPICS:
        assert topic.max_value_bytes < topic.max_message_bytes
    largest = dead_letter(origin="o", source="s", cause="c", message="m", body=b"\0" * 2**20)
    assert len(encode(largest)) < TOPICS.dead.max_message_bytes
    assert TOPICS.posts.partitions == TOPICS.tagged.partitions
