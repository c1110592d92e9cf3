"""Recordings: what is read back is what was given, through kills, restarts, and full disks."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.sources.formats.compressed import compression_named
from ingest.sources.formats.lines import MAX_LINE_BYTES
from ingest.sources.jsonl.document import read_line
from ingest.sources.jsonl.reading import DocumentEvents
from ingest.sources.jsonl.source import JsonlSource
from ingest.sources.simulate.source import SimulatedSource
from ingest.sources.wrappers.recording import OVERSIZED, RecordingSource, recorded_line
from tagstream.cli.commands import application
from tagstream.cli.errors import run_guarded
from tagstream.dead_letter import dead_letter
from tagstream.errors import BadSettings, Fatal, UnreadableInput
from tagstream.posts import (
    MAX_REVISION,
    AccountStatus,
    Author,
    DeadLetter,
    Deletion,
    Erasure,
    Event,
    Hashtag,
    Media,
    Post,
)
from tagstream.source import Received

NAMES = ["plain.jsonl", "feed.jsonl.gz", "feed.zst", "feed.bz2", "feed.xz"]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
sources = st.sampled_from(["x", "bluesky", "mastodon:example.org", "rss", "jsonl"])
positions = st.integers(0, 2**63 - 1)
revisions = st.integers(0, MAX_REVISION - 1)
media = st.builds(
    Media,
    kind=st.sampled_from(["photo", "animation", "video"]),
    url=st.none() | words,
    alt=st.none() | texts,
    sha256=st.none() | st.just("0a" * 32),
    width=st.none() | st.integers(1, 9000),
    height=st.none() | st.integers(1, 9000),
    thumbnail=st.none() | st.binary(max_size=60),
    reason=st.none() | words,
)
hashtags = st.builds(Hashtag, text=texts, start=st.integers(0, 99), end=st.integers(0, 99))
moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC))


@st.composite
def posts(draw: st.DrawFn) -> Post:
    source = draw(sources)
    return Post(
        id=f"{source}:{draw(words)}",
        source=source,
        author=draw(st.none() | st.builds(Author, id=words, handle=st.none() | texts)),
        created_at=draw(moments),
        revision=draw(revisions),
        text=draw(texts),
        lang=draw(st.none() | st.sampled_from(["en", "und", "pt-BR"])),
        url=draw(st.none() | words),
        media=tuple(draw(st.lists(media, max_size=4))),
        reply_to=draw(st.none() | words),
        position=draw(positions),
        hashtags=tuple(draw(st.lists(hashtags, max_size=3))),
    )


events: st.SearchStrategy[Event] = st.one_of(
    posts(),
    st.builds(Deletion, id=words, source=sources, revision=st.none() | revisions, position=positions),
    st.builds(Erasure, source=sources, author=words, position=positions),
    st.builds(AccountStatus, source=sources, author=words, hidden=st.booleans(), position=positions),
    st.builds(
        DeadLetter,
        origin=texts,
        source=sources,
        cause=words,
        message=texts,
        body=st.binary(max_size=200),
        size=st.integers(0, 10**9),
        sha256=words,
        post_id=st.none() | texts,
        author=st.none() | texts,
        position=positions,
    ),
)


class ScriptedSource:
    """Gives batches of events, then ends."""

    name = "script:test"

    def __init__(self, *batches: Sequence[Received]) -> None:
        self._batches = list(batches)
        self.cursor: str | None = None
        self.closed = 0

    async def open(self, cursor: str | None) -> None:
        self.cursor = cursor

    async def next_batch(self, limit: int) -> Sequence[Received]:
        assert limit > 0
        return self._batches.pop(0) if self._batches else []

    def counts(self) -> Mapping[str, int]:
        return {"gap": 2}

    async def close(self) -> None:
        self.closed += 1


def received(*given_events: Event) -> list[Received]:
    return [Received(event, str(number)) for number, event in enumerate(given_events)]


def post(number: int, text: str = "Rain over Lisbon") -> Post:
    created = datetime(2024, 5, 1, 12, tzinfo=UTC)
    return Post(id=f"x:{number}", source="x", created_at=created, text=text, position=number)


async def record(path: Path, *batches: Sequence[Received], limit: int = 100) -> list[Received]:
    source = RecordingSource(ScriptedSource(*batches), str(path))
    await source.open("here")
    handed: list[Received] = []
    while batch := await source.next_batch(limit):
        assert len(batch) <= limit
        handed += batch
    await source.close()
    return handed


async def replay(path: Path) -> list[Received]:
    source = JsonlSource(str(path))
    await source.open(None)
    read: list[Received] = []
    while batch := await source.next_batch(100):
        read += batch
    await source.close()
    return read


@given(events, st.none() | texts)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_every_event_is_read_back_as_it_was(event: Event, supersedes: str | None) -> None:
    line = recorded_line(event, supersedes)
    assert b"\n" not in line
    assert read_line(line, origin="elsewhere:5", position=5) == DocumentEvents((event,), supersedes=supersedes)


@given(st.lists(st.lists(events, min_size=1, max_size=4), min_size=1, max_size=4), st.sampled_from(NAMES))
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_is_read_back_in_order(tmp_path: Path, batches: list[list[Event]], name: str) -> None:
    path = tmp_path / name
    path.unlink(missing_ok=True)
    handed = asyncio.run(record(path, *(received(*batch) for batch in batches)))
    given_events = [event for batch in batches for event in batch]
    assert [one.event for one in handed] == given_events
    assert [one.event for one in asyncio.run(replay(path))] == given_events
    assert path.read_bytes()[:1] != b"{" or compression_named(name) is None


async def test_a_simulated_feed_and_its_recording_are_one(tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl.zst"
    source = RecordingSource(SimulatedSource(7, 300), str(path))
    assert source.name == SimulatedSource(7, 300).name
    await source.open(None)
    handed: list[Received] = []
    while batch := await source.next_batch(50):
        handed += batch
    await source.close()
    assert {type(one.event) for one in handed} >= {Post, Deletion, Erasure, DeadLetter}
    assert [one.event for one in await replay(path)] == [one.event for one in handed]


@pytest.mark.parametrize("name", NAMES)
async def test_a_recording_goes_on_after_a_restart(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    await record(path, received(post(1), post(2)))
    await record(path, received(post(3)))
    await record(path)
    assert [one.event for one in await replay(path)] == [post(1), post(2), post(3)]


@pytest.mark.parametrize("name", NAMES)
async def test_what_a_kill_left_half_written_is_cut_off_and_nothing_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    await record(path, received(post(1), post(2)))
    whole = path.read_bytes()
    await record(path, received(post(3)))
    torn = path.read_bytes()
    for size in range(len(whole), len(torn), 5):
        path.write_bytes(torn[:size])
        await record(path, received(post(4)))
        assert [one.event for one in await replay(path)] == [post(1), post(2), post(4)]
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        await record(path, received(post(5)))
        numbers = [one.event for one in await replay(path)]
        assert numbers[-1] == post(5)
        assert numbers[:-1] in ([], [post(1)])


async def test_a_batch_is_in_the_file_before_it_is_handed_on(tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl.gz"
    source = RecordingSource(ScriptedSource(received(post(1)), received(post(2))), str(path))
    await source.open(None)
    for number in (1, 2):
        (one,) = await source.next_batch(10)
        assert one.event == post(number)
        assert (await replay(path))[-1].event == post(number)
    await source.close()
    await source.close()


async def test_a_cancelled_read_loses_and_doubles_nothing(tmp_path: Path) -> None:
    batches = [received(*(post(number * 10 + one) for one in range(10))) for number in range(30)]
    source = RecordingSource(ScriptedSource(*batches), str(tmp_path / "feed.jsonl"))
    await source.open(None)
    handed: list[Event] = []
    cancelled = 0
    while len(handed) < 300:
        task = asyncio.ensure_future(source.next_batch(7))
        await asyncio.sleep(0)
        task.cancel()
        try:
            handed += [one.event for one in await task]
        except asyncio.CancelledError:
            cancelled += 1
            handed += [one.event for one in await source.next_batch(7)]
    await source.close()
    assert cancelled > 3
    assert handed == [post(number) for number in range(300)]
    assert [one.event for one in await replay(tmp_path / "feed.jsonl")] == handed


async def test_an_event_that_no_line_can_hold_is_recorded_as_the_letter_it_would_be(tmp_path: Path) -> None:
    many = tuple(Hashtag(text=f"tag{number}", start=0, end=0) for number in range(40_000))
    huge = post(1).model_copy(update={"hashtags": many, "author": Author(id="ann")})
    handed = await record(tmp_path / "feed.jsonl", received(huge, post(2)))
    assert handed[0].event == huge
    letter, other = [one.event for one in await replay(tmp_path / "feed.jsonl")]
    assert isinstance(letter, DeadLetter)
    assert (letter.cause, letter.post_id, letter.author, letter.source) == (OVERSIZED, "x:1", "ann", "x")
    assert letter.size > MAX_LINE_BYTES
    assert other == post(2)


@pytest.mark.parametrize(
    "content",
    [b"my own notes\n", b'{"id": 1, "text": "a feed", "created_at": 0}\n', b"\x00" * 100, b'{"recorded"; "post"}\n'],
)
@pytest.mark.parametrize("name", ["notes.jsonl", "notes.gz"])
async def test_a_file_that_is_no_recording_is_not_touched(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadSettings, match="name another file"):
        await record(path, received(post(1)))
    assert path.read_bytes() == content


async def test_a_name_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    await record(tmp_path / "feed.zst", received(post(1)))
    (tmp_path / "feed.zst").rename(tmp_path / "feed.jsonl")
    with pytest.raises(BadSettings, match="not compressed as its name says"):
        await record(tmp_path / "feed.jsonl", received(post(1)))


async def test_a_damaged_recording_is_not_written_on(tmp_path: Path) -> None:
    path = tmp_path / "feed.gz"
    await record(path, received(post(1)), received(post(2)))
    data = bytearray(path.read_bytes())
    data[30] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(UnreadableInput, match="damaged"):
        await record(path, received(post(3)))
    assert path.read_bytes() == data


async def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing" / "feed", Path("nul\0byte")):
        with pytest.raises(UnreadableInput, match="cannot record to"):
            await record(path)
    feed = tmp_path / "feed.jsonl"
    await record(feed, received(post(1)))
    source = RecordingSource(JsonlSource(str(feed)), str(feed))
    with pytest.raises(BadSettings, match="the feed itself"):
        await source.open(None)
    await source.close()


async def test_only_one_writes_a_recording(tmp_path: Path) -> None:
    first = RecordingSource(ScriptedSource(), str(tmp_path / "feed"))
    await first.open(None)
    with pytest.raises(BadSettings, match="another process"):
        await record(tmp_path / "feed")
    await first.close()
    await record(tmp_path / "feed")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full to stand for a full disk")
async def test_a_full_disk_stops_the_run_and_hands_nothing_on(tmp_path: Path) -> None:
    source = RecordingSource(ScriptedSource(received(post(1)), received(post(2))), str(tmp_path / "feed"))
    await source.open(None)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, source._descriptor or -1)
    os.close(full)
    for _ in range(2):
        with pytest.raises(Fatal, match="No space left"):
            await source.next_batch(10)
    await source.close()


@pytest.mark.parametrize(
    "line",
    [
        '{"recorded": "post"}',
        '{"recorded": "nonsense", "event": {}}',
        '{"recorded": "post", "event": []}',
        '{"recorded": "post", "event": {"version": 1}}',
        '{"recorded": "deletion", "event": {"version": 1, "id": "x:1", "source": "x", "extra": 1}}',
        '{"recorded": "deletion", "event": {"version": 1, "id": "x:1", "source": "x", "position": -1}}',
        '{"recorded": "deletion", "event": {"version": 1, "id": "x:1", "source": "x"}, "supersedes": 5}',
        '{"recorded": "dead_letter", "event": {"body": "no base64!"}}',
        '{"recorded": "post", "event": ' + '{"a":' * 5000 + "1" + "}" * 5001,
        '{"recorded": "post", "event": ',
    ],
)
def test_a_damaged_line_is_a_letter(line: str) -> None:
    [event] = read_line(line.encode(), origin="feed:3", position=3).events
    assert isinstance(event, DeadLetter)
    assert (event.origin, event.position) == ("feed:3", 3)
    assert event.body == line.encode()[: 64 * 1024]


def test_a_line_of_a_newer_tagstream_says_so() -> None:
    line = recorded_line(post(1)).replace(b'"version": 3', b'"version": 4')
    [event] = read_line(line, origin="feed:3", position=3).events
    assert isinstance(event, DeadLetter)
    assert event.cause == "newer_version"


def test_a_recorded_letter_keeps_its_bytes_and_its_origin() -> None:
    letter = dead_letter(origin="x:/stream:ab", source="x", cause="bad_id", message="no", body=bytes(range(256)))
    document = json.loads(recorded_line(letter))
    assert base64.b64decode(document["event"]["body"]) == bytes(range(256))
    assert read_line(recorded_line(letter), origin="elsewhere:1", position=1) == DocumentEvents((letter,))


KILLED = """
import asyncio, sys
from ingest.sources.wrappers.recording import RecordingSource
from ingest.sources.simulate.source import SimulatedSource
async def main():
    source = RecordingSource(SimulatedSource(3, 100000), sys.argv[1])
    await source.open(None)
    while batch := await source.next_batch(5):
        for one in batch:
            print(one.cursor, flush=True)
asyncio.run(main())
"""


@pytest.mark.parametrize("name", NAMES[:3])
def test_a_killed_run_has_recorded_all_that_it_handed_on(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    handed = [process.stdout.readline() for _ in range(200)]
    process.send_signal(signal.SIGKILL)
    handed += process.stdout.readlines()
    process.stdout.close()
    process.wait(30)

    async def go_on() -> int:
        source = RecordingSource(SimulatedSource(3, 100_000), str(path))
        await source.open(handed[-1].decode().strip())
        count = len(await source.next_batch(5))
        await source.close()
        return count

    more = asyncio.run(go_on())
    recorded = [one.event for one in asyncio.run(replay(path))]

    async def simulated(count: int) -> list[Event]:
        source = SimulatedSource(3, 100_000)
        await source.open(None)
        given_events: list[Event] = []
        while len(given_events) < count:
            given_events += [one.event for one in await source.next_batch(count - len(given_events))]
        return given_events

    expected = asyncio.run(simulated(len(handed) + more))
    # One batch at most was in the file and not handed on yet: it is there twice.
    doubled = len(recorded) - len(expected)
    assert 0 <= doubled <= 5
    assert recorded[: len(handed)] == expected[: len(handed)]
    assert recorded[len(handed) + doubled :] == expected[len(handed) :]


def test_a_run_records_its_feed_at_its_pace_and_the_recording_runs_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = ["run", "--models", "stub:", "--until-end"]
    feed = ["--source", "simulate:7?posts=60", "--speed", "1000000", "--record", "feed.jsonl.gz"]
    assert run_guarded(application, [*run, *feed, "--index", "sqlite:first.db"]) == 0
    assert run_guarded(application, [*run, "--source", "jsonl:feed.jsonl.gz", "--index", "sqlite:again.db"]) == 0
    dumps = [
        subprocess.run(
            [sys.executable, "-m", "tagstream", "dump", "--kind", "posts", "--index", f"sqlite:{name}.db"],
            capture_output=True,
            check=True,
        ).stdout
        for name in ("first", "again")
    ]
    assert dumps[0] == dumps[1]
    assert len(dumps[0].splitlines()) > 40


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "fast"])
def test_a_speed_that_makes_no_sense_is_bad_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speed: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_guarded(application, ["run", "--source", "simulate:7", "--models", "stub:", "--speed", speed]) == 2
    assert list(tmp_path.iterdir()) == []
