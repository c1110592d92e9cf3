"""`tagstream dump` and `restore`, as a user types them."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from terminal import Terminal

from search.sqlite import compaction

FEED = """\
{"id": 1, "author": "ann", "text": "London calls Tokyo", "created_at": "2024-05-01T12:00:00Z"}
{"id": 2, "author": "bea", "text": "Paris", "created_at": "2024-05-01T12:01:00Z"}
{"id": 2, "delete": true}
{"author": "cid", "erase": true, "sequence": 100}
{"id": 3, "author": "dan", "text": "Oslo", "created_at": "2024-05-01T12:02:00Z"}
{"author": "ann", "hide": true}
broken
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Terminal:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAGSTREAM_MODELS", "stub:")
    Path("feed.jsonl").write_text(FEED)
    terminal = Terminal(capsysbinary)
    assert terminal("run", "--source", "jsonl:feed.jsonl", "--index", "sqlite:first.db") == 0
    assert terminal("dump", "--index", "sqlite:first.db") == 0
    Path("dump.jsonl").write_bytes(terminal.output)
    return terminal


def kinds(documents: list[dict[str, object]]) -> list[object]:
    return [one.get("kind", "post" if "text" in one else "status") for one in documents]


def test_a_dump_holds_everything(run: Terminal) -> None:
    known = ["dump", "status", "erasure", "record", "post", "record", "record", "post"]
    expected = [*known, "dead_letter", "cursor", "end"]
    assert kinds(run.documents) == expected
    assert run.documents[-1]["lines"] == len(expected) - 1


def test_what_is_restored_is_the_same_index(run: Terminal) -> None:
    assert run("restore", "dump.jsonl", "--index", "sqlite:second.db", "--json") == 0
    assert (run.documents[0]["complete"], run.documents[0]["stored"]) == (True, 2)
    assert run("dump", "--index", "sqlite:second.db") == 0
    assert run.output == Path("dump.jsonl").read_bytes()
    assert run("run", "--source", "jsonl:feed.jsonl", "--index", "sqlite:second.db", "--json") == 0
    assert run.documents[0]["read"] == 0
    Path("again.jsonl").write_text(FEED.splitlines()[1])
    assert run("run", "--source", "jsonl:again.jsonl", "--index", "sqlite:second.db", "--json") == 0
    assert run("search", "--index", "sqlite:second.db", "--json") == 0
    assert [document["id"] for document in run.documents] == ["jsonl:3"]


def test_a_run_over_a_dump_brings_nothing_back_either(run: Terminal) -> None:
    assert run("run", "--source", "jsonl:dump.jsonl", "--index", "sqlite:second.db") == 0
    assert run("dump", "--index", "sqlite:second.db") == 0
    assert kinds(run.documents)[:3] == ["dump", "status", "erasure"]
    records = {one["id"]: one for one in run.documents if one.get("kind") == "record"}
    assert records["jsonl:2"]["deleted"] == 2**63 - 1
    assert [one["origin"].rpartition("/")[2] for one in run.documents if one.get("kind") == "dead_letter"] == [
        "feed.jsonl:7"
    ]


def cut_off(dump: bytes) -> bytes:
    return dump[: len(dump) // 2]


def without_its_end(dump: bytes) -> bytes:
    return b"".join(dump.splitlines(keepends=True)[:-1])


def without_its_beginning(dump: bytes) -> bytes:
    return b"".join(dump.splitlines(keepends=True)[3:])


@pytest.mark.parametrize("damage", [cut_off, without_its_end, without_its_beginning, lambda _: b"", lambda _: b"\xff"])
def test_what_is_no_whole_dump_is_refused_before_an_index_is_made(
    run: Terminal, damage: Callable[[bytes], bytes]
) -> None:
    Path("damaged.jsonl").write_bytes(damage(Path("dump.jsonl").read_bytes()))
    assert run("restore", "damaged.jsonl", "--index", "sqlite:second.db") == 3
    assert run.notes.startswith("error: ")
    assert len(run.notes.splitlines()) == 1
    assert not Path("second.db").exists()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"kind":"dump","format":' + "1" * 5000 + "}", "the JSON has an integer of too many digits"),
        ("[" * 50_000, "the JSON is nested too deeply"),
        ("{", "not JSON: Expecting property name enclosed in double quotes at character"),
        ('{"kind":"cursor"}', "the field 'source' is missing"),
        ('{"kind":"thumbnail","id":"a:1","sha256":"x","jpeg":5}', "jpeg is no text"),
        ('{"kind":"dead_letter","body":"x"}', "body is not base64"),
    ],
)
def test_a_line_that_is_none_is_refused_in_our_words(run: Terminal, line: str, told: str) -> None:
    first, *rest = Path("dump.jsonl").read_text().splitlines()
    Path("damaged.jsonl").write_text("\n".join([first, line, *rest]))
    assert run("restore", "damaged.jsonl", "--index", "sqlite:second.db") == 3
    assert f"not restored: line 2: {told}" in run.notes
    assert "sys." not in run.notes
    assert "recursion" not in run.notes
    assert run("restore", "damaged.jsonl", "--index", "sqlite:third.db", "--incomplete") == 0
    assert "; 2 not restored" in run.notes  # the line, and the sum of all that the last one gives
    Path("begun.jsonl").write_text(line)
    assert run("restore", "begun.jsonl", "--index", "sqlite:fourth.db") == 3
    assert "sys." not in run.notes


def test_an_incomplete_one_is_restored_on_demand(run: Terminal) -> None:
    Path("damaged.jsonl").write_bytes(without_its_end(Path("dump.jsonl").read_bytes()))
    assert run("restore", "damaged.jsonl", "--index", "sqlite:second.db", "--incomplete", "--json") == 0
    assert (run.documents[0]["complete"], run.documents[0]["stored"]) == (False, 2)


def test_a_changed_dump_is_said(run: Terminal) -> None:
    Path("damaged.jsonl").write_bytes(Path("dump.jsonl").read_bytes().replace(b"Oslo", b"Rome", 1))
    assert run("restore", "damaged.jsonl", "--index", "sqlite:second.db") == 3
    assert "not those that were written" in run.notes
    assert "read the feeds again" in run.notes


def test_a_feed_is_no_dump(run: Terminal) -> None:
    assert run("restore", "feed.jsonl", "--index", "sqlite:second.db") == 3
    assert "run --source jsonl:feed.jsonl" in run.notes
    assert run("restore", "absent.jsonl") == 3


def test_a_newer_dump_is_refused(run: Terminal) -> None:
    newer = json.dumps({"kind": "dump", "format": 99}).replace(" ", "")
    Path("newer.jsonl").write_text(f"{newer}\n")
    assert run("restore", "newer.jsonl", "--index", "sqlite:second.db") == 1
    assert "Upgrade" in run.notes


def test_a_dump_of_posts_alone_says_what_it_lacks(run: Terminal) -> None:
    assert run("dump", "--index", "sqlite:first.db", "--kind", "posts") == 0
    Path("posts.jsonl").write_bytes(run.output)
    assert run("restore", "posts.jsonl", "--index", "sqlite:second.db") == 0
    assert "what was deleted" in run.notes
    assert run("dump", "--index", "sqlite:second.db", "--kind", "posts") == 0
    assert run.output == Path("posts.jsonl").read_bytes()


def test_text_that_a_terminal_would_obey_comes_back_as_it_was(run: Terminal) -> None:
    text = (
        "a\x85b\u202ec\u2028d\x1be\x7f "
        + "e\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301 \U0001f600"
    )
    Path("odd.jsonl").write_text(json.dumps({"id": 1, "text": text, "created_at": "2024-05-01"}))
    assert run("run", "--source", "jsonl:odd.jsonl", "--index", "sqlite:odd.db") == 0
    assert run("dump", "--index", "sqlite:odd.db") == 0
    Path("odd.dump").write_bytes(run.output)
    assert run("restore", "odd.dump", "--index", "sqlite:second.db") == 0
    assert run("search", "--json", "--index", "sqlite:second.db") == 0
    assert [document["text"] for document in run.documents] == [text]


def test_a_copy_of_the_file_is_the_same_index(run: Terminal) -> None:
    assert run("backup", "copy.db", "--index", "sqlite:first.db") == 0
    assert run("dump", "--index", "sqlite:copy.db") == 0
    assert run.output == Path("dump.jsonl").read_bytes()
    before = Path("copy.db").read_bytes()
    assert run("backup", "copy.db", "--index", "sqlite:first.db") == 3
    assert Path("copy.db").read_bytes() == before
    Path("other.db.part").symlink_to("precious")
    assert run("backup", "other.db", "--index", "sqlite:first.db") == 3
    assert run("backup", "nowhere/copy.db", "--index", "sqlite:first.db") == 3
    assert not Path("precious").exists()


def test_what_somebody_reads_is_not_said_to_be_compacted(run: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction.empty_journal, "__defaults__", (0.1,))
    monkeypatch.setattr(compaction, "_READERS_AT_CLOSE_SECONDS", 0.1)
    reader = sqlite3.connect("first.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM registry").fetchone()
    Path("more.jsonl").write_text('{"id": 1, "delete": true}')
    assert run("run", "--source", "jsonl:more.jsonl", "--index", "sqlite:first.db") == 0
    assert run("compact", "--index", "sqlite:first.db", "--json") == 4
    assert run.output == b""
    assert "words of deleted posts are still in first.db and first.db-wal" in run.notes
    reader.close()
    assert run("compact", "--index", "sqlite:first.db") == 0
    assert run.notes.startswith("done: ")
