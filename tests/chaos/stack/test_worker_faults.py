"""Faults of workers and of the broker, on a real broker: nothing is lost, nothing is there that should not be.

A fault counts only if it provably interrupted work: effects were there whose records were not acknowledged.
"""

import json
import signal
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fleet import POSTS, Fleet, feed

from ingest.publisher import OutgoingRecord
from tagstream.posts import CONTRACT_VERSION

_numbers = count(1)
_ONE_FEED = "feed."
AWAY_SECONDS = 3


@pytest.fixture(scope="module")
def records() -> list[OutgoingRecord]:
    return feed(_ONE_FEED)


def fleet_on(brokers: str, records: list[OutgoingRecord], folder: Path) -> Fleet:
    """A fleet on topics of its own that hold the first half of the feed; `publish_rest` adds the other."""
    fleet = Fleet(brokers, f"chaos{next(_numbers)}.", folder)
    mine = [one._replace(topic=fleet.prefix + one.topic.removeprefix(_ONE_FEED)) for one in records]
    letters = [one for one in mine if one.topic == fleet.topics.dead.name]
    fleet.feed = [one for one in mine if one.topic == fleet.topics.posts.name]
    assert len(fleet.feed) > POSTS
    fleet.publish(letters)
    fleet.note_dead_letters()
    fleet.publish_some(len(fleet.feed) // 2)
    return fleet


@pytest.fixture
def fleet(kafka: Any, records: list[OutgoingRecord], tmp_path: Path) -> Iterator[Fleet]:
    fleet = fleet_on(kafka.specification, records, tmp_path)
    yield fleet
    fleet.close()


def strike(fleet: Fleet, victim: Any, *signals: signal.Signals) -> None:
    """Stands the victim still, sees that it has done what it has not acknowledged, and lets the signals take it."""
    for _ in range(20):
        victim.signal(signal.SIGSTOP)
        if fleet.unacknowledged_effects() > 0 and fleet.lag() > 0:
            for number in signals:
                victim.signal(number)
            return
        victim.signal(signal.SIGCONT)
        time.sleep(0.05)  # whatever moment comes next will do
    raise AssertionError(f"no fault interrupted anything: lag {fleet.lag()}")


def test_killed_twice_in_mid_batch(fleet: Fleet) -> None:
    for more in (60, 150):
        victim = fleet.start()
        fleet.until_written(more)
        strike(fleet, victim, signal.SIGKILL)
        assert victim.wait() == -signal.SIGKILL
    fleet.publish_some()
    fleet.start()
    fleet.until_done()
    fleet.stop_all()
    fleet.assert_everything_once()


def test_a_stopped_worker_finishes_what_it_took_and_nothing_of_it_is_repeated(fleet: Fleet) -> None:
    for more in (60, 150):
        fleet.publish_some(len(fleet.feed) // 6)  # a worker that stops finishes all that it took, which may be a lot
        worker = fleet.start()
        fleet.until_written(more)
        strike(fleet, worker, signal.SIGTERM, signal.SIGCONT)
        assert worker.wait() == 0, worker.output()
        assert "\nstopped\n" in worker.output(), worker.output()
        assert fleet.lag() > 0, "it was stopped after its work, not in it"
        assert fleet.unacknowledged_effects() == 0
    fleet.publish_some()
    fleet.start()
    fleet.until_done()
    fleet.stop_all()
    assert fleet.repeats() == (0, 0)
    fleet.assert_everything_once()


def test_a_worker_that_stands_still_loses_its_partitions_and_does_no_harm_when_it_wakes(fleet: Fleet) -> None:
    sleeper = fleet.start()
    fleet.until_written(80)
    strike(fleet, sleeper)
    before = fleet.committed(fleet.topics.posts.name)
    other = fleet.start()
    fleet.publish_some()
    fleet.until(lambda: other.written() > 100, "another takes over")
    fleet.until(lambda: fleet.committed(fleet.topics.posts.name) > before, "it commits what it took over")
    sleeper.signal(signal.SIGCONT)
    fleet.until_done()
    assert sleeper.process.poll() is None, sleeper.output()
    fleet.stop_all()
    fleet.assert_everything_once()


def test_a_second_worker_joins_and_leaves(fleet: Fleet) -> None:
    first = fleet.start()
    fleet.until_written(60)
    strike(fleet, first, signal.SIGCONT)
    second = fleet.start()
    fleet.until(second.is_ready, "the second is in the group")
    fleet.publish_some()
    fleet.until(lambda: second.written() > 60, "the second gets its share")
    strike(fleet, second, signal.SIGTERM, signal.SIGCONT)
    assert second.wait() == 0, second.output()
    fleet.until_done()
    fleet.stop_all()
    fleet.assert_everything_once()


def test_the_broker_is_killed_and_comes_back(new_stack: Any, records: list[OutgoingRecord], tmp_path: Path) -> None:
    broker = new_stack("kafka").kafka
    fleet = fleet_on(broker.specification, records, tmp_path)
    try:
        worker = fleet.start()
        fleet.until_written(80)
        strike(fleet, worker)
        fleet.look_away()
        broker.kill()
        worker.signal(signal.SIGCONT)
        time.sleep(AWAY_SECONDS)  # long enough for every request of the worker to have failed
        assert worker.process.poll() is None, worker.output()
        broker.start()
        broker.wait()
        fleet.look()
        fleet.publish_some()
        fleet.until_done()
        assert worker.process.poll() is None, worker.output()
        fleet.stop_all()
        fleet.assert_everything_once()
    finally:
        fleet.close()


def test_poison_in_every_topic_is_kept_and_stops_nobody(fleet: Fleet) -> None:
    posts, tagged = fleet.topics.posts.name, fleet.topics.tagged.name
    huge = b"\xc1" * 100_000
    fleet.publish(
        [
            OutgoingRecord(posts, b"x:1", b"\xc1 no MessagePack", []),
            OutgoingRecord(posts, b"x:2", b"", [("observed_at", b"soon")]),
            OutgoingRecord(posts, b"\xff\xfe", huge, []),
            OutgoingRecord(posts, b"x:3", None, []),
            OutgoingRecord(tagged, b"x:4", b"{", []),
            OutgoingRecord(tagged, b"x:5", b"{}", [("kind", b"\xff")]),
            OutgoingRecord(tagged, b"x:6", b"{}", [("kind", b"deletion")]),
            OutgoingRecord(tagged, b"x:7", None, []),
        ]
    )
    fleet.publish_some()
    fleet.start()
    fleet.until_done()
    fleet.stop_all()
    fleet.assert_everything_once(more_letters=6)
    kept = {record.key.decode() for record in fleet.read(fleet.topics.dead.name)}
    assert sum(key.startswith(f"{posts}-") for key in kept) == 3


def test_what_a_newer_tagstream_wrote_stops_the_worker_and_is_not_lost(fleet: Fleet) -> None:
    newer = json.dumps({"version": CONTRACT_VERSION + 1}).encode()
    fleet.publish([OutgoingRecord(fleet.topics.tagged.name, b"x:1", newer, [])])
    worker = fleet.start()
    assert worker.wait() == 1
    assert "newer tagstream" in worker.output()
    assert fleet.lag() > 0
