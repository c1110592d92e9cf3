"""Records of `posts` and `posts.tagged` as the values of the stages, and the results of the stages as records.

::

    posts         MessagePack  ─▶ Arrival (event)          Tagged      ─▶ JSON, kind, position ─▶ posts.tagged
    posts.tagged  JSON, kind   ─▶ Indexing (change)        DeadLetter  ─▶ MessagePack          ─▶ posts.dead

Pure: no client, no clock. A record that cannot be read becomes a dead letter with its original bytes, and travels on as
one; only a record that a newer tagstream wrote stops the worker (`NewerVersion`). Keeps invariant 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from search.index import Change, Indexable
from tagstream import codec
from tagstream.dead_letter import dead_letter
from tagstream.errors import MalformedPost
from tagstream.kafka import topics
from tagstream.posts import (
    MAX_ID_BYTES,
    AccountStatus,
    DeadLetter,
    Deletion,
    Erasure,
    Event,
    Post,
    TaggedPost,
    clean_text,
)
from tagstream.runtime.metrics import EventOutcome
from workers.faust.deliveries import ConsumedRecord
from workers.pipeline.steps import Arrival, Tagged

TAGGED = "tagged"
# What passes from `posts` to `posts.tagged` as it is, by its kind there.
_KINDS: dict[type[Deletion | Erasure | AccountStatus], str] = {
    Deletion: "deletion",
    Erasure: "erasure",
    AccountStatus: "account_status",
}


@dataclass(frozen=True, slots=True)
class Indexing:
    """A change on its way into the index, and the record that it was read from."""

    record: ConsumedRecord
    change: Change


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be published; to the partition of its key where none is named. A null ends its key."""

    topic: str
    key: bytes
    value: bytes | None
    headers: topics.Headers
    partition: int | None = None


def read_posts(records: Sequence[ConsumedRecord]) -> list[Arrival]:
    """Reads the events of records of `posts`, in order.

    Raises:
        NewerVersion: a newer tagstream wrote one.
    """
    return [_arrival(record) for record in records]


def read_tagged(records: Sequence[ConsumedRecord]) -> list[Indexing]:
    """Reads the changes of records of `posts.tagged`, in order.

    Raises:
        NewerVersion: a newer tagstream wrote one.
    """
    return [_indexing(record) for record in records]


def _arrival(record: ConsumedRecord) -> Arrival:
    event: Event
    try:
        event = _event(record)
    except MalformedPost as error:
        event = _unreadable(record, error)
    observed_at = topics.observed_at(record.headers, record.timestamp_ms)
    return Arrival(event, record.origin, "", observed_at, record.value or b"")


def _event(record: ConsumedRecord) -> Event:
    event = codec.decode(record.value or b"")
    if isinstance(event, TaggedPost | DeadLetter):
        raise MalformedPost(f"a {type(event).__name__} on {record.topic}, where what a source gives belongs")
    return event


def _indexing(record: ConsumedRecord) -> Indexing:
    try:
        return Indexing(record, _change(record))
    except MalformedPost as error:
        return Indexing(record, _unreadable(record, error))


def _unreadable(record: ConsumedRecord, error: MalformedPost) -> DeadLetter:
    return dead_letter_of_record(
        record, EventOutcome.EMPTY if record.value is None else EventOutcome.MALFORMED, str(error)
    )


def _change(record: ConsumedRecord) -> Change:
    kind = record.headers.get(topics.KIND, TAGGED.encode()).decode("ascii", "replace")
    change = codec.decode_json(record.value or b"", kind)
    if isinstance(change, TaggedPost):
        observed_at = topics.observed_at(record.headers, record.timestamp_ms)
        return Indexable(change, observed_at, topics.position(record.headers))
    if isinstance(change, Post | DeadLetter):
        raise MalformedPost(f"a {kind} message on {record.topic}, where what is to be indexed belongs")
    return change


def dead_letter_of_record(
    record: ConsumedRecord, cause: EventOutcome, message: str, change: Change | None = None
) -> DeadLetter:
    """Returns the dead letter that keeps a record; its `change` names post and author, where it could be read.

    Elsewhere the record's key names the post, so that a deletion of that post reaches the letter.
    """
    post = change.post if isinstance(change, Indexable) else None
    return dead_letter(
        origin=record.origin,
        source=post.source if post else record.topic,
        cause=cause.value,
        message=message,
        body=record.value or b"",
        post_id=post.id if post else _post_id(record.key),
        author=post.author.id if post and post.author else None,
        position=0 if change is None else change.position,
    )


def _post_id(key: bytes | None) -> str | None:
    return clean_text(key.decode("utf-8", "replace")) if key and len(key) <= MAX_ID_BYTES else None


def outgoing(value: Tagged, names: topics.Topics) -> Outgoing | None:
    """Returns the record that the tag stage publishes for one arrival: nothing is lost on the way to `posts.tagged`.

    Raises:
        MalformedPost: the record would be larger than a message may be, or JSON cannot say it.
    """
    change = value.change
    if isinstance(change, DeadLetter):
        return dead_letter_record(change, names)
    if isinstance(change, Indexable):
        key, kind, body = change.post.id.encode(), TAGGED, codec.encode_json(change.post)
    else:
        key, kind, body = topics.key_of(change), _KINDS[type(change)], codec.encode_json(change)
    headers = topics.headers(value.arrival.observed_at, position=change.position, kind=kind)
    return Outgoing(names.tagged.name, key, body, headers)


def dead_letter_record(letter: DeadLetter, names: topics.Topics) -> Outgoing | None:
    """Returns the record that keeps a dead letter, keyed by its origin; None for an empty record, which only counts."""
    if letter.cause == EventOutcome.EMPTY:
        return None
    return Outgoing(names.dead.name, *codec.encode_dead_letter(letter), [])
