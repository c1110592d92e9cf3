"""From what a source gave to what goes on the broker.

Owns which topic an event belongs to, and the dead letter of one that no message can hold. Pure.
"""

from collections.abc import Sequence
from datetime import datetime

from ingest.publisher import OutgoingRecord
from tagstream.codec import encode, encode_dead_letter
from tagstream.dead_letter import dead_letter_of
from tagstream.errors import MalformedPost, Unencodable
from tagstream.kafka.topics import Topics, headers, key_of
from tagstream.posts import DeadLetter
from tagstream.source import Received

OVERSIZED = "oversized"
UNENCODABLE = "unencodable"


def records_of(received: Sequence[Received], source: str, accepted: datetime, topics: Topics) -> list[OutgoingRecord]:
    """The records of a batch of events, in order; before one that supersedes a dead letter the null that ends that."""
    records: list[OutgoingRecord] = []
    for one in received:
        if one.supersedes is not None:
            records.append(OutgoingRecord(topics.dead.name, one.supersedes.encode(), None, []))
        records.append(_record(one, f"{source}@{one.cursor}", accepted, topics))
    return records


def dead_letter_record(letter: DeadLetter, topics: Topics) -> OutgoingRecord:
    """The record that keeps a dead letter."""
    return OutgoingRecord(topics.dead.name, *encode_dead_letter(letter), [])


def _record(one: Received, origin: str, accepted: datetime, topics: Topics) -> OutgoingRecord:
    event = one.event
    if isinstance(event, DeadLetter):
        return dead_letter_record(event, topics)
    try:
        value = encode(event)  # first: what it takes has a key
        return OutgoingRecord(topics.posts.name, key_of(event), value, headers(accepted))
    except MalformedPost as error:
        cause = UNENCODABLE if isinstance(error, Unencodable) else OVERSIZED
        return dead_letter_record(dead_letter_of(event, origin=origin, cause=cause, message=str(error)), topics)
