"""From what a source gave to what goes on the broker.

Owns which topic an event belongs to, and the dead letter of one that no message can hold. Pure.
"""

from collections.abc import Sequence
from datetime import datetime

from ingest.publisher import Record
from tagstream.codec import encode, encode_letter, readable
from tagstream.errors import MalformedPost, Unencodable
from tagstream.kafka.topics import Topics, headers, key_of
from tagstream.posts import AccountStatus, DeadLetter, Deletion, Erasure, Post, dead_letter
from tagstream.source import Received

OVERSIZED = "oversized"
UNENCODABLE = "unencodable"


def records_of(received: Sequence[Received], source: str, accepted: datetime, topics: Topics) -> list[Record]:
    """The records of a batch of events, in order; before one that supersedes a dead letter the null that ends that."""
    records: list[Record] = []
    for one in received:
        if one.supersedes is not None:
            records.append(Record(topics.dead.name, one.supersedes.encode(), None, []))
        records.append(_record(one, f"{source}@{one.cursor}", accepted, topics))
    return records


def letter_record(letter: DeadLetter, topics: Topics) -> Record:
    """The record that keeps a dead letter."""
    return Record(topics.dead.name, *encode_letter(letter), [])


def _record(one: Received, origin: str, accepted: datetime, topics: Topics) -> Record:
    event = one.event
    if isinstance(event, DeadLetter):
        return letter_record(event, topics)
    try:
        value = encode(event)  # first: what it takes has a key
        return Record(topics.posts.name, key_of(event), value, headers(accepted))
    except MalformedPost as error:
        cause = UNENCODABLE if isinstance(error, Unencodable) else OVERSIZED
        return letter_record(_letter(event, origin, cause, str(error)), topics)


def _letter(event: Post | Deletion | Erasure | AccountStatus, origin: str, cause: str, message: str) -> DeadLetter:
    """The letter of an event that no message can hold: its JSON without pictures, with which little else would fit."""
    author = None
    if isinstance(event, Post):
        author = event.author.id if event.author else None
        event = event.model_copy(update={"media": tuple(media.without_bytes() for media in event.media)})
    return dead_letter(
        origin=origin,
        source=event.source,
        cause=cause,
        message=message,
        body=readable(event),
        post_id=None if isinstance(event, Erasure | AccountStatus) else event.id,
        author=event.author if isinstance(event, Erasure | AccountStatus) else author,
        position=event.position,
    )
