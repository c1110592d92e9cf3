"""`tagstream worker` as a user starts it, on a real broker: what it indexes, what it says, how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60
LINES = [
    {"id": 1, "text": "Angela Merkel lands in Berlin", "created_at": 1_700_000_000_000, "author": "a", "lang": "en"},
    {"id": 2, "text": "Berlin is gone", "created_at": 1_700_000_001_000, "author": "b", "lang": "en"},
    {"id": 2, "delete": True},
    {"id": 3, "text": "Tokyo", "created_at": 1_700_000_002_000, "author": "a", "lang": "en"},
]
# No post for two reasons, so each becomes a dead letter; the second is deleted.
BAD_LINES = [
    {"id": 4, "text": 7, "created_at": 1_700_000_003_000},
    {"id": 5, "text": 7, "created_at": 1_700_000_004_000},
    {"id": 5, "delete": True},
]


def tagstream(*arguments: str, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tagstream", *arguments],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def worker(database: Path, environment: Mapping[str, str]) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A worker that has joined its group, and the address of its page."""
    process = tagstream("worker", "--models", "stub:", "--index", f"sqlite:{database}", environment=environment)
    try:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert "/health/ready" in first, first + process.stderr.read()
        page = first.split("health at ")[1].strip().removesuffix("/health/ready")
        until(lambda: answers(f"{page}/health/ready"))
        yield process, page
    finally:
        process.kill()
        process.communicate()


def answers(url: str) -> str:
    try:
        with urlopen(url, timeout=5) as answer:
            body: str = answer.read().decode()
            return body
    except OSError:
        return ""


def finished(metrics: str) -> bool:
    """Whether the index agent is done with the feed: three posts, stored or too late, and two deletions."""
    counts = {
        line.split('outcome="')[1].split('"')[0]: float(line.split()[-1])
        for line in metrics.splitlines()
        if line.startswith('tagstream_worker_records_total{agent="index"')
    }
    return sum(counts.values()) == len(LINES) + 1


def figure(metrics: str, name: str, stage: str) -> float:
    """A figure of a stage, over all its other labels."""
    samples = chain.from_iterable(family.samples for family in text_string_to_metric_families(metrics))
    wanted = f"tagstream_worker_{name}"
    found = [sample.value for sample in samples if sample.name == wanted and sample.labels["stage"] == stage]
    assert found, f"no {wanted} of {stage} in {metrics}"
    return sum(found)


def letters(environment: Mapping[str, str]) -> list[str]:
    """The origins of the dead letters on the broker."""
    process = tagstream(
        "dead-letters", "list", "--kafka", environment["TAGSTREAM_KAFKA"], "--json", environment=environment
    )
    listed, errors = process.communicate()
    assert process.returncode == 0, errors
    return [json.loads(line)["origin"] for line in listed.splitlines()]


def until(condition: Any) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_feed_goes_through_ingest_and_a_worker_into_the_index(kafka: Any, tmp_path: Path) -> None:
    environment = {
        "TAGSTREAM_KAFKA": kafka.specification,
        "TAGSTREAM_TOPIC_PREFIX": "worker-test.",
        "TAGSTREAM_WORKER_HTTP": "127.0.0.1:0",
        "TAGSTREAM_DEAD_LETTER_SWEEP_SECONDS": "1",
    }
    feed, database = tmp_path / "feed.jsonl", tmp_path / "index.db"
    feed.write_text("".join(json.dumps(line) + "\n" for line in LINES + BAD_LINES))
    ingest = tagstream("ingest", "--source", f"jsonl:{feed}", "--until-end", environment=environment)
    _, errors = ingest.communicate()
    assert ingest.returncode == 0, errors
    with worker(database, environment) as (process, page):
        until(lambda: finished(answers(f"{page}/metrics")))
        assert json.loads(answers(f"{page}/health/live"))["ok"]
        assert figure(answers(f"{page}/metrics"), "batch_posts_total", "tag") == len(LINES) + 1
        assert 1 <= figure(answers(f"{page}/metrics"), "batches_total", "tag") <= len(LINES) + 1
        until(lambda: letters(environment) == [f"{feed}:5"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    dumped, _ = tagstream(
        "dump", "--kind", "posts", "--index", f"sqlite:{database}", environment=environment
    ).communicate()
    posts = [json.loads(line) for line in dumped.splitlines()]
    assert [post["text"] for post in posts] == ["Angela Merkel lands in Berlin", "Tokyo"]
    assert [entity["key"] for entity in posts[0]["entities"]] == ["angela merkel", "berlin"]


def test_without_a_broker_it_says_so_and_ends_with_4(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        process = tagstream(
            "worker", "--models", "stub:", "--index", f"sqlite:{tmp_path / 'a.db'}", "--kafka", address, environment={}
        )
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 4, errors
    assert address in errors
