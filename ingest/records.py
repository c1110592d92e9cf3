"""Records for Kafka, made from the events of a source.

Owns which topic an event belongs to, and makes the dead letter of an event that no message can hold. Pure.
"""

from collections.abc import Sequence
from datetime import datetime

from ingest.publisher import OutgoingRecord
from tagstream.codec import encode, encode_dead_letter
from tagstream.dead_letter import dead_letter_of
from tagstream.errors import MalformedPost, Unencodable
from tagstream.kafka.topics import Topics, headers, key_of
from tagstream.posts import DeadLetter, Event
from tagstream.source import Received

OVERSIZED = "oversized"
UNENCODABLE = "unencodable"


def records_of(received: Sequence[Received], source: str, accepted: datetime, topics: Topics) -> list[OutgoingRecord]:
    """Makes the records of a batch of events, in order.

    An event that supersedes a dead letter is preceded by the null record that removes that dead letter. `accepted` is
    when the batch came from the source.
    """
    records: list[OutgoingRecord] = []
    for item in received:
        if item.supersedes is not None:
            records.append(OutgoingRecord(topics.dead.name, item.supersedes.encode(), None, []))
        records.append(_record(item.event, f"{source}@{item.cursor}", accepted, topics))
    return records


def dead_letter_record(letter: DeadLetter, topics: Topics) -> OutgoingRecord:
    """Makes the record that keeps a dead letter."""
    return OutgoingRecord(topics.dead.name, *encode_dead_letter(letter), [])


def _record(event: Event, origin: str, accepted: datetime, topics: Topics) -> OutgoingRecord:
    if isinstance(event, DeadLetter):
        return dead_letter_record(event, topics)
    try:
        value = encode(event)  # first: an event that can be encoded has a key
        return OutgoingRecord(topics.posts.name, key_of(event), value, headers(accepted))
    except MalformedPost as error:
        cause = UNENCODABLE if isinstance(error, Unencodable) else OVERSIZED
        return dead_letter_record(dead_letter_of(event, origin=origin, cause=cause, message=str(error)), topics)
