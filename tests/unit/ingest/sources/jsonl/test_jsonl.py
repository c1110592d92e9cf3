"""Files and streams of JSON lines: how hostile ones end, and that resuming is exact."""

import asyncio
import hashlib
import json
import os
import sys
import threading
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest

from ingest.sources.formats.lines import MAX_LINE_BYTES, LineSplitter
from ingest.sources.jsonl.line import read_event
from ingest.sources.jsonl.source import JsonlSource
from ingest.sources.open import open_source
from tagstream.errors import BadSettings, CorruptState, Fatal, UnreadableInput
from tagstream.posts import DEAD_LETTER_BODY_BYTES, DeadLetter, Event, Post
from tagstream.source import Received


def line(**fields: object) -> bytes:
    return json.dumps({"id": 1, "text": "Hello from Oslo", "created_at": "2024-05-01T12:00:00Z", **fields}).encode()


def event(body: bytes) -> Event:
    return read_event(body, origin="feed.jsonl:1", position=1)


async def read_all(path: str | Path, cursor: str | None = None, limit: int = 7) -> list[Received]:
    source = JsonlSource(str(path))
    await source.open(cursor)
    received: list[Received] = []
    while batch := await source.next_batch(limit):
        assert len(batch) <= limit
        received += batch
    await source.close()
    return received


# --- lines ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_lines_do_not_depend_on_how_the_bytes_were_cut(size: int) -> None:
    data = b"".join(b"%d,%s\n" % (n, b"x" * (n * 37 % 900)) for n in range(60)) + b"\n\r\nlast"
    whole = LineSplitter()
    pieces = LineSplitter()
    expected = whole.feed(data) + whole.finish()
    found = [line for at in range(0, len(data), size) for line in pieces.feed(data[at : at + size])] + pieces.finish()
    assert found == expected
    assert [line.body for line in found] == data.split(b"\n")
    assert found[-1].end == len(data)


@pytest.mark.parametrize("length", [MAX_LINE_BYTES - 1, MAX_LINE_BYTES, MAX_LINE_BYTES + 1, 3 * MAX_LINE_BYTES])
def test_the_limit_of_a_line(length: int) -> None:
    splitter = LineSplitter()
    data = b"y" * length + b"\nnext\n"
    found = [line for at in range(0, len(data), 65_536) for line in splitter.feed(data[at : at + 65_536])]
    assert [line.size for line in found] == [length, 4]
    too_long = length > MAX_LINE_BYTES
    assert (found[0].sha256 is not None) == too_long
    assert len(found[0].body) == (DEAD_LETTER_BODY_BYTES if too_long else length)


# --- files ---------------------------------------------------------------------------------------------------------

GOOD = [line(id=number, text=f"Number {number} 🌍 #Oslo") for number in range(9)]


@pytest.mark.parametrize(
    ("content", "posts", "dead"),
    [
        (b"\n".join(GOOD), 9, 0),
        (b"\n".join(GOOD) + b"\n", 9, 0),
        (b"\r\n".join(GOOD) + b"\r\n", 9, 0),
        (b"\xef\xbb\xbf" + b"\n".join(GOOD), 9, 0),
        (GOOD[0] + b"\n" + bytes(range(256)) * 40, 1, 41),
        (GOOD[0] + b"\n" + b"\x00" * 3_000_000, 1, 1),
        (b"\xff\xfe" * 400 + b"\n" + GOOD[0], 1, 1),
        (GOOD[0] + b"\n" + line(text="x" * 10_000_000) + b"\n" + GOOD[1], 2, 1),
        (GOOD[0] + b"\n" + b"[" * 100_000 + b"\n" + GOOD[1], 2, 1),
    ],
    ids=["unended", "plain", "crlf", "bom", "binary", "nuls", "bad", "huge", "deep"],
)
async def test_hostile_files(tmp_path: Path, content: bytes, posts: int, dead: int) -> None:
    path = tmp_path / "feed.jsonl"
    path.write_bytes(content)
    kinds = [type(received.event) for received in await read_all(path)]
    assert kinds.count(Post) == posts
    assert kinds.count(DeadLetter) == dead == len(kinds) - posts


async def test_a_line_too_long_for_memory(tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl"
    size = 64 * 1024 * 1024
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for number in range(64):
            piece = bytes([65 + number % 26]) * (size // 64)
            digest.update(piece)
            file.write(piece)
        file.write(b"\n" + GOOD[0])
    tracemalloc.start()
    received = await read_all(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    letter = received[0].event
    assert isinstance(letter, DeadLetter)
    assert (letter.cause, letter.size, letter.sha256) == ("line_too_long", size, digest.hexdigest())
    assert letter.body == b"A" * DEAD_LETTER_BODY_BYTES
    assert isinstance(received[1].event, Post)
    assert peak < 8 * MAX_LINE_BYTES


async def test_origins_name_the_absolute_path_and_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "feed.jsonl").write_bytes(GOOD[0] + b"\n\n{\n" + GOOD[1] + b"\n{")
    events = [received.event for received in await read_all("feed.jsonl")]
    origins = [event.origin for event in events if isinstance(event, DeadLetter)]
    assert origins == [f"{tmp_path}/feed.jsonl:3", f"{tmp_path}/feed.jsonl:5"]
    assert [event.position for event in events] == [1, 3, 4, 5]
    assert JsonlSource("feed.jsonl").name == JsonlSource(str(tmp_path / "feed.jsonl")).name


async def test_dead_letters_of_two_files_of_one_name_are_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    origins = set()
    for folder in ("monday", "tuesday"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "feed.jsonl").write_bytes(b"{")
        monkeypatch.chdir(tmp_path / folder)
        [received] = await read_all("feed.jsonl")
        assert isinstance(received.event, DeadLetter)
        origins.add(received.event.origin)
    assert len(origins) == 2


async def test_a_path_that_is_not_utf8_is_read_and_named_in_text(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9 \xc3\xa9.jsonl")
    path.write_bytes(GOOD[0] + b"\n{")
    [post, letter] = [received.event for received in await read_all(path)]
    assert isinstance(post, Post)
    assert isinstance(letter, DeadLetter)
    assert letter.origin == f"{tmp_path}/caf%E9 é.jsonl:2"
    assert JsonlSource(str(path)).name == f"jsonl:{tmp_path}/caf%E9 é.jsonl"


MIXED = b"\xef\xbb\xbf" + b"\n".join(
    [*GOOD[:3], b"", b"{bad", b'{"id": 1, "delete": true}\r', b"\xff", b"z" * (MAX_LINE_BYTES + 5), *GOOD[3:6], b"  "]
)


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
async def test_resuming_after_every_event_loses_and_doubles_nothing(tmp_path: Path, ending: bytes) -> None:
    path = tmp_path / "feed.jsonl"
    path.write_bytes(MIXED + ending + GOOD[7] + ending)
    whole = await read_all(path)
    assert len(whole) >= 10
    for done, received in enumerate(whole, 1):
        assert await read_all(path, received.cursor, limit=3) == whole[done:]


async def test_a_file_that_grew_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl"
    path.write_bytes(GOOD[0] + b"\n" + GOOD[1])
    first = await read_all(path)
    path.write_bytes(GOOD[0] + b"\n" + GOOD[1] + b"\n" + GOOD[2])
    rest = await read_all(path, first[-1].cursor)
    assert [received.event.position for received in rest] == [3]


async def test_a_line_that_was_only_half_written_is_read_again_whole(tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl"
    path.write_bytes(GOOD[0] + b"\n" + GOOD[1][:20])
    first = await read_all(path)
    assert isinstance(first[-1].event, DeadLetter)
    path.write_bytes(GOOD[0] + b"\n" + GOOD[1] + b"\n")
    [again] = await read_all(path, first[-1].cursor)
    assert isinstance(again.event, Post)
    assert again.event.position == 2
    assert [one.supersedes for one in first] == [None, None]
    assert again.supersedes == first[-1].event.origin


@pytest.mark.parametrize("change", ["cut", "replaced", "edited"])
async def test_a_changed_file_is_refused_and_not_resumed_at_a_wrong_place(tmp_path: Path, change: str) -> None:
    path = tmp_path / "feed.jsonl"
    content = b"\n".join(GOOD)
    path.write_bytes(content)
    cursor = (await read_all(path))[5].cursor
    path.write_bytes(
        {
            "cut": content[:50],
            "replaced": b"\n".join(reversed(GOOD)) * 2,
            "edited": content.replace(b"Number 5", b"NUMBER 5"),
        }[change]
    )
    with pytest.raises(UnreadableInput, match="line 6"):
        await read_all(path, cursor)


@pytest.mark.parametrize("cursor", ["", "5", "a:b:c", "-1:2:ab", "1:2:3:4", "lines:x", "9" * 30 + ":1:ab", "٣:1:ab"])
async def test_a_cursor_that_is_not_ours(tmp_path: Path, cursor: str) -> None:
    path = tmp_path / "feed.jsonl"
    path.write_bytes(GOOD[0])
    with pytest.raises(CorruptState):
        await read_all(path, cursor)


async def test_inputs_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="missing") as missing:
        await read_all(tmp_path / "missing.jsonl")
    assert missing.value.exit_code == 3
    with pytest.raises(UnreadableInput, match="directory"):
        await read_all(tmp_path)
    with pytest.raises(UnreadableInput):
        await read_all("nul\0byte")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
async def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl"
    path.write_bytes(GOOD[0])
    path.chmod(0)
    with pytest.raises(UnreadableInput, match="denied"):
        await read_all(path)


async def test_a_cancelled_read_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl"
    path.write_bytes(b"\n".join(line(id=number, text="x" * 5_000) for number in range(500)))
    source = JsonlSource(str(path))
    await source.open(None)
    positions: list[int] = []
    cancelled = 0
    batch: Sequence[Received] = [Received(event(GOOD[0]), "")]
    while batch:
        task = asyncio.ensure_future(source.next_batch(100))
        await asyncio.sleep(0)
        task.cancel()
        try:
            batch = await task
        except asyncio.CancelledError:
            cancelled += 1
            batch = await source.next_batch(100)
        positions += [received.event.position for received in batch]
    await source.close()
    await source.close()
    assert cancelled > 3
    assert positions == list(range(1, 501))


@pytest.mark.parametrize("ending", [b"", b"\n"])
async def test_the_end_of_the_file_is_not_lost_when_the_last_read_is_cancelled(tmp_path: Path, ending: bytes) -> None:
    """The thread has read to the end, but nobody has taken what it read: that is not the end of the feed yet."""
    path = tmp_path / "feed.jsonl"
    path.write_bytes(GOOD[0] + ending)
    source = JsonlSource(str(path))
    await source.open(None)
    task = asyncio.ensure_future(source.next_batch(10))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for thread in threading.enumerate():
        if thread.name == "jsonl-reader":
            await asyncio.to_thread(thread.join)
    assert [received.event.position for received in await source.next_batch(10)] == [1]
    assert await source.next_batch(10) == []
    await source.close()


# --- streams -------------------------------------------------------------------------------------------------------


async def test_a_fifo_is_read_as_it_is_written_and_leaves_the_loop_free(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    turn = threading.Event()

    def write() -> None:
        with path.open("wb", buffering=0) as fifo:
            fifo.write(GOOD[0] + b"\n")
            assert turn.wait(10)
            fifo.write(b"{bad\n" + GOOD[1])

    writer = threading.Thread(target=write)
    writer.start()
    source = JsonlSource(str(path))
    await source.open(None)
    [first] = await source.next_batch(10)
    waiting = asyncio.ensure_future(source.next_batch(10))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    turn.set()
    received = [first, *(await waiting)]
    while batch := await source.next_batch(10):
        received += batch
    writer.join()
    await source.close()
    assert [received.cursor for received in received] == ["lines:1", "lines:2", "lines:3"]
    again = JsonlSource(str(path))
    writer = threading.Thread(target=lambda: path.write_bytes(GOOD[0]))
    writer.start()
    await again.open("lines:3")
    assert [received.event.position for received in await again.next_batch(10)] == [4]
    writer.join()
    await again.close()


# A shell starts what it runs in the background with SIGINT ignored, and its children inherit that.
READ_STANDARD_INPUT = """
import asyncio, signal
from ingest.sources.open import open_source
signal.signal(signal.SIGINT, signal.default_int_handler)
async def main():
    source = open_source("-")
    await source.open(None)
    while batch := await source.next_batch(10):
        for received in batch:
            print(received.cursor, type(received.event).__name__, flush=True)
    await source.close()
asyncio.run(main())
"""


async def test_standard_input_ends_with_its_writer() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", READ_STANDARD_INPUT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate(GOOD[0] + b"\n{\n")
    assert output.decode().split() == ["lines:1", "Post", "lines:2", "DeadLetter"]
    assert process.returncode == 0


async def test_an_interrupt_while_waiting_for_standard_input_ends_the_process() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        READ_STANDARD_INPUT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(GOOD[0] + b"\n")
    assert await asyncio.wait_for(process.stdout.readline(), 30) == b"lines:1 Post\n"
    process.send_signal(2)
    await asyncio.wait_for(process.wait(), 30)
    assert b"Fatal Python error" not in await process.stderr.read()
    process.stdin.close()


# --- specifications ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["jsonl:a.jsonl", "jsonl:-", "-", "simulate:7", "simulate:7?posts=100"])
def test_specifications(spec: str) -> None:
    assert open_source(spec).name.startswith(("jsonl:", "simulate:7"))


@pytest.mark.parametrize(
    "spec",
    [
        *("", "jsonl", "jsonl:", "kafka:x", "simulate:", "simulate:x", "simulate:-1", "simulate:٣"),
        *("simulate:7?posts=x", "simulate:7?n=5", f"simulate:{'9' * 20}", "simulate:7?posts=99999999999"),
    ],
)
def test_specifications_that_name_nothing(spec: str) -> None:
    with pytest.raises(BadSettings, match=r"simulate|seed") as refusal:
        open_source(spec)
    assert isinstance(refusal.value, Fatal)
