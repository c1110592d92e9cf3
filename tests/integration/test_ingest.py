"""Ingest on a real broker: nothing is lost under kills and outages, and one owner a source."""

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from broker_client import Feed, environment, post, records, saved_cursor, settings_for, start_ingest, write_feed
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from oracle import truth

from ingest.cursors import CursorKeeper, Superseded
from ingest.publisher import EventPublisher
from ingest.records import dead_letter_record
from ingest.run import Ingest
from ingest.sources.jsonl.source import JsonlSource
from ingest.sources.simulate.source import SimulatedSource
from ops.stack.java import java
from search.open import open_index
from tagstream.codec import decode
from tagstream.dead_letter import dead_letter
from tagstream.errors import Fatal
from tagstream.kafka.admin import ensure_topics
from tagstream.kafka.dead_letters import BrokerDeadLetters
from tagstream.kafka.topics import observed_at, open_topics
from tagstream.posts import Author, DeadLetter, Deletion, Media, Post
from tagstream.settings import Settings
from workers.faust.dead_letter_sweep import sweep_dead_letters


def ready(kafka, **given) -> Settings:
    settings = settings_for(kafka, **given)
    ensure_topics(settings, open_topics(settings))
    return settings


async def ingest(source, settings):
    return await Ingest(source, settings, open_topics(settings)).run(asyncio.Event(), lambda _: None)


async def test_a_feed_is_on_the_broker_with_its_cursor(kafka):
    settings = ready(kafka)
    began = datetime.now(UTC)
    report = await ingest(SimulatedSource(7, 2000), settings)
    assert report.ended
    expected = truth(7, 2000)
    letters = {one.key.decode(): decode(one.value) for one in records(settings, "posts.dead")}
    assert letters.keys() == expected.dead_letters
    assert all(isinstance(one, DeadLetter) and one.origin == key for key, one in letters.items())
    found = records(settings, "posts")
    assert len(found) + len(records(settings, "posts.dead")) == report.progress.published
    assert expected.visible.keys() <= {one.key.decode() for one in found}
    partitions = {(one.key, one.partition) for one in found}
    assert len(partitions) == len({key for key, _ in partitions})
    assert {number for _, number in partitions} == {0, 1, 2}
    for one in found:
        accepted = observed_at(one.headers, 0)
        assert began - timedelta(milliseconds=1) <= accepted <= datetime.now(UTC)
    assert saved_cursor(settings, "simulate:7?posts=2000") == report.progress.cursor


async def test_a_second_run_goes_on_where_the_first_ended(kafka):
    settings = ready(kafka)
    first = Feed([post(number) for number in range(300)])
    await ingest(first, settings)
    second = Feed([post(number) for number in range(700)])
    await ingest(second, settings)
    assert second.opened_at == "300"
    assert Counter(one.key for one in records(settings, "posts")) == Counter(b"jsonl:%d" % n for n in range(700))


def test_kills_at_random_lose_nothing_and_no_cursor_is_ahead(kafka, tmp_path):
    settings = ready(kafka, in_flight_posts=512)
    feed = tmp_path / "feed.jsonl"
    source, ids = f"jsonl:{feed}", write_feed(feed, 8_000)
    chance = random.Random(4)
    interrupted = 0
    for _ in range(4):
        process = start_ingest(settings, source)
        wait_for_more(settings, source, process)
        time.sleep(chance.uniform(0, 0.5))
        process.kill()
        _, errors = process.communicate()
        assert process.returncode == -signal.SIGKILL, errors
        covered = line_of(saved_cursor(settings, source))
        present = {one.key.decode() for one in records(settings, "posts")}
        assert set(ids[:covered]) <= present
        interrupted += len(present) > covered
    assert interrupted > 0, "no kill met a post that was published and not yet covered by a cursor"
    process = start_ingest(settings, source)
    output, errors = process.communicate(timeout=120)
    assert json.loads(output)["ended"], errors
    assert {one.key.decode() for one in records(settings, "posts")} == set(ids)


def line_of(cursor: str | None) -> int:
    return int(cursor.split(":")[1]) if cursor else 0


def wait_for_more(settings, source, process) -> None:
    """Until this process has saved a cursor of its own."""
    before = line_of(saved_cursor(settings, source))
    while line_of(saved_cursor(settings, source)) == before:
        assert process.poll() is None, process.communicate()


def test_a_broker_that_is_killed_and_comes_back_costs_nothing(new_stack, tmp_path):
    stack = new_stack("kafka")
    settings = ready(stack.kafka, in_flight_posts=512)
    feed = tmp_path / "feed.jsonl"
    source, ids = f"jsonl:{feed}", write_feed(feed, 12_000)
    process = start_ingest(settings, source)
    wait_for_more(settings, source, process)
    stack.kafka.kill()
    began = time.monotonic()
    process.terminate()
    _, errors = process.communicate(timeout=15)
    assert time.monotonic() - began < 10
    assert process.returncode == 0, errors
    stack.kafka.start()
    stack.kafka.wait()
    assert line_of(saved_cursor(settings, source)) < len(ids), "it had already ended"

    process = start_ingest(settings, source)
    wait_for_more(settings, source, process)
    stack.kafka.kill()
    stack.kafka.start()
    stack.kafka.wait()
    assert line_of(saved_cursor(settings, source)) < len(ids), "it had already ended"
    output, errors = process.communicate(timeout=150)
    assert process.returncode == 0, errors
    assert json.loads(output)["ended"]
    assert {one.key.decode() for one in records(settings, "posts")} == set(ids)
    assert records(settings, "posts.dead") == []


def test_no_broker_at_the_start_is_exit_4(tmp_path):
    write_feed(tmp_path / "feed.jsonl", 1)
    process = start_ingest(Settings(kafka=("127.0.0.1:1",)), f"jsonl:{tmp_path / 'feed.jsonl'}")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 4
    assert "127.0.0.1:1" in errors
    assert "Traceback" not in errors


async def test_an_oversized_post_is_a_letter_and_the_others_pass(kafka):
    settings = ready(kafka)
    pictures = tuple(Media(thumbnail=bytes([number]) * 64 * 1024) for number in range(4))
    largest = post(1, "x", media=pictures)
    huge = post(2, "\U0001f30d" * 90_000, media=pictures, author=Author(id="a"))
    await ingest(Feed([post(0), largest, huge, post(3)]), settings)
    assert {one.key for one in records(settings, "posts")} == {b"jsonl:0", b"jsonl:1", b"jsonl:3"}
    assert [decode(one.value) for one in records(settings, "posts") if one.key == b"jsonl:1"] == [largest]
    [letter] = [decode(one.value) for one in records(settings, "posts.dead")]
    assert isinstance(letter, DeadLetter)
    assert (letter.cause, letter.post_id, letter.origin) == ("oversized", "jsonl:2", "jsonl:test@3")


async def test_an_older_owner_can_save_nothing_and_stops(kafka):
    settings = ready(kafka)
    topics = open_topics(settings)
    older = CursorKeeper(settings, topics, "feed")
    newer = CursorKeeper(settings, topics, "feed")
    other = CursorKeeper(settings, topics, "another feed")
    try:
        assert await older.claim() is None
        await other.claim()
        await older.save("1")
        assert await newer.claim() == "1"
        with pytest.raises(Superseded, match="another tagstream ingest reads feed"):
            await older.save("2")
        assert saved_cursor(settings, "feed") == "1"
        await newer.save("3")
        await other.save("9")
        assert saved_cursor(settings, "feed") == "3"
        assert saved_cursor(settings, "another feed") == "9"
    finally:
        for keeper in (older, newer, other):
            await keeper.close()


async def test_an_owner_whose_transaction_was_refused_goes_on_if_nobody_else_came(kafka):
    """As after an outage longer than a transaction may last: the same refusal as from a newer owner."""
    settings = ready(kafka)
    keeper = CursorKeeper(settings, open_topics(settings), "feed")
    try:
        await keeper.claim()
        fence = CursorKeeper(settings, open_topics(settings), "feed")
        await asyncio.to_thread(fence._fence)
        await fence.close()
        await keeper.save("1")
        assert saved_cursor(settings, "feed") == "1"
    finally:
        await keeper.close()


async def test_of_two_runs_over_one_source_the_older_stops(kafka):
    settings = ready(kafka)
    events = [post(number) for number in range(600)]
    older, newer = Feed(events, pause_at=100), Feed(events)
    first = asyncio.create_task(ingest(older, settings))
    while await asyncio.to_thread(saved_cursor, settings, "jsonl:test") != "100":
        assert not first.done()
    report = await ingest(newer, settings)
    assert (newer.opened_at, report.ended) == ("100", True)
    older.released.set()
    with pytest.raises(Superseded):
        await asyncio.wait_for(first, 20)
    assert saved_cursor(settings, "jsonl:test") == "600"


def setting(admin, topic: str, name: str) -> str:
    found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
    return found["topic"][topic][name]["value"]


def alter(admin, topic: str, name: str, value: str) -> None:
    """Sets it, and waits until the broker's answers show it, which comes a little later."""
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})])
    wait_until(lambda: setting(admin, topic, name) == value)


def wait_until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_topics_that_are_there_are_checked(kafka):
    settings = ready(kafka)
    topics = open_topics(settings)
    ensure_topics(settings, topics)
    admin = KafkaAdminClient(bootstrap_servers=list(settings.kafka))
    try:
        alter(admin, topics.posts.name, "max.message.bytes", "1000")
        ensure_topics(settings, topics)
        wait_until(lambda: setting(admin, topics.posts.name, "max.message.bytes") != "1000")
        assert setting(admin, topics.posts.name, "max.message.bytes") == str(topics.posts.max_message_bytes)
        more = open_topics(settings.model_copy(update={"partitions": 5}))
        with pytest.raises(Fatal, match="has 3 partitions and must have 5"):
            ensure_topics(settings, more)
        alter(admin, topics.dead.name, "cleanup.policy", "delete")
        with pytest.raises(Fatal, match=r"cleanup\.policy"):
            ensure_topics(settings, topics)
    finally:
        admin.close()


async def test_a_console_consumer_can_read_the_cursors(kafka):
    settings = ready(kafka)
    await ingest(Feed([post(1)]), settings)
    arguments = ["--bootstrap-server", kafka.specification, "--topic", f"{settings.topic_prefix}cursors"]
    # Two records: the source was claimed, and its cursor was saved.
    options = ["--from-beginning", "--max-messages", "2", "--isolation-level", "read_committed"]
    formatting = ["--property", "print.key=true"]
    command = [str(java()), *kafka._class_path(), "org.apache.kafka.tools.consumer.ConsoleConsumer"]
    done = await asyncio.to_thread(
        subprocess.run, [*command, *arguments, *options, *formatting], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[:500]
    # Its own log goes to standard output, too.
    lines = [line.split("\t") for line in done.stdout.splitlines() if line.startswith("jsonl:test\t")]
    assert [json.loads(value)["cursor"] for _, value in lines] == [None, "1"]


def run_cli(settings, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "tagstream", *arguments],
        check=False,
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


async def test_letters_are_listed_shown_requeued_and_swept(kafka, tmp_path):
    settings = ready(kafka)
    feed = tmp_path / "feed.jsonl"
    feed.write_text('{"id": "1", "text": 7, "created_at": 1}\n{nonsense\n')
    await ingest(JsonlSource(str(feed)), settings)
    topics = open_topics(settings)
    tagged_badly = [letter_of(post(number), f"posts-0-{number}") for number in (3, 4)]
    publisher = EventPublisher(settings, topics)
    await publisher.open()
    await (await publisher.publish([dead_letter_record(one, topics) for one in tagged_badly]))
    await publisher.close()
    on_broker = ("--kafka", kafka.specification, "--json")

    code, listed, said = run_cli(settings, "dead-letters", "list", *on_broker)
    assert (code, {one["origin"] for one in listed}) == (0, {f"{feed}:1", f"{feed}:2", "posts-0-3", "posts-0-4"})
    assert "4 dead letters: untaggable 2, " in said
    code, [shown], _ = run_cli(settings, "dead-letters", "show", f"{feed}:2", *on_broker)
    assert (code, shown["body"]) == (0, "{nonsense")
    assert run_cli(settings, "dead-letters", "show", "nowhere", *on_broker)[0] == 2

    code, [counts], said = run_cli(settings, "dead-letters", "requeue", "posts-0-3", *on_broker)
    assert (code, counts) == (0, {"succeeded": 1, "failed": 0, "left": 0}), said
    [again] = records(settings, "posts")
    assert (again.key, decode(again.value)) == (b"jsonl:3", post(3))
    code, [counts], said = run_cli(settings, "dead-letters", "requeue", "--all", "--cause", "invalid_json", *on_broker)
    assert (code, counts) == (0, {"succeeded": 0, "failed": 1, "left": 0}), said

    letters = BrokerDeadLetters(settings, topics)
    index = await open_index(f"sqlite:{tmp_path / 'index.db'}", create=True)
    try:
        await index.write([Deletion(id="jsonl:4", source="jsonl")])
        assert await sweep_dead_letters(letters, index) == 1
        assert await sweep_dead_letters(letters, index) == 0
        assert {one.origin async for one in letters.dead_letters()} == {f"{feed}:1", f"{feed}:2"}
        assert {one.origin async for one in index.dead_letters()} == {f"{feed}:1", f"{feed}:2"}
    finally:
        await index.close()
        await letters.close()


def letter_of(event: Post, origin: str) -> DeadLetter:
    return dead_letter(
        origin=origin,
        source=event.source,
        cause="untaggable",
        message="the model fails on it",
        body=event.model_dump_json().encode(),
        post_id=event.id,
    )
