"""Every command with odd input: a clear line, the right exit code, never a traceback, and nothing left behind."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from terminal_fixture import Terminal, is_quiet

from tagstream.cli.commands import COMMANDS

LONG = "x" * 100_000
STEERING = "\x1b[31m\u202e\x9b"


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Terminal:
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("TAGSTREAM_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("TAGSTREAM_MODELS", "stub:")
    (tmp_path / "feed.jsonl").write_text('{"id": 1, "text": "London", "created_at": 1772359200000}\n')
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 16)
    (tmp_path / "gold").write_text("London\tB-LOC\n")
    return Terminal(tmp_path, capsysbinary)


# Arguments, exit code, and a part of what is said.
REFUSED: list[tuple[str, int, str]] = [
    # without arguments, or with too few
    ("run", 2, "--source"),
    ("ingest", 2, "--source"),
    ("tag", 2, "exactly one of"),
    ("segment", 2, "HASHTAGs or --input"),
    ("photo", 2, "POST_ID"),
    ("serve --http nowhere", 2, "is no address"),
    ("serve --http 0.0.0.0:8080", 2, "TAGSTREAM_SERVE_TOKEN"),
    ("photo x", 2, "--output"),
    ("restore", 2, "FILE"),
    ("dead-letters show", 2, "ORIGIN"),
    ("dead-letters requeue", 2, "--all"),
    ("train", 2, "RECIPE"),
    ("evaluate", 2, "--run"),
    ("export", 2, "--run and --to"),
    ("export image-encoder", 2, "--weights"),
    # an index that is not there is made by nobody who only asks
    ("search x", 3, "no index at tagstream.db"),
    ("trends", 3, "no index at tagstream.db"),
    ("dump", 3, "no index at tagstream.db"),
    ("photo x --output o.jpg", 3, "no index at tagstream.db"),
    ("retag", 3, "no index at tagstream.db"),
    ("dead-letters list", 3, "no index at tagstream.db"),
    ("dead-letters show x", 3, "no index at tagstream.db"),
    ("dead-letters requeue --all", 3, "no index at tagstream.db"),
    ("dead-letters sweep", 3, "no index at tagstream.db"),
    # an index that is none
    *((f"{command} --index sqlite:folder", 3, "folder") for command in ("search", "trends", "dump", "retag")),
    *((f"{command} --index sqlite:empty", 3, "empty") for command in ("search", "trends", "dump", "retag")),
    *((f"{command} --index sqlite:", 2, "names no file") for command in ("search", "trends", "dump", "retag")),
    *((f"{command} --index postgres:x", 2, "postgres") for command in ("search", "trends", "dump", "retag")),
    ("search --index sqlite:noise", 1, "noise"),
    ("search --index elasticsearch:", 2, "names no server"),
    # a feed that is none
    ("run --source jsonl:absent", 3, "absent"),
    ("run --source jsonl:folder", 3, "no file in 'folder' is of posts"),
    ("run --source jsonl:folder --record r.jsonl", 3, "no file in 'folder' is of posts"),
    ("run --source rss:@folder", 3, "directory"),
    ("ingest --source jsonl:folder", 3, "no file in 'folder' is of posts"),
    ("ingest --source rss:@folder", 3, "directory"),
    ("run --source jsonl:", 2, "names no source"),
    ("run --source bogus:x", 2, "names no source"),
    ("run --source simulate:x", 2, "simulate:SEED"),
    ("run --source simulate:1?posts=-1", 2, "simulate:SEED"),
    ("run --source rss:ftp://x", 2, "ftp://x"),
    ("run --source rss:@absent", 3, "absent"),
    ("run --source bluesky:x", 2, "bluesky:x"),
    ("run --source x:", 2, "x_bearer_token"),
    ("run --source mastodon:h?token=s3cret", 2, "token"),
    ("run --source jsonl:feed.jsonl --speed nan", 2, "speed"),
    ("run --source jsonl:feed.jsonl --speed 0", 2, "speed"),
    ("ingest --source jsonl:absent", 3, "absent"),
    # a tagger that is none
    ("tag x --models absent", 2, "--models absent"),
    ("tag x --models folder", 2, "no model here"),
    ("tag x --models stub:x", 2, "stub:x"),
    ("tag x --models grpc://u:s3cret@h:1", 2, "grpc://HOST:PORT"),
    # other files that are not there, or are something else
    ("tag --input absent", 3, "absent"),
    ("tag --input folder", 3, "directory"),
    ("tag --input folder --output o.jsonl", 3, "directory"),
    ("tag --input feed.jsonl --output folder", 2, "--output folder"),
    ("tag --input feed.jsonl --output absent/x", 2, "--output absent/x"),
    ("tag --input feed.jsonl --output feed.jsonl", 2, "is the file that --input reads"),
    ("tag --conll absent", 3, "No such file"),
    ("tag --conll folder", 3, "Is a directory"),
    ("tag --conll empty", 3, "no post"),
    ("tag --conll noise", 3, "BIO file"),
    ("tag x --photo absent", 3, "No such file"),
    ("tag x --photo folder", 3, "no regular file"),
    ("tag x --photo empty", 2, "neither JPEG"),
    ("segment --input absent", 3, "No such file"),
    ("segment --input folder", 3, "Is a directory"),
    ("restore absent", 3, "No such file"),
    ("restore folder", 3, "Is a directory"),
    ("restore empty", 3, "empty"),
    ("restore noise", 3, "noise"),
    ("demo absent", 3, "absent"),
    ("demo folder", 3, "no file in 'folder' is of posts"),
    ("demo jsonl:folder", 3, "no file in 'folder' is of posts"),
    ("demo --directory empty", 2, "--directory empty"),
    ("--config absent dump", 3, "absent"),
    ("--config folder dump", 3, "folder"),
    ("--config noise dump", 2, "not TOML"),
    ("bench local --models stub:", 2, "real model"),
    ("bench photos --models stub:", 2, "image model"),
    ("bench sight --models stub:", 2, "image model"),
    ("bench local --posts 1", 2, "--posts"),
    # options that exclude one another
    ("tag x --input feed.jsonl", 2, "exactly one of"),
    ("tag x --output o", 2, "--output goes with --input"),
    ("tag x --types PER", 2, "--types goes with --conll"),
    ("tag --input feed.jsonl --photo noise", 2, "--photo goes with TEXT"),
    ("tag --input feed.jsonl --alt y", 2, "--alt goes with TEXT"),
    ("segment x --input feed.jsonl", 2, "HASHTAGs or --input"),
    ("dead-letters requeue x --all", 2, "--all"),
    ("dead-letters requeue x --cause y", 2, "--cause goes with --all"),
    ("export --json image-encoder", 2, "image-encoder"),
    ("dump --format parquet", 2, "--output FILE go together"),
    ("dump --output posts.parquet", 2, "--output FILE go together"),
    # values that make no sense
    ("search --size 0", 2, "--size"),
    ("search --size 99999999999999999999999999", 2, "--size"),
    ("search --since soon", 2, "2026-03-01T12:30"),
    ("search --since today --until yesterday", 2, "nothing lies between"),
    ("events --since soon", 2, "2026-03-01T12:30"),
    ("events --json --csv", 2, "exclude one another"),
    ("events --follow --until now", 2, "leave --until out"),
    ("event", 2, "EVENT_ID"),
    ("trends --follow --since 2h", 2, "leave --since"),
    ("counts --per fortnight", 2, "minute, hour, day, week"),
    ("counts --json --csv", 2, "exclude one another"),
    ("watch --last 1001", 2, "--last"),
    ("watch person:", 2, "without a space"),
    ("trends --window 0s", 2, "0s"),
    ("trends --until 9999-99-99", 2, "9999-99-99"),
    ("photo x --ordinal 4 --output o", 2, "--ordinal"),
    ("dead-letters list --kafka nowhere", 2, "--kafka"),
    ("dead-letters list --kafka u:s3cret@h:1", 2, "--kafka"),
    # options where they are none
    ("--json search x", 2, "--json goes after the command, as in: tagstream search --json"),
    ("dead-letters --index sqlite:x list", 2, "as in: tagstream dead-letters list --index"),
    ("search -- x --json", 2, "give --json before it"),
    ("search -- x --size=3", 2, "give --size before it"),
    ("search x -y", 2, "goes after a --"),
    ("segment -- --json", 2, "give --json before it"),
    ("tag -- --json", 2, "give --json before it"),
    ("dead-letters list --cause --json", 2, "--cause needs a value, and --json is an option"),
    ("search --index --all", 2, "--index needs a value, and --all is an option"),
]


@pytest.mark.parametrize(("line", "code", "message"), REFUSED, ids=[line for line, _, _ in REFUSED])
def test_it_is_refused_in_a_line_and_leaves_nothing(terminal: Terminal, line: str, code: int, message: str) -> None:
    before = terminal.files()
    assert terminal(*line.split()) == code, terminal.notes
    said = terminal.notes.decode()
    assert message in said
    assert terminal.output == b""
    assert "Traceback" not in said
    assert "unexpected" not in said
    assert "s3cret" not in said
    # A query's error is followed by the query, and by a line that points at the place.
    assert said.splitlines()[-3 if line == "watch person:" else -1].startswith("error: ")
    assert terminal.files() == before


def test_no_command_is_left_out() -> None:
    named = {line.split()[0] for line, _, _ in REFUSED}
    # A worker needs a broker, and is asked below; a new command needs a line of its own above.
    assert set(COMMANDS) - named <= {"worker", "bench", "backup", "compact", "prune", "plugins"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", LONG],
        ["search", "--source", LONG],
        ["search", "--after", LONG],
        ["search", "--index", f"sqlite:{LONG}"],
        ["search", "--index", LONG],
        ["run", "--source", f"jsonl:{LONG}"],
        ["run", "--source", LONG],
        ["tag", LONG, "--models", LONG],
        ["tag", "--input", LONG],
        ["tag", "--conll", LONG],
        ["tag", "x", "--photo", LONG],
        ["segment", "--input", LONG],
        ["restore", LONG],
        ["photo", LONG, "--output", "x"],
        ["dead-letters", "show", LONG],
        ["dead-letters", "list", "--kafka", LONG],
        ["--config", LONG, "dump"],
        ["trends", "--until", LONG],
        ["demo", LONG],
        [LONG],
        [f"--{LONG}"],
        ["search", f"--{LONG}"],
    ],
    ids=lambda arguments: " ".join(argument[:20] for argument in arguments),
)
def test_a_huge_or_steering_argument_makes_no_huge_or_steering_message(
    terminal: Terminal, arguments: list[str]
) -> None:
    before = terminal.files()
    for word in (LONG, STEERING):
        code = terminal(*(argument.replace(LONG, word) for argument in arguments))
        assert code in (1, 2, 3), terminal.notes
        assert len(terminal.notes) < 20_000
        assert is_quiet(terminal.notes)
        assert b"unexpected" not in terminal.notes
        assert terminal.files() == before


@pytest.mark.parametrize(
    "line",
    [
        "run --source -",
        "run --source jsonl:empty",
        "run --source jsonl:noise",
        "tag --input -",
        "tag --input empty",
        "tag --input noise",
        "segment --input -",
        "segment --input empty",
        "segment --input noise",
        "restore -",
        "tag --conll -",
    ],
)
@pytest.mark.parametrize("standard_input", ["<&-", "</dev/null"])
def test_an_empty_feed_or_closed_standard_input_ends_in_order(tmp_path: Path, line: str, standard_input: str) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 16)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAGSTREAM_")}
    command = f"{sys.executable} -m tagstream {line} {standard_input}"
    ended = subprocess.run(
        ["sh", "-c", command],
        cwd=tmp_path,
        env=environment | {"TAGSTREAM_MODELS": "stub:"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode in (0, 3), ended.stderr
    assert is_quiet(ended.stderr)
    assert is_quiet(ended.stdout, ("\n", "\t"))
    assert not re.search(b"Traceback|unexpected", ended.stderr)
