"""`tagstream watch`: what comes into the index is shown once, and an index that is away is waited for."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from search.cli.events import _EventFollower
from search.cli.following import follow, unless_stopped
from search.cli.trends import _TrendFollower
from search.index import EntityIndex
from search.sqlite.index import SqliteIndex
from search.testing.detecting import event, trend
from search.testing.posts import tagged, write
from tagstream.errors import CorruptState, IndexUnavailable
from tagstream.settings import Settings

Watching = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watching]:
    started = []

    def start(*arguments: str) -> "subprocess.Popen[bytes]":
        with (tmp_path / "notes").open("wb") as notes:
            process = subprocess.Popen(
                [sys.executable, "-m", "tagstream", "watch", "--index", "sqlite:index.db", *arguments],
                cwd=tmp_path,
                env={name: value for name, value in os.environ.items() if not name.startswith("TAGSTREAM_")},
                stdout=subprocess.PIPE,
                stderr=notes,
            )
        started.append(process)
        until(lambda: said(tmp_path, "watching", "Waiting") or process.poll() is not None)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def said(folder: Path, *words: str) -> bool:
    notes = (folder / "notes").read_text()
    return any(word in notes for word in words)


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def next_id(process: "subprocess.Popen[bytes]") -> str:
    assert process.stdout is not None
    found: str = json.loads(process.stdout.readline())["id"]
    return found


async def put(path: Path, *names: str, text: str = "green", minute: float = 0) -> None:
    index = await SqliteIndex.open(path)
    await write(index, *(tagged(name, text, minute=minute) for name in names))
    await index.close()


async def test_new_posts_are_shown_as_they_come_and_control_c_ends_it(tmp_path: Path, watch: Watching) -> None:
    await put(tmp_path / "index.db", "there")
    process = watch("green", "--json", "--last", "1")
    assert next_id(process) == "jsonl:there"
    await put(tmp_path / "index.db", "old", minute=-10_000)
    assert next_id(process) == "jsonl:old"
    await put(tmp_path / "index.db", "other", text="blue")
    await put(tmp_path / "index.db", "new", minute=5)
    assert next_id(process) == "jsonl:new"
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    notes = (tmp_path / "notes").read_text()
    assert "3 posts were shown" in notes
    assert "Traceback" not in notes


async def test_an_index_that_is_away_for_a_while_is_waited_for(tmp_path: Path, watch: Watching) -> None:
    path = tmp_path / "index.db"
    await put(path, "there")
    process = watch("green", "--json")
    path.rename(tmp_path / "away.db")
    until(lambda: "is gone" in (tmp_path / "notes").read_text())
    await put(tmp_path / "away.db", "meanwhile")
    (tmp_path / "away.db").rename(path)
    assert next_id(process) == "jsonl:meanwhile"
    assert (tmp_path / "notes").read_text().count("is gone") == 1


def test_what_is_no_query_or_no_index_is_refused(tmp_path: Path, watch: Watching) -> None:
    assert watch("person:").wait(30) == 2
    assert watch("--json", "--csv").wait(30) == 2
    (tmp_path / "index.db").mkdir()
    assert watch("green").wait(30) == 3
    assert "is a folder" in (tmp_path / "notes").read_text()


async def test_an_index_that_is_not_there_yet_is_waited_for_and_all_in_it_is_new(
    tmp_path: Path, watch: Watching
) -> None:
    process = watch("green", "--json")
    await put(tmp_path / "made.db", "first", "second")
    (tmp_path / "made.db").rename(tmp_path / "index.db")
    assert {next_id(process), next_id(process)} == {"jsonl:first", "jsonl:second"}
    await put(tmp_path / "index.db", "third")
    assert next_id(process) == "jsonl:third"
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    notes = (tmp_path / "notes").read_text()
    assert (notes.count("There is no index"), notes.count("3 posts were shown")) == (1, 1)


def test_control_c_ends_the_wait_for_an_index(tmp_path: Path, watch: Watching) -> None:
    process = watch("green")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert "Traceback" not in (tmp_path / "notes").read_text()


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("kind", [_EventFollower, _TrendFollower])
async def test_events_and_trends_of_an_index_that_was_waited_for_are_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool, kind: type[_EventFollower | _TrendFollower]
) -> None:
    monkeypatch.setattr("search.cli.following.LOOK_SECONDS", 0.01)
    path = tmp_path / "index.db"
    await put(tmp_path / "made.db", "a")
    index = await SqliteIndex.open(tmp_path / "made.db")
    await index.write_detections([trend("paris")], [event("e")])
    await index.close()
    if is_there:
        (tmp_path / "made.db").rename(path)
    stop, follower = asyncio.Event(), kind("table")
    following = asyncio.create_task(follow(Settings(index=f"sqlite:{path}"), follower, stop))
    await asyncio.sleep(0.2)
    if not is_there:
        path.touch()  # another process begins to make it
        await asyncio.sleep(0.1)
        (tmp_path / "made.db").rename(path)
    with suppress(TimeoutError):
        async with asyncio.timeout(1 if is_there else 30):
            while not follower.shown:  # noqa: ASYNC110  what another task does
                await asyncio.sleep(0.01)
    stop.set()
    await following
    assert follower.shown == (0 if is_there else 1)


class _Unreliable:
    """A follower whose looks end in these ways, one after the other; then it stops."""

    def __init__(self, stop: asyncio.Event, *outcomes: Exception | None) -> None:
        self.stop = stop
        self.outcomes = list(outcomes)
        self.begun = 0

    async def begin(self, _: EntityIndex, *, is_new: bool) -> None:
        assert not is_new
        self.begun += 1

    async def look(self, _: EntityIndex) -> None:
        if not self.outcomes:
            self.stop.set()
        elif (outcome := self.outcomes.pop(0)) is not None:
            raise outcome


async def test_an_outage_is_said_once_and_outlasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("search.cli.following.LOOK_SECONDS", 0.001)
    await put(tmp_path / "index.db", "there")
    stop = asyncio.Event()
    away = IndexUnavailable("The server is away.")
    follower = _Unreliable(stop, None, away, away, away, None, away)
    await follow(Settings(index=f"sqlite:{tmp_path}/index.db"), follower, stop)
    assert follower.begun == 1
    notes = capsys.readouterr().err
    assert (notes.count("is away"), notes.count("answers again")) == (2, 2)


async def test_damage_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.cli.following.LOOK_SECONDS", 0.001)
    await put(tmp_path / "index.db", "there")
    stop = asyncio.Event()
    with pytest.raises(CorruptState):
        await follow(Settings(index=f"sqlite:{tmp_path}/index.db"), _Unreliable(stop, CorruptState("damaged")), stop)


async def test_a_look_that_hangs_does_not_keep_it_from_stopping() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, stop.set)
    assert await asyncio.wait_for(unless_stopped(asyncio.sleep(60), stop), 5) is None
