"""Trends and events on a real broker: kills, a rebalance and restarts leave what an undisturbed worker says.

Whatever is written again under one identity must be the same, byte for byte.
"""

import asyncio
import json
import random
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fleet import OBSERVED_AT, PARTITIONS, Fleet

from ingest.publisher import OutgoingRecord
from ingest.records import records_of
from ingest.sources.open import open_source
from tagstream.kafka.topics import open_topics
from tagstream.settings import load_settings

POSTS = 3600
SECONDS_APART = 4
START = datetime(2023, 11, 14, 22, 13, tzinfo=UTC)
BURST = range(2600, 3000)
# Minutes that every run closes, whatever its last batch was.
COMPARED_BEFORE = START + timedelta(minutes=POSTS * SECONDS_APART // 60 - 10)
# The whole feed, on a machine that has other work.
PATIENCE_SECONDS = 300
_numbers = count(1)


def write_feed(path: Path) -> None:
    chance = random.Random(5)
    lines: list[dict[str, object]] = []
    for number in range(POSTS):
        said = " ".join("".join(chance.choices("abcdefghij", k=6)) for _ in range(6))
        burst = number in BURST and chance.random() < 0.5
        late = chance.choice((0, 0, 0, 0, 0, 60, 120, 600))
        time = START + timedelta(seconds=number * SECONDS_APART - late)
        lines.append(
            {
                "id": number,
                "author": f"a{chance.randrange(3000)}",
                "text": f"{said} {'explosion in Boston #boom' if burst else ''}",
                "created_at": int(time.timestamp() * 1000),
                "lang": "en",
            }
        )
        if chance.random() < 0.03:
            lines.append({"id": chance.randrange(number + 1), "delete": True})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def records_in(path: Path, prefix: str) -> list[OutgoingRecord]:
    async def read() -> list[OutgoingRecord]:
        source = open_source(f"jsonl:{path}")
        await source.open(None)
        topics = open_topics(load_settings({"TAGSTREAM_TOPIC_PREFIX": prefix}))
        records: list[OutgoingRecord] = []
        while received := await source.next_batch(256):
            records += records_of(received, source.name, OBSERVED_AT, topics)
        await source.close()
        return records

    return asyncio.run(read())


@pytest.fixture(scope="module")
def feed_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("feed") / "feed.jsonl"
    write_feed(path)
    return path


def open_fleet(kafka: Any, feed_file: Path, folder: Path) -> Fleet:
    fleet = Fleet(kafka.specification, f"detection{next(_numbers)}.", folder)
    fleet.environment |= {"TAGSTREAM_DETECTOR_SNAPSHOT_SECONDS": "1", "TAGSTREAM_BATCH_POSTS": "64"}
    fleet.feed = records_in(feed_file, fleet.prefix)
    return fleet


@pytest.fixture
def fleet(kafka: Any, feed_file: Path, tmp_path: Path) -> Iterator[Fleet]:
    fleet = open_fleet(kafka, feed_file, tmp_path)
    yield fleet
    fleet.close()


def finished(fleet: Fleet) -> dict[tuple[str, str], str]:
    """What the fleet says of the minutes that are compared, when all is done."""
    fleet.until(lambda: fleet.lag() == 0, "everything acknowledged", PATIENCE_SECONDS)
    fleet.until(lambda: fleet.detection_lag() == 0, "everything in a snapshot", PATIENCE_SECONDS)
    fleet.stop_all()
    found: dict[tuple[str, str], str] = {}
    for name, documents in fleet.said().items():
        assert len(documents) == 1, f"{name} was said in {len(documents)} ways: {sorted(documents)}"
        (document,) = documents
        if datetime.fromisoformat(json.loads(document)["minute"]) < COMPARED_BEFORE:
            found[name] = document
    return found


@pytest.fixture(scope="module")
def undisturbed(kafka: Any, feed_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    fleet = open_fleet(kafka, feed_file, tmp_path_factory.mktemp("undisturbed"))
    try:
        fleet.publish_some()
        fleet.start()
        return finished(fleet)
    finally:
        fleet.close()


def test_the_feed_of_these_tests_is_not_vacuous(undisturbed: dict[tuple[str, str], str]) -> None:
    assert sum(kind == "trend" for kind, _ in undisturbed) > 20
    assert any("boston" in document for (kind, _), document in undisturbed.items() if kind == "event")


def test_kills_change_nothing_of_what_is_said(fleet: Fleet, undisturbed: dict[tuple[str, str], str]) -> None:
    kills = 0
    while fleet.feed:
        fleet.publish_some(POSTS // 4)
        victim = fleet.start()
        fleet.until_written(500)
        fleet.until(lambda: fleet.detection_lag() > 0, "mentions that no snapshot holds")
        victim.signal(signal.SIGKILL)
        victim.wait()
        kills += 1
    assert kills >= 4
    fleet.start()
    assert finished(fleet) == undisturbed


def test_a_rebalance_changes_nothing_of_what_is_said(fleet: Fleet, undisturbed: dict[tuple[str, str], str]) -> None:
    fleet.publish_some(POSTS // 2)
    first = fleet.start()
    fleet.until_written(400)
    second = fleet.start()
    fleet.until(second.is_ready, "the second is in the group")
    fleet.publish_some()
    fleet.until(lambda: second.written() > 100, "the second gets its share")
    first.signal(signal.SIGTERM)
    assert first.wait() == 0, first.output()
    third = fleet.start()
    fleet.until(third.is_ready, "the third is in the group")
    second.signal(signal.SIGKILL)
    second.wait()
    assert finished(fleet) == undisturbed
    assert PARTITIONS > 1
