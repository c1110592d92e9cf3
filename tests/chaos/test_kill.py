"""`kill -9` at any moment loses nothing and doubles nothing: the index ends as an uninterrupted run leaves it.

A kill counts only if it provably interrupted work: the process had read events that the saved cursor does not cover.
"""

import asyncio
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from crash_points import CrashPoint
from oracle import truth

from ingest.sources.open import open_source
from search.open import open_index
from tagstream.posts import DeadLetter, TaggedPost, to_epoch_milliseconds
from workers.tagger.stub import NAMES

KILLS = 10
POSTS = 6000
SEED = 11
BURST = (POSTS * 4 // 5, POSTS * 9 // 10)
DRIVER = Path(__file__).with_name("driver.py")
REPOSITORY = DRIVER.parents[2]


@dataclass(frozen=True)
class Remains:
    """All that a run leaves: what two runs are compared by."""

    documents: list[TaggedPost]
    hidden: list[TaggedPost]
    letters: list[DeadLetter]
    cursor: str | None
    trends: list[tuple[int, int, str]]
    events: list[tuple[str, int, str]]


def write_feed(path: Path, posts: int, seed: int) -> None:
    """A feed with everything that could go wrong twice: edits, deletions, erasures, repeats, rubbish, odd ids."""
    dice = random.Random(seed)
    names = list(NAMES)
    with path.open("wb") as file:
        for number in range(posts):
            line: dict[str, object] = {
                "id": number if number % 3 else f"n{number}",
                "text": f"{dice.choice(names)} and {dice.choice(names)} 🎉 #{dice.choice(names).replace(' ', '')}",
                "created_at": 1_700_000_000_000 + number * 2500,
                "author": f"a{dice.randrange(200)}",
                "lang": dice.choice(["en", "en", "en", "de", None]),
            }
            earlier = dice.randrange(max(1, number))
            chance = dice.random()
            if chance < 0.05:
                line |= {"id": earlier if earlier % 3 else f"n{earlier}", "revision": dice.randrange(4)}
            elif chance < 0.10:
                line = {"id": earlier if earlier % 3 else f"n{earlier}", "delete": True}
            elif chance < 0.11:
                line = {"author": f"a{dice.randrange(200)}", "erase": True}
            elif BURST[0] <= number < BURST[1] and chance < 0.5:
                said = " ".join("".join(dice.choices("abcdefghij", k=6)) for _ in range(6))
                line |= {"author": f"b{number}", "text": f"{said} explosion in Boston #boom"}
            elif chance > 0.9:
                line["created_at"] = 1_700_000_000_000 + number * 2500 - dice.randrange(1, 600) * 1000
            file.write(json.dumps(line).encode() + b"\n")
            if chance > 0.97:
                file.write(dice.choice([b"{", b"\xff\xfe\n", b"[]\n\n", b'{"id": 1}', b"x" * 3000]) + b"\n")


class Victim:
    """A pipeline over one feed and one database, which is run, killed, and run again."""

    def __init__(self, spec: str, folder: Path) -> None:
        self.spec = spec
        self.database = folder / "index.db"
        self._trace = folder / "trace"
        self._name = open_source(spec).name

    def start(self, order: str = "") -> "subprocess.Popen[bytes]":
        self._trace.unlink(missing_ok=True)
        command = [sys.executable, str(DRIVER), self.spec, str(self.database), str(self._trace), order]
        return subprocess.Popen(command, cwd=REPOSITORY, env={"PYTHONPATH": str(REPOSITORY)}, stderr=subprocess.PIPE)

    def finish(self) -> None:
        """Lets a run go to its end."""
        _, errors = (process := self.start()).communicate(timeout=300)
        assert process.returncode == 0, errors.decode()

    def read(self) -> tuple[int, str | None]:
        """How many events the last process read, and the cursor of the last of them."""
        try:
            count, _, cursor = self._trace.read_text().strip().partition(" ")
        except FileNotFoundError:
            return 0, None
        return int(count or 0), cursor or None

    def saved_cursor(self) -> str | None:
        """The cursor in the database, read without the project's code."""
        with closing(sqlite3.connect(self.database)) as connection:
            row = connection.execute("SELECT position FROM cursors WHERE source = ?", (self._name,)).fetchone()
        return None if row is None else str(row[0])

    def interrupted_work(self) -> bool:
        """Whether the process that died had read events that its saved cursor does not cover."""
        _, last_read = self.read()
        return last_read is not None and last_read != self.saved_cursor()

    def kill_after(self, events: int, pause_seconds: float) -> bool:
        """Starts it, kills it once it has read so many events; whether it still lived then."""
        process = self.start()
        try:
            end = time.monotonic() + 60
            while self.read()[0] < events and process.poll() is None:
                assert time.monotonic() < end, "the victim read nothing in a minute"
                time.sleep(0.001)
            time.sleep(pause_seconds)
            process.kill()
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode in (0, -signal.SIGKILL), errors.decode()
        return process.returncode == -signal.SIGKILL

    def remains(self) -> Remains:
        """Everything in the database."""
        return asyncio.run(self._remains())

    async def _remains(self) -> Remains:
        index = await open_index(f"sqlite:{self.database}", create=False)
        try:
            seen = [post async for post in index.documents()]
            seen_ids = {post.id for post in seen}
            return Remains(
                seen,
                [post async for post in index.documents(with_hidden=True) if post.id not in seen_ids],
                sorted([letter async for letter in index.dead_letters()], key=lambda letter: letter.origin),
                await index.cursor(self._name),
                self._rows("SELECT subject, minute, document FROM trends ORDER BY subject, minute"),
                self._rows("SELECT id, minute, document FROM event_states ORDER BY id, minute"),
            )
        finally:
            await index.close()

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the detectors have said, byte for byte, read without the project's code."""
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module", params=["jsonl", "simulate"])
def spec(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A feed of some thousand events."""
    if request.param == "simulate":
        return f"simulate:{SEED}?posts={POSTS}"
    feed = tmp_path_factory.mktemp("feed") / "feed.jsonl"
    write_feed(feed, POSTS, seed=SEED)
    return f"jsonl:{feed}"


@pytest.fixture(scope="module")
def whole(spec: str, tmp_path_factory: pytest.TempPathFactory) -> Remains:
    """What one uninterrupted run leaves of the feed."""
    runner = Victim(spec, tmp_path_factory.mktemp("whole"))
    runner.finish()
    return runner.remains()


def test_the_feed_of_these_tests_is_not_vacuous(whole: Remains) -> None:
    assert POSTS / 2 < len(whole.documents) <= POSTS
    assert sum(bool(post.entities) for post in whole.documents) > POSTS / 20
    assert len(whole.letters) > 10
    assert any(post.revision for post in whole.documents)
    assert len(whole.trends) > 20
    assert len(whole.events) > 5


def test_ten_kills_at_random_leave_what_an_uninterrupted_run_leaves(spec: str, whole: Remains, tmp_path: Path) -> None:
    victim = Victim(spec, tmp_path)
    dice = random.Random(2)
    counted = attempts = 0
    places: set[str | None] = set()
    while counted < KILLS:
        attempts += 1
        assert attempts <= 3 * KILLS, f"only {counted} of {attempts} kills interrupted work"
        if victim.kill_after(dice.randrange(1, 700), dice.random() * 0.03) and victim.interrupted_work():
            counted += 1
            places.add(victim.saved_cursor())
    assert len(places) >= KILLS // 2  # killed at different places, not ten times at the first batch
    victim.finish()

    remains = victim.remains()
    assert remains == whole
    assert not victim.interrupted_work()
    if spec.startswith("simulate:"):
        agree_with_the_oracle(remains)


def agree_with_the_oracle(remains: Remains) -> None:
    """Compares with what the simulator says, which was computed without any code of the pipeline."""
    expected = truth(SEED, POSTS)
    found = {post.id: post for post in remains.documents}
    assert found.keys() == expected.visible.keys()
    assert {post.id for post in remains.hidden} == expected.hidden.keys()
    assert expected.absent
    assert expected.hidden
    assert not found.keys() & expected.absent
    for post_id, post in found.items():
        want = expected.visible[post_id]
        assert (post.revision, post.text, post.author.id if post.author else None, post.lang, len(post.media)) == (
            want.revision,
            want.text,
            want.author,
            want.lang,
            want.photos,
        )
        assert to_epoch_milliseconds(post.created_at) == want.created_at_ms
    assert {letter.origin for letter in remains.letters} == expected.dead_letters


@pytest.mark.parametrize("point", list(CrashPoint))
def test_a_kill_at_each_point_of_the_pipeline_is_made_good(
    point: CrashPoint, spec: str, whole: Remains, tmp_path: Path
) -> None:
    victim = Victim(spec, tmp_path)
    for nth in (1, 7):
        process = victim.start(f"{point}:{nth}")
        _, errors = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, f"{point} was not reached: {errors.decode()}"
        assert victim.interrupted_work()
    victim.finish()
    assert victim.remains() == whole
