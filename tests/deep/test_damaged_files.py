"""Damaged files of an index, at random, against every command that opens one: each ends with one clear message."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tagstream.cli.commands import application
from tagstream.cli.errors import run_guarded

FEED = "".join(
    f'{{"id": {at}, "author": "a{at % 9}", "text": "London calls {at}", "created_at": {1714564800000 + at * 1000}}}\n'
    for at in range(400)
)
COMMANDS = [
    ["search", "london"],
    ["search", "--all", "--json"],
    ["search", "london", "--order", "relevance"],
    ["trends", "--json"],
    ["dump"],
    ["dump", "--kind", "posts"],
    ["dead-letters", "list"],
    ["dead-letters", "show", "x"],
    ["photo", "jsonl:1", "0", "--to", "photo.jpg"],
    ["compact"],
    ["restore", "dump.jsonl"],
    ["run", "--source", "jsonl:more.jsonl", "--until-end"],
]
ROUNDS = int(os.environ.get("DEEP_ROUNDS", "600"))
SEED = int(os.environ.get("DEEP_SEED", "3"))


def flip(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 1, 3, 50])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def truncate(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content)) :]


def empty_pages(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 2, 8])):
        at = chance.randrange(len(content) // 4096) * 4096
        content[at : at + 4096] = bytes(4096)


def swap_pages(content: bytearray, chance: random.Random) -> None:
    one, other = (chance.randrange(len(content) // 4096) * 4096 for _ in range(2))
    content[one : one + 4096], content[other : other + 4096] = content[other : other + 4096], content[one : one + 4096]


def spoil_the_beginning(content: bytearray, chance: random.Random) -> None:
    for _ in range(4):
        content[chance.randrange(200)] = chance.randrange(256)


def noise(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content))
    content[at : at + 700] = chance.randbytes(len(content[at : at + 700]))


DAMAGES: list[Callable[[bytearray, random.Random], None]] = [
    flip,
    truncate,
    empty_pages,
    swap_pages,
    spoil_the_beginning,
    noise,
]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_damaged_index_ends_in_one_clear_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAGSTREAM_MODELS", "stub:")
    Path("feed.jsonl").write_text(FEED + 'broken\n{"id": 3, "delete": true}\n{"author": "a4", "hide": true}\n')
    Path("more.jsonl").write_text('{"id": 900, "text": "Oslo", "created_at": 0}\n{"id": 5, "delete": true}\n')
    assert run_guarded(application, ["run", "--source", "jsonl:feed.jsonl", "--index", "sqlite:whole.db"]) == 0
    capsysbinary.readouterr()
    assert run_guarded(application, ["dump", "--index", "sqlite:whole.db"]) == 0
    Path("dump.jsonl").write_bytes(capsysbinary.readouterr().out)
    whole, chance, wrong = Path("whole.db").read_bytes(), random.Random(SEED), []
    for round_ in range(ROUNDS):
        content = bytearray(whole)
        damage = chance.choice(DAMAGES)
        damage(content, chance)
        folder = Path(f"{round_}")
        folder.mkdir()
        (folder / "index.db").write_bytes(content)
        command = chance.choice(COMMANDS)
        code = run_guarded(application, [*command, "--index", f"sqlite:{folder}/index.db"])
        notes = capsysbinary.readouterr().err.decode(errors="replace")
        said = [line for line in notes.splitlines() if line.startswith("error: ")]
        if "error: unexpected" in notes or "Traceback" in notes or len(said) != (code != 0) or code not in range(5):
            wrong.append((round_, damage.__name__, command, code, notes[-400:]))
        shutil.rmtree(folder)
    assert not wrong, f"{len(wrong)} of {ROUNDS}:\n" + "\n".join(map(str, wrong))
