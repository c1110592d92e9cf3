"""The whole distributed shape under the fall of each of its parts: what the index then holds is what the oracle says.

Real Kafka, Elasticsearch and Triton, and our commands as an operator starts them. Each part is killed with SIGKILL
while a worker holds work that is not acknowledged, and stays away for longer than every timeout (they are settings).
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from oracle import truth

from tagstream.settings import REPOSITORY
from workers.models.repository import open_version

SHIPPED = open_version(REPOSITORY / "triton_models")
SEED = 23
# So many that there is work left at every fall, however fast the machine catches up between two of them.
POSTS = 6000
BETWEEN_FALLS = 200
TIMEOUT_SECONDS = 2
AWAY_SECONDS = 10
PATIENCE_SECONDS = 240
STANDSTILL_SECONDS = 60


class Site:
    """An installation on a stack of its own."""

    def __init__(self, stack: Any, folder: Path) -> None:
        self.stack = stack
        self._folder = folder
        self._started: list[subprocess.Popen[str]] = []
        self._pages: dict[int, str] = {}
        # One client: each one reads all certificates of the system at its start, which took half a core here.
        self._http = httpx.Client(trust_env=False, timeout=30)
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("TAGSTREAM_")}
        self._environment |= stack.variables() | {
            "TAGSTREAM_ELASTICSEARCH_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
            "TAGSTREAM_MODEL_DEADLINE_SECONDS": str(TIMEOUT_SECONDS),
            "TAGSTREAM_KAFKA_SESSION_SECONDS": "6",
            # With fewer posts before the tagger, those behind a long one are in the index sooner.
            "TAGSTREAM_IN_FLIGHT_POSTS": "256",
            "TAGSTREAM_WORKER_HTTP": "127.0.0.1:0",
        }

    def start(self, *command: str) -> subprocess.Popen[str]:
        log = (self._folder / f"{len(self._started)}-{command[0]}.log").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "tagstream", *command],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=log,
            text=True,
        )
        log.close()
        self._started.append(process)
        return process

    def start_worker(self) -> subprocess.Popen[str]:
        worker = self.start("worker")
        log = self._folder / f"{len(self._started) - 1}-worker.log"
        found = until(lambda: re.search(r"health at (\S+)/health/ready", log.read_text()))
        self._pages[worker.pid] = found[1]
        return worker

    def in_flight(self, worker: subprocess.Popen[str]) -> int:
        """How many records a worker has taken and not acknowledged."""
        page = self._http.get(f"{self._pages[worker.pid]}/metrics").text
        return sum(int(float(line.split()[-1])) for line in page.splitlines() if line.startswith(_IN_FLIGHT))

    def kept(self) -> int:
        try:
            return int(
                self._http.get(f"{self.stack.elasticsearch.url}/tagstream-posts-*/_count").json().get("count", 0)
            )
        except httpx.HTTPError:
            return 0

    def until_it_stands_still(self) -> None:
        """Waits until no post has come into the index for a while, however slow the machine is."""
        kept, since = self.kept(), time.monotonic()
        while time.monotonic() < since + STANDSTILL_SECONDS:
            time.sleep(1)
            if (now := self.kept()) != kept:
                kept, since = now, time.monotonic()

    def thumbnails(self) -> int:
        """How many the media store holds."""
        where = f"{self.stack.elasticsearch.url}/tagstream-media-*"
        self._http.post(f"{where}/_refresh").raise_for_status()
        return int(self._http.get(f"{where}/_count").raise_for_status().json()["count"])

    def answer(self, *command: str) -> list[dict[str, Any]]:
        """What a command prints."""
        process = subprocess.run(
            [sys.executable, "-m", "tagstream", *command],
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_SECONDS,
        )
        # Not `splitlines`: a post may hold U+2028, which ends a line there and not in JSON Lines.
        return [json.loads(line) for line in process.stdout.split("\n") if line]

    def close(self) -> None:
        self._http.close()
        for process in self._started:
            process.kill()
            process.wait()


Answer = TypeVar("Answer")

_IN_FLIGHT = "tagstream_worker_in_flight{"


def until(look: Callable[[], Answer], seconds: float = PATIENCE_SECONDS) -> Answer:
    """The first answer that is not empty."""
    end = time.monotonic() + seconds
    while not (answer := look()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return answer


@pytest.fixture
def site(new_stack: Any, tmp_path: Path) -> Iterator[Site]:
    site = Site(new_stack(), tmp_path)
    yield site
    site.close()


def test_whatever_falls_nothing_is_lost_nothing_doubles_and_nothing_is_called_poison(site: Site) -> None:
    expected = truth(SEED, POSTS)
    kept = expected.visible | expected.hidden
    ingest = site.start("ingest", "--source", f"simulate:{SEED}?posts={POSTS}", "--until-end")
    workers = [site.start_worker(), site.start_worker()]
    parts = [site.stack.triton, site.stack.elasticsearch, site.stack.kafka]
    for part in parts:
        before = site.kept()
        until(lambda before=before: site.kept() > before + BETWEEN_FALLS)
        until(lambda: any(site.in_flight(worker) for worker in workers))
        at_the_fall = site.kept()
        part.kill()
        assert 0 < at_the_fall < len(kept), "the fall must come while there is work"
        time.sleep(AWAY_SECONDS)
        part.start()
        part.wait()
    until(lambda: site.kept() > len(kept) // 2)
    until(lambda: site.in_flight(workers[0]))
    workers[0].send_signal(signal.SIGKILL)
    workers[0] = site.start_worker()
    site.until_it_stands_still()
    assert site.kept() == len(kept)
    until(lambda: not any(map(site.in_flight, workers)))
    assert ingest.wait(PATIENCE_SECONDS) == 0

    found = {document["id"]: document for document in site.answer("dump", "--kind", "posts") if "id" in document}
    assert found.keys() == kept.keys()
    assert expected.absent
    assert {post_id: post["text"] for post_id, post in found.items()} == {
        post_id: post.text for post_id, post in kept.items()
    }
    assert {post["model"] for post in found.values()} == {f"mner@{SHIPPED.version}+image_encoder@1"}
    photos = {
        (post_id, media["sha256"])
        for post_id, post in found.items()
        for media in post["media"]
        if media["sha256"] and not media["reason"]
    }
    assert photos
    assert site.thumbnails() == len(photos)
    letters = site.answer("dead-letters", "list", "--kafka", site.stack.kafka.specification, "--json")
    assert {letter["origin"] for letter in letters} == expected.dead_letters
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    assert [worker.wait(30) for worker in workers] == [0, 0]
