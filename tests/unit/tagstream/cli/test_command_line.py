"""The command line from outside: exit codes, what goes to which stream, signals, and hostile arguments."""

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from terminal import Terminal

import search.open
from search.cli.tables import marked, sparkline
from tagstream.errors import UntaggablePost
from tagstream.posts import Entity
from workers.tagger.stub import StubTagger

FEED = """\
{"id": 1, "text": "Angela Merkel meets NASA #NewYorkCity", "created_at": "2026-03-01T10:00:00Z", "author": "ann"}
{"id": 2, "text": "Back in \\u001b[31mParis \\u202e[bold]x[/bold] 🚀", "created_at": 1772359200000}
this is not JSON
{"id": 3, "text": "rien", "lang": "fr", "created_at": "2026-03-01T10:02:00Z"}
{"id": 1, "delete": true}
{"id": 4, "text": "London calls Tokyo", "created_at": "2026-03-01T10:03:00Z"}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Terminal:
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("TAGSTREAM_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("TAGSTREAM_MODELS", "stub:")
    (tmp_path / "feed.jsonl").write_text(FEED)
    return Terminal(capsysbinary)


@pytest.fixture
def indexed(run: Terminal) -> Terminal:
    assert run("run", "--source", "jsonl:feed.jsonl", "--until-end") == 0
    return run


def process(*arguments: str, folder: Path, **keywords: Any) -> "subprocess.Popen[bytes]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAGSTREAM_")}
    return subprocess.Popen(
        [sys.executable, "-m", "tagstream", *arguments],
        cwd=folder,
        env=environment | {"TAGSTREAM_MODELS": "stub:"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **keywords,
    )


def test_a_run_tags_indexes_counts_and_keeps_what_it_cannot_read(run: Terminal) -> None:
    assert run("run", "--source", "jsonl:feed.jsonl", "--until-end", "--json") == 0
    (report,) = run.documents
    assert report["ended"]
    assert (report["posts"], report["outcomes"]["stored"], report["outcomes"]["tombstone"]) == (4, 4, 1)
    assert report["dropped"]["malformed"] == 1
    assert "dropped: malformed 1" in run.notes


def test_a_run_over_a_file_says_which_records_were_refused(run: Terminal) -> None:
    Path("a.csv").write_text(
        "id,text,date\n1,Macron,03/04/2024\n2,Paris,2024-03-13\n3,too,many,values\n4,Oslo,1/2/2024\n"
    )
    assert run("run", "--source", "csv:a.csv") == 0
    (said,) = [line for line in run.notes.splitlines() if "refused" in line]
    assert said.startswith("3 records were refused (bad_created_at: 2, invalid_csv: 1). The first is ")
    assert "a.csv:2: created_at is " in said
    assert "the day and the month could be meant either way" in said
    assert said.endswith("`tagstream dead-letters list` shows what was refused")
    assert run("run", "--source", "csv:a.csv") == 0
    assert "refused" not in run.notes


def test_a_second_run_goes_on_after_the_first(indexed: Terminal) -> None:
    assert indexed("run", "--source", "jsonl:feed.jsonl", "--json") == 0
    assert indexed.documents[0]["read"] == 0
    with Path("feed.jsonl").open("a") as feed:
        feed.write('{"id": 5, "text": "Lagos", "created_at": 1714564800}\n')
    assert indexed("run", "--source", "jsonl:feed.jsonl", "--json") == 0
    assert indexed.documents[0]["read"] == 1


def test_a_dump_of_posts_is_every_post_in_order_and_feeds_a_run_again(indexed: Terminal) -> None:
    assert indexed("dump", "--kind", "posts") == 0
    dumped = indexed.output
    assert [document["id"] for document in indexed.documents] == ["jsonl:2", "jsonl:3", "jsonl:4"]
    Path("dump.jsonl").write_bytes(dumped)
    assert indexed("run", "--source", "jsonl:dump.jsonl", "--index", "sqlite:copy.db") == 0
    assert indexed("dump", "--index", "sqlite:copy.db", "--kind", "posts") == 0
    assert indexed.output == dumped


def test_a_dump_restores_hidden_accounts_as_hidden(run: Terminal) -> None:
    Path("hidden.jsonl").write_text(
        '{"id": 1, "author": "ann", "text": "London", "created_at": 1714564800}\n{"author": "ann", "hide": true}\n'
        '{"id": 2, "author": "bea", "text": "London", "created_at": 1714564800}\n{"author": "bea", "hide": false}\n'
    )
    assert run("run", "--source", "jsonl:hidden.jsonl", "--index", "sqlite:first.db") == 0
    assert run("dump", "--index", "sqlite:first.db", "--kind", "posts") == 0
    dumped = run.output
    statuses, posts = run.documents[:2], run.documents[2:]
    assert [(one["author"], one["hide"], one["sequence"]) for one in statuses] == [("ann", True, 2), ("bea", False, 4)]
    assert [one["id"] for one in posts] == ["jsonl:1", "jsonl:2"]
    Path("dump.jsonl").write_bytes(dumped)
    assert run("run", "--source", "jsonl:dump.jsonl", "--index", "sqlite:second.db") == 0
    assert run("search", "london", "--json", "--index", "sqlite:second.db") == 0
    assert [document["id"] for document in run.documents] == ["jsonl:2"]
    assert run("dump", "--index", "sqlite:second.db", "--kind", "posts") == 0
    assert run.output == dumped


def test_search_answers_machines_and_people(indexed: Terminal) -> None:
    assert indexed("search", "place:London", "--json") == 0
    (post,) = indexed.documents
    assert [entity["text"] for entity in post["entities"]] == ["London", "Tokyo"]
    assert indexed("search", "london", "OR", "back") == 0
    shown = indexed.output.decode()
    assert "[London LOC] calls [Tokyo LOC]" in shown
    assert "[bold]x[/bold]" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "2 of 2 posts" in indexed.notes


def test_search_pages_until_the_end(indexed: Terminal) -> None:
    assert indexed("search", "--size", "1", "--json") == 0
    first = indexed.documents[0]["id"]
    match = re.search(r"--after (\S+)", indexed.notes)
    assert match
    assert indexed("search", "--size", "1", "--json", "--after", match[1]) == 0
    assert indexed.documents[0]["id"] != first
    assert indexed("search", "--size", "1", "--all", "--json") == 0
    assert len(indexed.documents) == 3


def test_trends_prints_what_is_trending(run: Terminal) -> None:
    lines = [
        json.dumps({"id": n, "text": "Lagos!", "created_at": f"2026-03-01T12:{n:02}:00Z", "author": f"a{n}"})
        for n in range(40)
    ]
    Path("burst.jsonl").write_text("\n".join(lines))
    assert run("run", "--source", "jsonl:burst.jsonl") == 0
    assert run("trends", "--json") == 0
    (trend,) = run.documents
    assert (trend["key"], trend["type"], trend["authors"]) == ("lagos", "LOC", 40)
    assert run("trends") == 0
    assert "Lagos" in run.output.decode()
    assert run("trends", "--until", "2020-01-01", "--json") == 0
    assert run.output == b""


def test_dead_letters_are_listed_shown_and_processed_again(indexed: Terminal) -> None:
    assert indexed("dead-letters", "list", "--json") == 0
    (letter,) = indexed.documents
    assert (letter["origin"], letter["position"], letter["body"]) == (
        f"{Path.cwd()}/feed.jsonl:3",
        3,
        "this is not JSON",
    )
    assert indexed("dead-letters", "show", letter["origin"]) == 0
    assert b"this is not JSON" in indexed.output
    assert indexed("dead-letters", "requeue", "--all", "--json") == 0
    assert indexed.documents == [{"succeeded": 0, "failed": 1, "left": 0}]
    assert indexed("dead-letters", "list", "--json") == 0
    assert len(indexed.documents) == 1
    assert indexed("dead-letters", "show", "nothing") == 2


def test_a_requeued_letter_that_now_succeeds_becomes_a_post(indexed: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise UntaggablePost("not today")

    Path("late.jsonl").write_text('{"id": 9, "text": "Chicago é", "created_at": "2026-03-02T00:00:00Z"}\n')
    with monkeypatch.context() as broken:
        broken.setattr(StubTagger, "tag", refuse)
        assert indexed("run", "--source", "jsonl:late.jsonl") == 0
        assert indexed("dead-letters", "requeue", "--all", "--cause", "untaggable", "--json") == 0
        assert indexed.documents == [{"succeeded": 0, "failed": 1, "left": 0}]
        assert "not today" in indexed.notes
    assert indexed("search", "chicago", "--json") == 0
    assert indexed.output == b""
    assert indexed("dead-letters", "requeue", "--all", "--cause", "untaggable", "--json") == 0
    assert indexed.documents == [{"succeeded": 1, "failed": 0, "left": 0}]
    assert indexed("search", "place:Chicago", "--json") == 0
    assert indexed.documents[0]["text"] == "Chicago é"
    assert indexed("dead-letters", "list", "--cause", "untaggable", "--json") == 0
    assert indexed.output == b""


def test_tag_marks_one_text(run: Terminal) -> None:
    assert run("tag", "Angela Merkel in London", "--json") == 0
    (post,) = run.documents
    assert [(entity["start"], entity["end"]) for entity in post["entities"]] == [(0, 13), (17, 23)]
    assert run("tag", "Angela Merkel\x1b[2J in London") == 0
    assert "[Angela Merkel PER]␛[2J in [London LOC]" in run.output.decode()
    assert run("tag", "", "--json") == 0
    assert run.documents[0]["entities"] == []


def test_tag_reads_a_file_in_order_and_reports_what_it_refuses(run: Terminal) -> None:
    assert run("tag", "--input", "feed.jsonl", "--output", "tagged.jsonl") == 0
    ids = [json.loads(line)["id"] for line in Path("tagged.jsonl").read_text().splitlines()]
    assert ids == ["jsonl:1", "jsonl:2", "jsonl:3", "jsonl:4"]
    assert "feed.jsonl:3: not JSON" in run.notes
    assert run("tag", "--input", "feed.jsonl", "--json") == 0
    assert run.output == Path("tagged.jsonl").read_bytes()


def test_tag_scores_a_bio_file(run: Terminal) -> None:
    Path("gold.txt").write_text("Angela\tB-PER\nMerkel\tI-PER\nin\tO\nRome\tB-LOC\n\nTokyo\tB-ORG\n")
    assert run("tag", "--conll", "gold.txt", "--types", "per,LOC", "--json") == 0
    (figures,) = run.documents
    assert figures["posts"] == 2
    assert figures["strict"]["types"]["PER"]["f1"] == 1.0
    assert figures["strict"]["types"].keys() == {"PER", "LOC"}
    assert run("tag", "--conll", "gold.txt") == 0
    assert b"lenient" in run.output


def test_segment_prints_each_line_as_given(run: Terminal) -> None:
    Path("tags.txt").write_bytes(b"#NewYorkCity\n\nBLM2020\r\n\xff\xfe\n#" + b"x" * 2_000_000 + b"\n#MH370")
    assert run("segment", "--input", "tags.txt") == 0
    lines = run.output.split(b"\n")
    assert lines[:3] == [b"#NewYorkCity\tNew York City", b"\t", b"BLM2020\tBLM 2020"]
    assert lines[3].startswith(b"\\xff\\xfe\t")
    assert lines[4].startswith(b"#xxx")
    assert lines[5:] == [b"#MH370\tMH370", b""]
    assert "line 5 has 2,000,001 bytes" in run.notes
    assert run("segment", "NewYorkCity", "--json") == 0
    assert run.documents == [{"hashtag": "NewYorkCity", "words": ["New", "York", "City"]}]


def test_the_demo_ends_with_posts_and_commands_that_work(run: Terminal, tmp_path: Path) -> None:
    assert run("demo", "feed.jsonl") == 0
    shown = run.output.decode()
    assert "[London LOC]" in shown
    listed, _, look = shown.split("Now search it")[1].partition("Or look at it in a browser")
    commands = [line.strip() for line in listed.splitlines() if line.strip()]
    assert len(commands) == 5
    program, *_ = shlex.split(commands[0])
    assert shlex.split(look) == [program, "serve", "--index", "sqlite:demo/demo.db"]
    for command in commands:
        assert run(*shlex.split(command)[1:]) == 0, command
    assert run("demo", "feed.jsonl") == 0
    assert "4 posts" in run.notes, "the second demo must not go on where the first one stopped"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo", "feed.jsonl"]


def test_a_demo_beside_an_index_of_the_user_leaves_it_alone(run: Terminal, tmp_path: Path) -> None:
    theirs = ["tagstream.db", "tagstream.db-wal", "tagstream.db.backup", "demo.db.backup", "demo.db2"]
    for name in theirs:
        (tmp_path / name).write_bytes(b"precious")
    assert run("demo", "feed.jsonl", "--directory", ".") == 0
    assert run("demo", "feed.jsonl", "--directory", ".") == 0
    assert [(tmp_path / name).read_bytes() for name in theirs] == [b"precious"] * len(theirs)


def test_a_demo_without_its_feed_keeps_the_earlier_one(run: Terminal) -> None:
    assert run("demo", "feed.jsonl") == 0
    for absent in ("absent.jsonl", "jsonl:absent.jsonl", "simulate:x"):
        assert run("demo", absent) in (2, 3)
    assert run("dump", "--kind", "posts", "--index", "sqlite:demo/demo.db") == 0
    assert len(run.documents) == 3


def test_a_demo_of_the_first_year_of_the_calendar(run: Terminal) -> None:
    Path("old.jsonl").write_text('{"id": 1, "text": "London calls", "created_at": "0001-01-01T00:30:00Z"}\n')
    assert run("demo", "old.jsonl") == 0
    assert "[London LOC]" in run.output.decode()


def test_tag_does_not_write_over_what_it_reads(run: Terminal, tmp_path: Path) -> None:
    (tmp_path / "link.jsonl").symlink_to("feed.jsonl")
    for output in ("feed.jsonl", "./feed.jsonl", "link.jsonl"):
        assert run("tag", "--input", "feed.jsonl", "--output", output) == 2
        assert "is the file that --input reads" in run.notes
    with open(tmp_path / "feed.jsonl", "rb") as feed:
        running = process("tag", "--input", "-", "--output", "feed.jsonl", folder=tmp_path, stdin=feed)
        running.communicate(timeout=30)
    assert running.returncode == 2
    assert Path("feed.jsonl").read_text() == FEED


def test_segment_leaves_a_byte_order_mark_out(run: Terminal) -> None:
    Path("tags.txt").write_bytes(b"\xef\xbb\xbf#NewYorkCity\n\xef\xbb\xbfx\n")
    assert run("segment", "--input", "tags.txt") == 0
    lines = run.output.split(b"\n")
    assert lines[0] == b"#NewYorkCity\tNew York City"
    assert lines[1].startswith(b"\\ufeffx\t")


def test_a_letter_that_meets_a_defect_stays_and_the_others_go_on(
    run: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UntaggablePost("not today")

    with monkeypatch.context() as broken:
        broken.setattr(StubTagger, "tag", refuse)
        assert run("run", "--source", "jsonl:feed.jsonl") == 0
    tag = StubTagger.tag

    def fail_once(_tagger: StubTagger, _batch: Any) -> Any:
        monkeypatch.setattr(StubTagger, "tag", tag)
        raise ZeroDivisionError("over nothing")

    monkeypatch.setattr(StubTagger, "tag", fail_once)
    assert run("dead-letters", "requeue", "--all", "--cause", "untaggable", "--json") == 1
    (counts,) = run.documents
    assert (counts["failed"], counts["left"]) == (1, 0)
    assert counts["succeeded"] >= 2
    assert "unexpected ZeroDivisionError: over nothing" in run.notes
    assert run("dead-letters", "list", "--cause", "untaggable", "--json") == 0
    assert len(run.documents) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "Usage: tagstream"),
        (["bogus"], 2, "No such command 'bogus'"),
        (["run"], 2, "Missing option '--source'"),
        (["run", "--source", "carrier-pigeon:7"], 2, "names no source"),
        (["run", "--source", "jsonl:absent.jsonl"], 3, "absent.jsonl"),
        (["run", "--source", "jsonl:feed.jsonl", "--index", "postgres:x"], 2, "no index of kind"),
        (["run", "--source", "jsonl:feed.jsonl", "--index", "sqlite:no/such/folder.db"], 3, "folder"),
        (["run", "--source", "jsonl:feed.jsonl", "--index", "sqlite:feed.jsonl"], 1, "feed.jsonl"),
        (["run", "--source", "jsonl:feed.jsonl", "--models", "nowhere"], 2, "--models nowhere"),
        (["search", "x"], 3, "no index at tagstream.db"),
        (["search", "--size", "0"], 2, "--size"),
        (["search", "--since", "soon"], 2, "soon"),
        (["search", "--since", "0001-01-01T00:00:00+09:00"], 2, "outside the calendar"),
        (["trends", "--window", "99999999999999999999d"], 2, "is not a duration"),
        (["dump", "--index", ""], 2, "index"),
        (["tag"], 2, "exactly one of"),
        (["tag", "x", "--input", "feed.jsonl"], 2, "exactly one of"),
        (["tag", "x" * 100_001], 2, "text cannot be that of a post"),
        (["tag", "x", "--types", "PER"], 2, "--types goes with --conll"),
        (["tag", "--conll", "gold.txt", "--types", "CITY"], 2, "PER, LOC, ORG, MISC"),
        (["tag", "--conll", "absent.txt"], 3, "absent.txt"),
        (["tag", "--conll", "feed.jsonl"], 3, "feed.jsonl"),
        (["tag", "--input", "absent.jsonl"], 3, "absent.jsonl"),
        (["tag", "--input", "feed.jsonl", "--output", "no/folder"], 2, "no/folder"),
        (["tag", "x", "--alt", "x" * 12_000], 2, "alt cannot be that of a post"),
        (["tag", "x", "--models", ""], 2, "--models ''"),
        (["segment"], 2, "HASHTAG"),
        (["segment", "--input", "absent.txt"], 3, "absent.txt"),
        (["segment", "--input", "."], 3, "'.'"),
        (["dead-letters", "requeue"], 2, "--all"),
        (["--config", "absent.toml", "dump"], 3, "absent.toml"),
        (["dump", "--config", "absent.toml"], 3, "absent.toml"),
        (["demo", "absent.jsonl"], 3, "absent.jsonl"),
    ],
)
def test_an_error_is_one_line_and_a_code(run: Terminal, arguments: list[str], code: int, message: str) -> None:
    assert run(*arguments) == code
    assert message in run.notes
    assert run.output == b""
    assert "Traceback" not in run.notes
    assert not arguments or len(run.notes.splitlines()) == 1 or arguments[0] == "demo"


def test_debug_shows_the_traceback_wherever_it_stands(run: Terminal) -> None:
    for arguments in (("--debug", "search", "x"), ("search", "x", "--debug")):
        assert run(*arguments) == 3
        assert "Traceback" in run.notes


def test_a_setting_from_the_environment_that_does_not_exist_is_refused(
    run: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAGSTREAM_INDX", "sqlite:x.db")
    assert run("dump") == 2
    assert "did you mean TAGSTREAM_INDEX?" in run.notes


def test_a_defect_of_ours_is_one_line_too(run: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("over\nnothing")

    monkeypatch.setattr(search.open, "open_index", broken)
    assert run("dump") == 1
    assert run.notes == "error: unexpected ZeroDivisionError: over nothing (--debug shows where)\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_what_is_in_flight_and_says_where(tmp_path: Path, number: signal.Signals) -> None:
    running = process("run", "--source", "-", folder=tmp_path, stdin=subprocess.PIPE)
    assert running.stdin is not None
    running.stdin.write(FEED.encode())
    running.stdin.flush()
    wait_for_posts(tmp_path, 3)
    running.send_signal(number)
    # Only then is its input closed: the end of the feed would end the run as well.
    terminated = number == signal.SIGTERM
    assert running.wait(timeout=30) == (0 if terminated else 130)
    output, notes = running.communicate()
    assert output == b""
    how = b"\n" if terminated else b"interrupted: "
    assert how + b"stopped at lines:6 after 4 posts" in notes
    assert b"Traceback" not in notes


OPENING = """
import os, sys
from tagstream.cli import main
opened = os.open
def announced(path, *arguments, **keywords):
    if path == "fifo":
        print("opening", file=sys.stderr, flush=True)
    return opened(path, *arguments, **keywords)
os.open = announced
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", [["run", "--source", "jsonl:fifo"], ["tag", "--input", "fifo"]])
@pytest.mark.parametrize("is_opened", [False, True])
def test_one_signal_ends_the_wait_for_the_writer_of_a_fifo(
    tmp_path: Path, command: list[str], is_opened: bool, number: signal.Signals
) -> None:
    os.mkfifo(tmp_path / "fifo")
    environment = os.environ | {"TAGSTREAM_MODELS": "stub:"}
    running = subprocess.Popen(
        [sys.executable, "-c", OPENING, *command], cwd=tmp_path, env=environment, stderr=subprocess.PIPE
    )
    assert running.stderr is not None
    writer = None
    try:
        assert running.stderr.readline() == b"opening\n"
        if is_opened:
            writer = os.open(tmp_path / "fifo", os.O_WRONLY)  # waits for the reader
        running.send_signal(number)
        _, notes = running.communicate(timeout=20)
    finally:
        running.kill()
        if writer is not None:
            os.close(writer)
    terminated = number == signal.SIGTERM and command[0] == "run"
    assert running.returncode == (0 if terminated else 130)
    assert (b"\nstopped" if terminated else b"interrupted: stopped") in b"\n" + notes
    assert b"Traceback" not in notes


SLOW = """
import sys, time
import workers.tagger.stub
from tagstream.cli import main
def tag(self, prepared):
    print("computing", file=sys.stderr, flush=True)
    time.sleep(60)
workers.tagger.stub.StubTagger.tag = tag
main()
"""


def test_a_stop_does_not_wait_for_a_long_inference(tmp_path: Path) -> None:
    (tmp_path / "feed.jsonl").write_text(FEED)
    environment = os.environ | {"TAGSTREAM_MODELS": "stub:", "TAGSTREAM_STOP_SECONDS": "0"}
    command = [sys.executable, "-c", SLOW, "run", "--source", "jsonl:feed.jsonl", "--json"]
    running = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    try:
        assert "computing" in running.stderr.readline()
        running.send_signal(signal.SIGINT)
        output, notes = running.communicate(timeout=20)
    finally:
        running.kill()
    assert running.returncode == 130
    assert json.loads(output)["abandoned"] == 6
    assert "interrupted: stopped after 0 posts" in notes
    listed, _ = process("dead-letters", "list", "--json", folder=tmp_path).communicate(timeout=30)
    assert listed == b""


def test_half_a_line_that_was_completed_is_no_dead_letter_any_more(run: Terminal) -> None:
    Path("feed.jsonl").write_text(FEED + '{"id": 5, "text": "La')
    assert run("run", "--source", "jsonl:feed.jsonl") == 0
    assert run("dead-letters", "list", "--json") == 0
    assert [Path(letter["origin"]).name for letter in run.documents] == ["feed.jsonl:3", "feed.jsonl:7"]
    with Path("feed.jsonl").open("a") as feed:
        feed.write('gos", "created_at": 1714564800}\n{"id": 6, "te')
    assert run("run", "--source", "jsonl:feed.jsonl") == 0
    assert run("dead-letters", "list", "--json") == 0
    assert [Path(letter["origin"]).name for letter in run.documents] == ["feed.jsonl:3", "feed.jsonl:8"]
    with Path("feed.jsonl").open("a") as feed:
        feed.write('xt": 7}\n')
    assert run("run", "--source", "jsonl:feed.jsonl") == 0
    assert run("dead-letters", "list", "--json") == 0
    assert [(Path(one["origin"]).name, one["cause"]) for one in run.documents] == [
        ("feed.jsonl:3", "invalid_json"),
        ("feed.jsonl:8", "bad_field"),
    ]


def test_an_erasure_in_one_file_meets_the_posts_of_another_by_their_sequence(run: Terminal) -> None:
    """By their line numbers the first post would be too late to be erased, and the last one too early to stay."""
    Path("b.jsonl").write_text('{"author": "ann", "erase": true, "sequence": 100}\n')
    posts = [
        f'{{"id": {sequence}, "author": "ann", "text": "x", "created_at": "9999-01-01", "sequence": {sequence}}}\n'
        for sequence in (50, 100, 150)
    ]
    Path("a.jsonl").write_text("\n" * 200 + "".join(posts[:2]))
    Path("c.jsonl").write_text(posts[2])
    for names in ("abc", "bac", "cba"):
        index = f"sqlite:{names}.db"
        for name in names:
            assert run("run", "--source", f"jsonl:{name}.jsonl", "--index", index) == 0
        assert run("dump", "--kind", "posts", "--index", index) == 0
        assert [document["id"] for document in run.documents] == ["jsonl:150"]


def test_a_demo_that_cannot_begin_keeps_the_earlier_one(run: Terminal) -> None:
    assert run("demo", "feed.jsonl") == 0
    assert run("demo", "feed.jsonl", "--models", "nowhere") == 2
    for itself in ("demo/demo.db", "jsonl:demo/demo.db", "jsonl:demo/../demo/demo.db"):
        assert run("demo", itself) == 2
        assert "would delete it" in run.notes
    assert run("dump", "--kind", "posts", "--index", "sqlite:demo/demo.db") == 0
    assert len(run.documents) == 3


def test_tag_does_not_append_to_what_it_reads(tmp_path: Path) -> None:
    (tmp_path / "feed.jsonl").write_text(FEED)
    for arguments in ("--input feed.jsonl", "--input feed.jsonl --output -", "--input - < feed.jsonl"):
        line = f"{shlex.quote(sys.executable)} -m tagstream tag --models stub: {arguments} >> feed.jsonl"
        ended = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, timeout=30, check=False)
        assert ended.returncode == 2
        assert b"is the file that --input reads" in ended.stderr
    assert (tmp_path / "feed.jsonl").read_text() == FEED


def test_an_index_whose_path_is_not_utf8_is_refused_in_words(run: Terminal) -> None:
    assert run("run", "--source", "jsonl:feed.jsonl", "--index", "sqlite:caf\udce9.db") == 2
    assert "--index" in run.notes
    assert "is not UTF-8" in run.notes
    assert "%E9" in run.notes


def test_tag_scores_standard_input(tmp_path: Path) -> None:
    running = process("tag", "--conll", "-", "--json", folder=tmp_path, stdin=subprocess.PIPE)
    output, notes = running.communicate(b"London\tB-LOC\ncalls\tO\n", timeout=30)
    assert (running.returncode, notes) == (0, b"")
    assert json.loads(output)["strict"]["f1"] == 1.0
    running = process("tag", "--conll", "-", "--json", folder=tmp_path, stdin=subprocess.PIPE)
    _, notes = running.communicate(b"London\n", timeout=30)
    assert (running.returncode, notes.startswith(b"error: standard input:1: ")) == (3, True)


def wait_for_posts(folder: Path, number: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        output, _ = process("dump", "--kind", "posts", folder=folder).communicate(timeout=30)
        if len(output.splitlines()) == number:
            return
    pytest.fail(f"{number} posts were never indexed")


def test_a_reader_that_goes_away_is_not_worth_a_word(tmp_path: Path) -> None:
    (tmp_path / "tags.txt").write_text("#NewYorkCity\n" * 200_000)
    running = process("segment", "--input", "tags.txt", folder=tmp_path)
    assert running.stdout is not None
    assert running.stdout.read(4) == b"#New"
    running.stdout.close()
    assert running.stderr is not None
    assert running.stderr.read() == b""
    running.stderr.close()
    assert running.wait(timeout=30) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a Linux device")
def test_a_full_disk_is_said_and_not_success(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "tagstream", "segment", "NewYorkCity"]
        ended = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, timeout=30, check=False)
    assert ended.returncode == 1
    assert ended.stderr == b"error: standard output cannot be written: No space left on device\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a Linux device")
@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", ">&-", "<&-", "<&- >&- 2>&-"])
def test_streams_that_are_full_or_closed_do_not_fail_a_run(tmp_path: Path, redirection: str) -> None:
    (tmp_path / "feed.jsonl").write_text(FEED)
    command = [sys.executable, "-m", "tagstream", "run", "--source", "jsonl:feed.jsonl", "--json"]
    environment = os.environ | {"TAGSTREAM_MODELS": "stub:"}
    line = f"{shlex.join(command)} {redirection}"
    ended = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, env=environment, capture_output=True, timeout=30, check=False
    )
    assert (ended.returncode, b"Traceback" in ended.stderr) == (0, False)
    output, _ = process("dump", "--kind", "posts", folder=tmp_path).communicate(timeout=30)
    assert len(output.splitlines()) == 3


@pytest.mark.parametrize("raised", ["KeyboardInterrupt()", "ImportError('half loaded') from KeyboardInterrupt()"])
def test_an_interrupt_while_modules_load_is_one_line(tmp_path: Path, raised: str) -> None:
    (tmp_path / "click.py").write_text(f"raise {raised}\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, "-m", "tagstream", "--help"]
    ended = subprocess.run(command, env=environment, capture_output=True, timeout=30, check=False)
    assert (ended.returncode, ended.stderr) == (130, b"interrupted: nothing more was done\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_narrow_locale_is_no_excuse(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "feed.jsonl").write_text(FEED)
    environment = os.environ | {"PYTHONIOENCODING": encoding, "TAGSTREAM_MODELS": "stub:"}
    command = [sys.executable, "-m", "tagstream", "tag", "London 🚀"]
    for arguments, expected in (([], b"[London LOC] ?"), (["--json"], "London 🚀".encode())):
        ended = subprocess.run(command + arguments, env=environment, capture_output=True, timeout=30, check=True)
        assert expected in ended.stdout


def test_marked_text_survives_entities_that_overlap() -> None:
    def entity(start: int, end: int) -> Entity:
        return Entity(text="x", type="LOC", start=start, end=end, score=1.0, key="x")

    text = "New York City"
    assert marked(text, [entity(4, 8), entity(0, 8)], coloured=False).plain == "[New York LOC] City"
    assert marked(text, [entity(0, 8)], coloured=True).plain == "New York loc City"


@pytest.mark.parametrize(("series", "shown"), [((), ""), ((0, 0), "▁▁"), ((0, 1, 2), "▁▄█"), ((5,), "█")])
def test_a_sparkline_is_as_high_as_its_greatest(series: tuple[int, ...], shown: str) -> None:
    assert sparkline(series) == shown


def test_an_option_behind_the_dashes_is_not_searched_for_in_silence(indexed: Terminal) -> None:
    assert indexed("search", "--", "london", "--json", "--index", "sqlite:elsewhere.db") == 2
    assert "--json before it" in indexed.notes


def test_a_search_that_finds_nothing_is_told_what_would(indexed: Terminal) -> None:
    assert indexed("search", "person:lond") == 0
    assert "posts: entity:lond*" in indexed.notes
    assert indexed("search", "place:london") == 0
    assert "entity:" not in indexed.notes


def test_a_search_prints_what_its_posts_have_in_common(indexed: Terminal) -> None:
    assert indexed("search", "place:london", "--facets", "--json") == 0
    rows = indexed.documents
    [london] = [row for row in rows if row["query"] == 'place:"london"']
    assert (london["kind"], london["text"]) == ("place", "London")
    assert f"{london['posts']:,} posts" in indexed.notes
    assert indexed("search", "place:london", "--facets") == 0
    assert "source:" in indexed.output.decode()


def test_a_search_prints_ids_and_csv(indexed: Terminal) -> None:
    assert indexed("search", "place:london", "--ids") == 0
    ids = indexed.output.decode().split()
    assert indexed("search", "place:london", "--csv") == 0
    header, *rows = csv.reader(indexed.output.decode().splitlines())
    assert header[:2] == ["created_at", "id"]
    assert [row[1] for row in rows] == ids
    assert indexed("search", "--ids", "--json") == 2
