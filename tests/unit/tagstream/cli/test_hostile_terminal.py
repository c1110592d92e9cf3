"""A walk: every command that prints, on an index, dead letters and arguments full of what acts on a terminal."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len
from terminal_fixture import Terminal, is_quiet

HOSTILE = [
    "\x1b[31mRED\x1b[2J",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x9b31m\x9d0;x\x9c\x90q\x9c",
    "\x07\x08\x0b\x0c\r\x7f\x00",
    "\u202egnp.exe\u202c",
    "\u2066a\u2069\u200f\u200e\u061c",
    "\u2028\u2029\x85",
    "\u200b\ufeff\u034f\u3164\ufff9\U000e0041",
    "e" + "\u0301" * 300,
    "[bold red]markup[/] [link=http://evil.example]x[/link]",
    ":smile:",
    "東京タワー🗼👩‍👩‍👧",
]


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Terminal:
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("TAGSTREAM_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("TAGSTREAM_MODELS", "stub:")
    terminal = Terminal(tmp_path, capsysbinary)
    (tmp_path / "feed.jsonl").write_text("".join(_lines()))
    assert terminal("run", "--source", "jsonl:feed.jsonl") == 0
    assert is_quiet(terminal.output)
    assert is_quiet(terminal.notes)
    return terminal


def _lines() -> list[str]:
    lines = []
    for number, hostile in enumerate(HOSTILE * 3):
        text = f"Angela Merkel {hostile} in London #{hostile} Tokyo {hostile}"
        author = {"id": f"a{number}", "handle": f"h{hostile}"}
        moment = f"2026-03-01T12:{number:02}:00Z"
        media = [{"kind": "photo", "url": "http://m.example/x", "alt": hostile}]
        post = {"id": f"p{number}", "text": text, "created_at": moment, "author": author, "media": media, "lang": "en"}
        lines.append(json.dumps(post) + "\n")
        lines.append(f"no JSON {number}\n")
        lines.append(json.dumps({"id": f"q{number}", "text": 7, "created_at": hostile, hostile: 1}) + "\n")
        lines.append(json.dumps(post | {"id": f"d{number}", "lang": hostile}) + "\n")
    return lines


ASKING = [
    "search",
    "search merkel --all --size 3",
    "search merkel --json --all",
    "search @",
    "search @ --json",
    "search -- -@",
    "search --source @",
    "search --after @",
    "trends",
    "trends --json",
    "dump",
    "dump --kind posts",
    "dead-letters list",
    "dead-letters list --json",
    "dead-letters list --cause @",
    "dead-letters show @",
    "dead-letters requeue @",
    "dead-letters requeue --all",
    "photo @ --output @.jpg",
    "tag @",
    "tag @ --json",
    "tag @ --alt @",
    "tag --input feed.jsonl",
    "tag --input @",
    "tag --conll @",
    "tag x --photo @",
    "tag x --models @",
    "tag x --types @",
    "segment @",
    "segment @ --json",
    "segment --input feed.jsonl",
    "segment --input @",
    "restore @",
    "restore feed.jsonl",
    "retag",
    "demo feed.jsonl",
    "demo @",
    "run --source @",
    "run --source jsonl:@",
    "run --source rss:@",
    "run --source x:@",
    "run --source mastodon:!@",  # without the sign some of them are hosts, and waited for
    "run --source bluesky:@",
    "run --source simulate:@",
    "search --index @",
    "search --index sqlite:@",
    "search --index elasticsearch:@",
    "search --since @",
    "search --order @",
    "search --@",
    "trends --window @",
    "dead-letters list --kafka @",
    "--config @ dump",
    "--debug search --index @",
    "@",
    "evaluate --run @",
]


@pytest.mark.parametrize("line", ASKING)
def test_nothing_that_is_printed_acts_on_a_terminal(terminal: Terminal, line: str) -> None:
    for hostile in HOSTILE if "@" in line else HOSTILE[:1]:
        argument = hostile.replace("\0", "")  # which no argument of a process can hold
        if line == "evaluate --run @" and hostile is not HOSTILE[0]:
            break  # torch is slow to load
        terminal(*(word.replace("@", argument) for word in line.split()))
        allowed = ("\n", "\t") if line.startswith("segment") else ("\n",)
        assert is_quiet(terminal.output, allowed)
        assert is_quiet(terminal.notes, ("\n", "\t") if "--debug" in line else ("\n",))
        assert b"unexpected" not in terminal.notes
        assert "😄" not in terminal.output.decode()


def test_markup_is_shown_as_it_stands(terminal: Terminal) -> None:
    assert terminal("search", "markup") == 0
    assert b"[bold red]markup[/]" in terminal.output
    assert terminal("tag", "[bold]Angela Merkel[/bold] :smile:") == 0
    assert b"[bold][Angela Merkel PER][/bold] :smile:" in terminal.output


def test_what_is_for_machines_keeps_every_value(terminal: Terminal) -> None:
    assert terminal("search", "--json", "--all") == 0
    texts = {document["text"] for document in terminal.documents()}
    for hostile in (one for one in HOSTILE if not one.startswith("e\u0301")):  # a tower is cut when it is read
        assert any(hostile.replace("\0", "") in text.replace("\0", "") for text in texts), ascii(hostile)
    assert terminal("dump") == 0
    (terminal.folder / "dump.jsonl").write_bytes(terminal.output)
    first = terminal.documents()
    assert terminal("restore", "dump.jsonl", "--index", "sqlite:copy.db") == 0
    assert terminal("dump", "--index", "sqlite:copy.db") == 0
    assert terminal.documents()[1:] == first[1:]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_answers_fit_the_terminal_and_keep_the_names(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    burst = [
        {
            "id": number,
            "text": "Angela Merkel, London!",
            "created_at": f"2026-03-01T12:{number:02}:00Z",
            "author": f"a{number}",
        }
        for number in range(40)
    ]
    (terminal.folder / "burst.jsonl").write_text("".join(json.dumps(post) + "\n" for post in burst))
    assert terminal("run", "--source", "jsonl:burst.jsonl", "--index", "sqlite:burst.db") == 0
    for line in ("search merkel", "trends --index sqlite:burst.db", "dead-letters list", "tag London"):
        assert terminal(*line.split()) == 0
        for shown in terminal.output.decode().splitlines():
            assert cell_len(shown) <= width, (line, shown)
    assert terminal("trends", "--index", "sqlite:burst.db") == 0
    table = terminal.output.decode()
    assert "Angela Merkel" in table
    assert "London" in table
    assert ("█" in table) == (width > 80)
    assert terminal("search", "merkel", "--size", "1") == 0
    assert "Angela Merkel" in " ".join(terminal.output.decode().split())


def _shell(folder: Path, line: str) -> "subprocess.CompletedProcess[bytes]":
    program = f"{shlex.quote(sys.executable)} -m tagstream"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAGSTREAM_")}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line.replace('TAGSTREAM', program)}"],
        cwd=folder,
        env=environment | {"TAGSTREAM_MODELS": "stub:"},
        capture_output=True,
        timeout=120,
        check=False,
    )


PRINTING = [
    "search --all --size 1000",
    "search --all --size 1000 --json",
    "dump",
    "dead-letters list",
    "dead-letters list --json",
    "tag --input feed.jsonl",
    "segment --input feed.jsonl",
    "trends",
    "--help",
]


@pytest.mark.parametrize("line", PRINTING)
def test_a_reader_who_has_had_enough_is_not_worth_a_word(terminal: Terminal, line: str) -> None:
    for reader in ("| head -1", "2>&- | head -1", "| true", "2>/dev/full | head -1"):
        ended = _shell(terminal.folder, f"TAGSTREAM {line} {reader}")
        assert ended.returncode == 0, (reader, ended.stderr)
        assert b"roken" not in ended.stderr
        assert b"Traceback" not in ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a Linux device")
@pytest.mark.parametrize("line", PRINTING)
def test_a_full_disk_is_said(terminal: Terminal, line: str) -> None:
    ended = _shell(terminal.folder, f"TAGSTREAM {line} >/dev/full")
    assert ended.returncode == 1
    assert b"No space left on device" in ended.stderr.splitlines()[-1]
    assert b"Traceback" not in ended.stderr


def test_a_million_bad_lines_are_counted_and_not_told(terminal: Terminal) -> None:
    (terminal.folder / "bad.jsonl").write_text("no JSON\n" * 5_000 + '{"id": 1, "text": "Oslo", "created_at": 0}\n')
    for line in (
        "run --source jsonl:bad.jsonl",
        "tag --input bad.jsonl --output out.jsonl",
        "dead-letters requeue --all",
        "dead-letters list --json",
    ):
        terminal(*line.split())
        assert len(terminal.notes.splitlines()) < 40, line
        assert len(terminal.notes) < 10_000, line
