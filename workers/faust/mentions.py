"""Records of `mentions` and `trends`: what the index agent says of a partition's posts, and what the detectors say.

Pure. A `MentionBatch` goes to each partition of `mentions` whose subjects its posts name, and one that moves the
watermark or names a deleted post to all of them. The watermark stands on the last record of a batch, behind all its
posts. Delivery is at least once: a reader tells a repeat by its posts' ids and revisions. Records of version 1, which
an earlier tagstream wrote, are passed over and counted.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from search.detection.trend_partition import partition_of
from tagstream.detections import MentionBatch, MinuteOfTrends, PostMentions
from tagstream.errors import NewerVersion
from tagstream.kafka.topics import Topics
from workers.faust.deliveries import ConsumedRecord
from workers.faust.records import Outgoing

VERSION = 2


@dataclass(frozen=True, slots=True)
class ReadMentions:
    """A record of `mentions`; `batch` is None for one that is passed over."""

    partition: int
    offset: int
    batch: MentionBatch | None


@dataclass(frozen=True, slots=True)
class ReadTrends:
    """A record of `trends`; `minute` is None for one that is passed over."""

    partition: int
    offset: int
    minute: MinuteOfTrends | None


def mention_records(batch: MentionBatch, names: Topics, *, to_all: bool) -> list[Outgoing]:
    """Returns the records of a batch; with `to_all` also those that bring a partition nothing but the watermark."""
    partitions = names.mentions.partitions
    posts: list[list[PostMentions]] = [[] for _ in range(partitions)]
    for post in batch.posts:
        for target in {partition_of(subject.key, partitions) for subject in post.subjects}:
            posts[target].append(post)
    records: list[Outgoing] = []
    for target in range(partitions):
        if posts[target] or batch.deleted or to_all:
            mine = batch.model_copy(update={"posts": tuple(posts[target])})
            records += [mention_record(part, target, names) for part in _parts(mine, names.mentions.max_value_bytes)]
    return records


def mention_record(batch: MentionBatch, target: int, names: Topics) -> Outgoing:
    """Returns a batch as a record for one partition of `mentions`."""
    key = str(batch.source_partition).encode()
    return Outgoing(names.mentions.name, key, batch.model_dump_json().encode(), [], target)


def _parts(batch: MentionBatch, max_bytes: int) -> Iterator[MentionBatch]:
    """Yields the batch in parts that a record can hold; the last one has the watermark and the deletions."""
    room = max_bytes // 2  # the other half is for the deletions of a batch, and what JSON adds
    part: list[PostMentions] = []
    size = 0
    for post in batch.posts:
        length = len(post.model_dump_json().encode())
        if part and size + length > room:
            yield MentionBatch(source_partition=batch.source_partition, posts=tuple(part))
            part, size = [], 0
        part.append(post)
        size += length
    yield batch.model_copy(update={"posts": tuple(part)})


def trend_record(minute: MinuteOfTrends, names: Topics) -> Outgoing:
    """Returns what a partition says of a minute as a record; of far too many trends the least significant are left."""
    trends, value = minute.trends, b""
    ranked = sorted(trends, key=lambda one: (-one.score, one.type, one.key))
    while True:
        kept = minute.model_copy(update={"trends": tuple(ranked)})
        value = kept.model_dump_json().encode()
        if len(value) <= names.trends.max_value_bytes or not ranked:
            return Outgoing(names.trends.name, str(minute.partition).encode(), value, [])
        ranked = ranked[: len(ranked) * 9 // 10]


def read_mentions(records: Sequence[ConsumedRecord]) -> list[ReadMentions]:
    """Reads records of `mentions`, in order.

    Raises:
        NewerVersion: a newer tagstream wrote one.
    """
    return [ReadMentions(one.partition, one.offset, _mentions(one)) for one in records]


def read_trends(records: Sequence[ConsumedRecord]) -> list[ReadTrends]:
    """Reads records of `trends`, in order.

    Raises:
        NewerVersion: a newer tagstream wrote one.
    """
    return [ReadTrends(one.partition, one.offset, _trends(one)) for one in records]


def _mentions(record: ConsumedRecord) -> MentionBatch | None:
    try:
        return MentionBatch.model_validate_json(_with_version(record, VERSION))
    except ValidationError:
        return None


def _trends(record: ConsumedRecord) -> MinuteOfTrends | None:
    try:
        return MinuteOfTrends.model_validate_json(_with_version(record, 1))
    except ValidationError:
        return None


def _with_version(record: ConsumedRecord, own: int) -> bytes:
    """Returns the value.

    Raises:
        NewerVersion: its version is above our own.
    """
    value = record.value or b""
    try:
        version = json.loads(value).get("version", own)
    except (ValueError, AttributeError, RecursionError):
        return value  # it is no contract of ours in any version
    if isinstance(version, int) and version > own:
        raise NewerVersion(f"{record.origin} is of version {version}, this tagstream reads {own}: upgrade it")
    return value
