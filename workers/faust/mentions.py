"""Records of `mentions` and `trends`: what the index agent says of a partition's posts, and what the detectors say.

Pure. A `MentionBatch` goes to each partition of `mentions` whose subjects its posts name, and one that moves the
watermark or names a deleted post to all of them. The watermark stands on the last record of a batch, behind all its
posts. Delivery is at least once: a reader tells a repeat by its posts' ids and revisions. Records of version 1, which
an earlier tagstream wrote, are passed over and counted.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from search.detection.trend_partition import home_of
from tagstream.detections import DeletedPost, MentionBatch, MinuteOfTrends, PostMentions
from tagstream.errors import NewerVersion
from tagstream.kafka.topics import Topics
from tagstream.posts import Contract
from workers.faust.deliveries import ConsumedRecord
from workers.faust.records import Outgoing

VERSION = 2
# What a record says beside its lists.
_HEAD_BYTES = 1024

Item = TypeVar("Item", bound=Contract)


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
        for target in {home_of(subject, partitions) for subject in post.subjects}:
            posts[target].append(post)
    room = names.mentions.max_value_bytes // 2 - _HEAD_BYTES  # one half for posts, the other for deletions
    deleted = _cut(batch.deleted, room)
    records: list[Outgoing] = []
    for target in range(partitions):
        if posts[target] or batch.deleted or to_all:
            parts = _parts(batch, _cut(posts[target], room), deleted)
            records += [mention_record(part, target, names) for part in parts]
    return records


def mention_record(batch: MentionBatch, target: int, names: Topics) -> Outgoing:
    """Returns a batch as a record for one partition of `mentions`."""
    key = str(batch.source_partition).encode()
    return Outgoing(names.mentions.name, key, batch.model_dump_json().encode(), [], target)


def _parts(
    batch: MentionBatch, posts: Sequence[tuple[PostMentions, ...]], deleted: Sequence[tuple[DeletedPost, ...]]
) -> Iterator[MentionBatch]:
    """Yields the batch in parts of these: posts, then deletions, and the watermark with the last."""
    together: list[tuple[tuple[PostMentions, ...], tuple[DeletedPost, ...]]] = [(some, ()) for some in posts[:-1]]
    together.append((posts[-1], deleted[0]))
    together += [((), some) for some in deleted[1:]]
    for some_posts, some_deleted in together[:-1]:
        yield MentionBatch(source_partition=batch.source_partition, posts=some_posts, deleted=some_deleted)
    last_posts, last_deleted = together[-1]
    yield batch.model_copy(update={"posts": last_posts, "deleted": last_deleted})


def _cut(items: Sequence[Item], room: int) -> list[tuple[Item, ...]]:
    """Returns the items in parts whose JSON is within that many bytes; one empty part where there are none."""
    parts: list[tuple[Item, ...]] = []
    part: list[Item] = []
    size = 0
    for item in items:
        length = len(item.model_dump_json().encode()) + 1
        if part and size + length > room:
            parts.append(tuple(part))
            part, size = [], 0
        part.append(item)
        size += length
    return [*parts, tuple(part)]


def trend_records(minute: MinuteOfTrends, names: Topics) -> list[Outgoing]:
    """Returns what a partition says of a minute as records, of which the last closes it.

    Of too many trends for one record the least significant are left out. Deletions never are: those that need more
    records come in records before it, so that all are known when the minute is closed.
    """
    *before, last = _cut(minute.deleted, names.trends.max_value_bytes // 2 - _HEAD_BYTES)
    parts = [
        minute.model_copy(update={"trends": (), "deleted": some, "closed": False}).model_dump_json().encode()
        for some in before
    ]
    ranked = sorted(minute.trends, key=lambda one: (-one.score, one.type, one.key))
    while True:
        kept = minute.model_copy(update={"trends": tuple(ranked), "deleted": last})
        # Without the field, so that a worker of before reads it as well.
        value = kept.model_dump_json(exclude={"closed"}).encode()
        if len(value) <= names.trends.max_value_bytes or not ranked:
            key = str(minute.partition).encode()
            return [Outgoing(names.trends.name, key, one, []) for one in (*parts, value)]
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
