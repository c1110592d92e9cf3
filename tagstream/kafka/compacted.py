"""Reading of a compacted topic of one partition to its end: the newest value of every key.

The end is the high watermark at the start. Knows nothing of the values. Blocks, so callers on an event loop use a
thread.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from tagstream.kafka.client import REQUEST_TIMEOUT_MS, open_reader
from tagstream.settings import Settings

_POLL_MS = 500
# An open transaction of another client hides what is behind it for at most its timeout, 10 s.
_SILENT_POLLS = 40


@dataclass(frozen=True, slots=True)
class CompactedRecord:
    """A key of a compacted topic, and its newest value."""

    key: bytes
    value: bytes


def newest_values(settings: Settings, topic: str) -> Iterator[CompactedRecord]:
    """Yields the newest value of every key, in the order of the topic; keys with a null are left out.

    Reads the topic twice, first for the offsets alone, so that only keys and offsets are held in memory.

    Raises:
        KafkaError: the broker does not answer, or does not give the whole topic in time.
    """
    # Up to the high watermark, not the last stable offset: what is committed behind somebody's open transaction counts.
    with closing(open_reader(settings, topic, committed=False)) as reader:
        end = reader.end_offsets([TopicPartition(topic, 0)], timeout_ms=REQUEST_TIMEOUT_MS)[TopicPartition(topic, 0)]
    newest: dict[bytes, int] = {}
    for record in _records(settings, topic, end):
        if record.value is None:
            newest.pop(record.key, None)
        else:
            newest[record.key] = record.offset
    if newest:
        for record in _records(settings, topic, end):
            if newest.get(record.key) == record.offset:
                yield CompactedRecord(record.key, record.value)


def _records(settings: Settings, topic: str, end: int) -> Iterator[Any]:
    partition = TopicPartition(topic, 0)
    with closing(open_reader(settings, topic)) as reader:
        silent = 0
        while (reached := reader.position(partition, timeout_ms=REQUEST_TIMEOUT_MS)) < end:
            for record in reader.poll(timeout_ms=_POLL_MS).get(partition, ()):
                if record.offset < end and record.key is not None:
                    yield record
            silent = silent + 1 if reader.position(partition) == reached else 0
            if silent == _SILENT_POLLS:
                raise KafkaTimeoutError(f"{topic} was read up to {reached} of {end}, and no further")
