"""Workers under fault, and what they did: started, killed, paused; offsets, topics and effects read from outside.

Nothing here uses the code under test to judge it: offsets and topics are read with another Kafka client, the effects
are counted in files, and the end state is built by the SQLite index and compared with the simulator's oracle.
"""

import asyncio
import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition
from oracle import truth

from ingest.publisher import OutgoingRecord
from ingest.records import records_of
from ingest.sources.open import open_source
from search.index import Change, Indexable
from search.open import open_index
from tagstream.kafka.admin import ensure_topics
from tagstream.kafka.topics import open_topics
from tagstream.posts import AccountStatus, Deletion, Erasure, TaggedPost
from tagstream.settings import load_settings

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
SEED = 11
POSTS = 1000
PARTITIONS = 4
SESSION_SECONDS = 6
OBSERVED_AT = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE_SECONDS = 90


def feed(prefix: str) -> list[OutgoingRecord]:
    """The simulated feed as ingest publishes it."""

    async def read() -> list[OutgoingRecord]:
        source = open_source(f"simulate:{SEED}?posts={POSTS}")
        await source.open(None)
        topics = open_topics(load_settings({"TAGSTREAM_TOPIC_PREFIX": prefix}))
        records: list[OutgoingRecord] = []
        while received := await source.next_batch(256):
            records += records_of(received, source.name, OBSERVED_AT, topics)
        await source.close()
        return records

    return asyncio.run(read())


class Worker:
    """One process."""

    def __init__(self, number: int, effects: Path, log: Path, environment: dict[str, str]) -> None:
        self.effects = effects
        self.log = log
        command = [sys.executable, str(HERE / "worker_process.py"), str(effects)]
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=output, stderr=output)
        self.number = number

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        return self.process.wait(seconds)

    def written(self) -> int:
        """How many changes it has put into the index."""
        return sum(len(changes) for changes in self.writes())

    def writes(self) -> Iterator[list[dict[str, Any]]]:
        """The batches that it has written; of one that is being written, or was when it died, nothing counts."""
        if self.effects.exists():
            whole, newline, _ = self.effects.read_bytes().rpartition(b"\n")
            yield from map(json.loads, (whole + newline).splitlines())

    def can_be_stopped(self) -> bool:
        """Whether there is a program yet, and not only an interpreter that looks for it."""
        return "started" in self.output()

    def is_ready(self) -> bool:
        """Whether it says that it is in the group and works."""
        address = re.search(r"http://\S+/health/ready", self.output())
        if address is None:
            return False
        try:
            with urlopen(address[0], timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def output(self) -> str:
        return self.log.read_text(errors="replace")


class Fleet:
    """All workers of one test, on topics of its own."""

    def __init__(self, brokers: str, prefix: str, folder: Path) -> None:
        self.brokers = brokers
        self.prefix = prefix
        self.folder = folder
        self.workers: list[Worker] = []
        self.feed: list[OutgoingRecord] = []
        self._dead_before = 0
        self._seen: list[Worker] = []
        self.restarts: Counter[str] = Counter()
        self.environment = {
            "PYTHONPATH": str(REPOSITORY),
            "TAGSTREAM_KAFKA": brokers,
            "TAGSTREAM_TOPIC_PREFIX": prefix,
            "TAGSTREAM_PARTITIONS": str(PARTITIONS),
            "TAGSTREAM_KAFKA_SESSION_SECONDS": str(SESSION_SECONDS),
            "TAGSTREAM_WORKER_HTTP": "127.0.0.1:0",
            "TAGSTREAM_BATCH_POSTS": "16",
            "TAGSTREAM_INFERENCE_THREADS": "1",
            "TAGSTREAM_IN_FLIGHT_POSTS": "64",
            "TAGSTREAM_STOP_SECONDS": "60",  # what is tried here is the order of a stop, on however busy a machine
        }
        settings = load_settings({k: v for k, v in self.environment.items() if k.startswith("TAGSTREAM_")})
        self.topics = open_topics(settings)
        ensure_topics(settings, self.topics)
        self._partitions = {
            name: [TopicPartition(name, number) for number in range(PARTITIONS)]
            for name in (self.topics.posts.name, self.topics.tagged.name)
        }
        self._dead = [TopicPartition(self.topics.dead.name, 0)]
        self.look()

    def look(self) -> None:
        """Connects to the broker."""
        self._reader = KafkaConsumer(
            bootstrap_servers=self.brokers, group_id=f"{self.prefix}tagstream-worker", enable_auto_commit=False
        )

    def look_away(self) -> None:
        """Disconnects: the client leaks a socket at each attempt to reach a broker that is away."""
        self._reader.close()

    def close(self) -> None:
        for worker in self.workers:
            worker.process.kill()
            worker.process.wait()
        self._reader.close()

    def publish(self, records: Sequence[OutgoingRecord]) -> None:
        with closing(KafkaProducer(bootstrap_servers=self.brokers)) as producer:
            sent = [producer.send(one.topic, key=one.key, value=one.value, headers=one.headers) for one in records]
            for one in sent:
                one.get(timeout=PATIENCE_SECONDS)

    def publish_some(self, number: int | None = None) -> None:
        """Publishes the next records of the feed, or all that are left."""
        some, self.feed = self.feed[:number], self.feed[len(self.feed[:number]) :]
        self.publish(some)

    def start(self, **environment: str) -> Worker:
        number = len(self.workers)
        worker = Worker(
            number, self.folder / f"effects-{number}", self.folder / f"log-{number}", self.environment | environment
        )
        self.workers.append(worker)
        return worker

    def restart_ended(self) -> None:
        """Starts another worker for each that has ended as a supervisor may see it end."""
        ended = [worker for worker in self.workers if worker.process.poll() in (1, 4) and worker not in self._seen]
        for worker in ended:
            self._seen.append(worker)
            reason = "Kafka does not answer" if worker.process.returncode == 4 else "stuck: "
            assert reason in worker.output(), worker.output()
            self.restarts[reason] += 1
            self.start()

    def committed(self, topic: str) -> int:
        """Records of all partitions of a topic that are acknowledged."""
        return sum(self._reader.committed(one) or 0 for one in self._partitions[topic])

    def published(self, topic: str) -> int:
        """Records that are on a topic."""
        return sum(self._reader.end_offsets(self._partitions.get(topic, self._dead)).values())

    def written(self) -> int:
        """Changes that all workers together have put into the index."""
        return sum(worker.written() for worker in self.workers)

    def lag(self) -> int:
        """Records that are not acknowledged."""
        return sum(self.published(name) - self.committed(name) for name in self._partitions)

    def unacknowledged_effects(self) -> int:
        """Effects that are there while their records are not acknowledged: what a fault interrupts."""
        posts, tagged = self.topics.posts.name, self.topics.tagged.name
        dead = self.published(self.topics.dead.name) - self._dead_before
        return (self.published(tagged) + dead - self.committed(posts)) + (self.written() - self.committed(tagged))

    def note_dead_letters(self) -> None:
        """Leaves out of the count the letters that ingest itself has published."""
        self._dead_before = self.published(self.topics.dead.name)

    def until(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Waits until something is seen from outside, which no event of ours announces."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"{what}: not within {seconds} s\n{self.logs()}"
            time.sleep(0.1)

    def until_written(self, more: int) -> None:
        goal = self.written() + more
        self.until(lambda: self.written() >= goal, f"{more} more changes in the index")

    def until_done(self) -> None:
        """Until all that was published is acknowledged, on both topics."""
        self.until(lambda: self.lag() == 0, "everything acknowledged")

    def stop_all(self) -> None:
        """SIGTERM for those that run; each must end with 0."""
        running = [worker for worker in self.workers if worker.process.poll() is None]
        for worker in running:
            worker.signal(signal.SIGTERM)
        for worker in running:
            assert worker.wait() == 0, worker.output()

    def logs(self) -> str:
        return "\n".join(f"--- worker {worker.number}\n{worker.output()[-3000:]}" for worker in self.workers)

    def read(self, topic: str) -> list[Any]:
        """All records of a topic."""
        with closing(KafkaConsumer(bootstrap_servers=self.brokers, auto_offset_reset="earliest")) as consumer:
            partitions = [
                TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())
            ]
            consumer.assign(partitions)
            ends = consumer.end_offsets(partitions)
            consumer.seek_to_beginning(*partitions)
            records: list[Any] = []
            while any(consumer.position(one) < ends[one] for one in partitions):
                records += [record for group in consumer.poll(500).values() for record in group]
            return records

    def detection_lag(self) -> int:
        """Records of `mentions` and `trends` that are not acknowledged: that no snapshot holds."""
        lag = 0
        for topic in (self.topics.mentions, self.topics.trends):
            for one, end in self._reader.end_offsets(
                [TopicPartition(topic.name, number) for number in range(topic.partitions)]
            ).items():
                lag += end - (self._reader.committed(one) or 0)
        return lag

    def said(self) -> dict[tuple[str, str], set[str]]:
        """Every document of trends and events by its identity, with all that was ever written under it."""
        found: dict[tuple[str, str], set[str]] = {}
        for worker in self.workers:
            path = worker.effects.with_name(f"{worker.effects.name}.said")
            if path.exists():
                whole, newline, _ = path.read_bytes().rpartition(b"\n")
                for kind, name, document in map(json.loads, (whole + newline).splitlines()):
                    found.setdefault((kind, name), set()).add(document)
        return found

    def changes(self) -> Iterator[Change]:
        """What all workers put into the index."""
        for worker in self.workers:
            for changes in worker.writes():
                yield from map(_change, changes)

    def assert_everything_once(self, *, more_letters: int = 0) -> None:
        """The index that these effects make holds every post of the oracle, and nothing else is anywhere."""
        visible = asyncio.run(self._visible())
        expected = truth(SEED, POSTS)
        letters = {record.key.decode() for record in self.read(self.topics.dead.name) if record.value is not None}
        found = {key: (post.revision, post.text) for key, post in visible.items()}
        wanted_posts = {key: (post.revision, post.text) for key, post in expected.visible.items()}
        wrong = {key for key in found.keys() | wanted_posts.keys() if found.get(key) != wanted_posts.get(key)}
        assert not wrong, "\n".join(
            [
                f"new dead letters: {letters - expected.dead_letters}",
                *(f"{key}: {found.get(key)} instead of {wanted_posts.get(key)}" for key in sorted(wrong)[:20]),
                *(f"written of it: {line}" for line in self._written_of(wrong)),
                self.logs(),
            ]
        )
        assert letters >= expected.dead_letters
        assert len(letters) == len(expected.dead_letters) + more_letters
        wanted = {(change.post.id, change.post.revision) for change in self.changes() if isinstance(change, Indexable)}
        assert wanted
        batches = [json.loads(record.value) for record in self.read(self.topics.mentions.name)]
        mentioned = {(post["post_id"], post["revision"]) for batch in batches for post in batch["posts"]}
        assert mentioned <= wanted
        assert len(mentioned) > len(wanted) / 2  # the others were late, or name nothing

    def _written_of(self, wrong: set[str]) -> Iterator[str]:
        """What each worker wrote of some posts, and what else may have taken them away."""
        for worker in self.workers:
            for number, changes in enumerate(worker.writes()):
                for change in changes:
                    if change["kind"] in ("Erasure", "AccountStatus") or any(key in change["json"] for key in wrong):
                        yield f"worker {worker.number} batch {number}: {json.dumps(change)[:300]}"

    async def _visible(self) -> dict[str, TaggedPost]:
        index = await open_index(f"sqlite:{self.folder / 'built.db'}")
        try:
            changes = list(self.changes())
            for start in range(0, len(changes), 500):
                await index.write(changes[start : start + 500])
            return {post.id: post async for post in index.documents()}
        finally:
            await index.close()

    def repeats(self) -> tuple[int, int]:
        """Posts tagged more than once and changes written more than once, though their feed had them once."""
        tagged = self.read(self.topics.tagged.name)
        dead = self.published(self.topics.dead.name) - self._dead_before
        return len(tagged) + dead - self.published(self.topics.posts.name), self.written() - len(tagged)


def _change(document: dict[str, Any]) -> Change:
    match document["kind"]:
        case "post":
            post = TaggedPost.model_validate_json(document["json"])
            return Indexable(post, datetime.fromisoformat(document["observed_at"]), document["position"])
        case "Deletion":
            return Deletion.model_validate_json(document["json"])
        case "Erasure":
            return Erasure.model_validate_json(document["json"])
        case _:
            return AccountStatus.model_validate_json(document["json"])
