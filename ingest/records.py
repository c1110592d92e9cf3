"""From what a source gave to what goes on the broker.

Owns which topic an event belongs to, and the dead letter of one that no message can hold. Pure.
"""

from collections.abc import Sequence
from datetime import datetime

from ingest.publisher import Record
from tagstream.codec import encode, encode_letter
from tagstream.dead_letter import dead_letter_of
from tagstream.errors import MalformedPost, Unencodable
from tagstream.kafka.topics import Topics, headers, key_of
from tagstream.posts import DeadLetter
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
        return letter_record(dead_letter_of(event, origin=origin, cause=cause, message=str(error)), topics)
