"""Files that are no feed, and feeds of which nothing is understood: one clear word each, and an exit code of 3."""

import asyncio
import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.sources.jsonl.source import JsonlSource
from tagstream.cli.commands import application
from tagstream.cli.errors import run_guarded

Command = Callable[..., tuple[int, str]]
LINE = b'{"id": 1, "text": "Hello from Oslo", "created_at": "2024-05-01T12:00:00Z"}\n'
TABLE = "nummer;meldung;wann\n" + "1;Überschwemmung in Köln;2024-05-01\n" * 2000


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    return stream.getvalue()


FILES = {
    "picture": (b"\x89PNG\r\n\x1a\n" + os.urandom(50_000), "a PNG picture"),
    "zip": (zipped(), "a zip archive"),
    "sqlite": (b"SQLite format 3\x00" + bytes(4096), "an SQLite database"),
    "binary": (bytes(range(256)) * 400, "binary data"),
    "nothing_but_zeros": (bytes(100_000), "binary data"),
    "packed_binary": (gzip.compress(b"\x89PNG\r\n\x1a\n" + bytes(5000)), "a PNG picture"),
    "utf16": (LINE.decode().encode("utf-16"), "UTF-16"),
    "utf16_without_mark": (LINE.decode().encode("utf-16-le"), "UTF-16"),
    "latin1_table": (TABLE.encode("latin-1"), "UTF-8"),
    "table": (TABLE.encode(), "a table"),
    "prose": (b"Nothing of JSON here.\n" * 5000, "none of its first lines is a JSON object"),
    "page": (b"<!DOCTYPE html><html></html>", "XML or HTML"),
    "likes": (b'window.YTD.like.part0 = [ {"like": {"tweetId": "1"}} ]', "holds no posts of it"),
}


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAGSTREAM_MODELS", "stub:")

    def run(*arguments: str) -> tuple[int, str]:
        code = run_guarded(application, arguments)
        return code, capsysbinary.readouterr().err.decode()

    return run


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_feed_is_refused_once_by_what_it_is(command: Command, name: str) -> None:
    content, said = FILES[name]
    Path("feed.jsonl").write_bytes(content)
    code, notes = command("run", "--source", "jsonl:feed.jsonl")
    assert code == 3
    assert said in notes
    assert len(notes.splitlines()) == 1


def test_an_empty_file_and_an_empty_folder(command: Command) -> None:
    for content in (b"", b" \n\n"):
        Path("feed.jsonl").write_bytes(content)
        code, notes = command("run", "--source", "jsonl:feed.jsonl")
        assert (code, "is empty" in notes) == (3, True)
    Path("folder").mkdir()
    code, notes = command("run", "--source", "jsonl:folder")
    assert (code, "no file in 'folder' is of posts" in notes) == (3, True)


def test_a_stream_that_is_no_feed_ends_after_a_hundred_lines(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)

    async def read() -> int:
        source = JsonlSource(str(path))
        writing = asyncio.create_task(asyncio.to_thread(path.write_bytes, TABLE.encode()[:60_000]))
        await source.open(None)
        letters = 0
        try:
            while batch := await source.next_batch(1000):
                letters += len(batch)
        finally:
            await writing
            await source.close()
        return letters

    with pytest.raises(Exception, match="none of its first 100 is a JSON object"):
        asyncio.run(read())


@pytest.mark.parametrize("as_json", [False, True])
def test_a_feed_of_which_nothing_is_understood_ends_with_3_and_the_cause(command: Command, as_json: bool) -> None:
    line = json.dumps({"identifier": 1, "body": "Hello from Oslo"})
    Path("feed.jsonl").write_text(f"{line}\n" * 3)
    code, notes = command("run", "--source", "jsonl:feed.jsonl", *(["--json"] if as_json else []))
    assert code == 3
    assert "done" not in notes
    assert "nothing of this feed could be read: all 3 lines are refused" in notes
    assert "text is missing" in notes
    assert "feed.jsonl:1" in notes
    code, notes = command("run", "--source", "jsonl:feed.jsonl")
    assert code == 0  # nothing new


def test_some_malformed_lines_are_no_failure(command: Command) -> None:
    Path("feed.jsonl").write_bytes(LINE + b"{nonsense\n" * 5)
    code, notes = command("run", "--source", "jsonl:feed.jsonl")
    assert (code, "done" in notes) == (0, True)


def test_a_feed_wholly_in_another_language_says_so(command: Command) -> None:
    posts = [{"id": n, "text": "Olá", "lang": "pt", "created_at": 1714564800} for n in range(3)]
    Path("feed.jsonl").write_text("\n".join(map(json.dumps, posts)))
    code, notes = command("run", "--source", "jsonl:feed.jsonl")
    assert code == 0
    assert "none of its posts is in a language that is read (pt 3; the setting languages is en, und)" in notes


def test_a_file_that_is_tagged_and_not_understood(command: Command) -> None:
    Path("feed.jsonl").write_text('{"identifier": 1}\n')
    code, notes = command("tag", "--input", "feed.jsonl")
    assert (code, "nothing of this feed" in notes) == (3, True)
