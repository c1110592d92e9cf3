"""What a test sees of a broker: a plain client, none of the product's."""

import asyncio
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from tagstream.posts import Event, Post
from tagstream.settings import Settings
from tagstream.source import Received

_numbers = itertools.count(1)


def post(number: int, text: str = "Angela Merkel in Paris", **fields: Any) -> Post:
    """A post of the source `jsonl`."""
    created = datetime(2024, 5, 1, 12, tzinfo=UTC)
    return Post(id=f"jsonl:{number}", source="jsonl", created_at=created, text=text, **fields)


class Feed:
    """Gives its events; the cursor is how many. After `pause_at` of them it waits until `released` is set."""

    name = "jsonl:test"

    def __init__(self, events: Sequence[Event], pause_at: int | None = None) -> None:
        self.opened_at: str | None = "never"
        self.released = asyncio.Event()
        self._events = events
        self._pause_at = pause_at
        self._given = 0

    async def open(self, cursor: str | None) -> None:
        self.opened_at = cursor
        self._given = int(cursor or 0)

    async def next_batch(self, limit: int) -> Sequence[Received]:
        end = min(self._given + limit, len(self._events))
        if self._pause_at is not None and not self.released.is_set():
            if self._given >= self._pause_at:
                await self.released.wait()
            else:
                end = min(end, self._pause_at)
        batch = [Received(self._events[number], str(number + 1)) for number in range(self._given, end)]
        self._given = end
        return batch

    def counts(self) -> Mapping[str, int]:
        return {}

    async def close(self) -> None: ...


def settings_for(kafka: Any, **given: object) -> Settings:
    """Settings with topics of this test's own."""
    prefix = f"test-{os.getpid()}-{next(_numbers)}."
    return Settings.model_validate({"kafka": kafka.specification, "topic_prefix": prefix, "partitions": 3} | given)


def records(settings: Settings, topic: str, *, committed: bool = False) -> list[Any]:
    """Everything on a topic, in order within each partition."""
    consumer = KafkaConsumer(
        bootstrap_servers=list(settings.kafka),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed" if committed else "read_uncommitted",
    )
    try:
        name = settings.topic_prefix + topic
        partitions = [TopicPartition(name, number) for number in sorted(consumer.partitions_for_topic(name) or ())]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        found: list[Any] = []
        while any(consumer.position(one) < ends[one] for one in partitions):
            for some in consumer.poll(timeout_ms=500).values():
                found += some
        return found
    finally:
        consumer.close(autocommit=False)


def saved_cursor(settings: Settings, source: str) -> str | None:
    """The newest committed cursor of a source."""
    values = [one.value for one in records(settings, "cursors", committed=True) if one.key == source.encode()]
    cursor: str | None = json.loads(values[-1])["cursor"] if values else None
    return cursor


def environment(settings: Settings) -> dict[str, str]:
    """The settings, for a process."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TAGSTREAM_")}
    return clean | {
        "TAGSTREAM_KAFKA": ",".join(settings.kafka),
        "TAGSTREAM_TOPIC_PREFIX": settings.topic_prefix,
        "TAGSTREAM_PARTITIONS": str(settings.partitions),
        "TAGSTREAM_IN_FLIGHT_POSTS": str(settings.in_flight_posts),
    }


def start_ingest(settings: Settings, source: str) -> "subprocess.Popen[str]":
    """`tagstream ingest` in a process of its own."""
    command = [sys.executable, "-m", "tagstream", "ingest", "--source", source, "--json"]
    return subprocess.Popen(
        command, env=environment(settings), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def write_feed(path: Path, posts: int) -> list[str]:
    """A feed of that many posts; the ids under which they are indexed, in order."""
    lines = [
        {"id": str(number), "text": f"Angela Merkel {number}", "created_at": 1_700_000_000} for number in range(posts)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return [f"jsonl:{line['id']}" for line in lines]
