"""Damaged files of an index, at random, against every command that opens one: each ends with one clear message."""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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
    ["photo", "jsonl:1"],
    ["compact"],
    ["restore", "dump.jsonl"],
    ["run", "--source", "jsonl:more.jsonl", "--until-end"],
]
SECONDS_A_COMMAND = 60
_CODES = (0, 1, 2, 3, 4)


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
ROUNDS = int(os.environ.get("DEEP_ROUNDS", "300"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "feed.jsonl").write_text(FEED + 'broken\n{"id": 3, "delete": true}\n{"author": "a4", "hide": true}\n')
    (folder / "more.jsonl").write_text('{"id": 900, "text": "Oslo", "created_at": 0}\n{"id": 5, "delete": true}\n')
    ended = tagstream(folder, "run", "--source", "jsonl:feed.jsonl")
    assert ended.returncode == 0, ended.stderr
    (folder / "dump.jsonl").write_bytes(tagstream(folder, "dump").stdout)
    return folder


def tagstream(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "tagstream", *arguments],
        cwd=folder,
        env=os.environ | {"TAGSTREAM_MODELS": "stub:", "TAGSTREAM_INDEX": "sqlite:index.db"},
        capture_output=True,
        timeout=SECONDS_A_COMMAND,
        check=False,
    )


def test_a_damaged_index_ends_in_one_clear_message(whole: Path, tmp_path: Path) -> None:
    chance = random.Random(3)
    wrong = []
    for round_ in range(ROUNDS):
        folder = tmp_path / str(round_)
        shutil.copytree(whole, folder)
        content = bytearray((folder / "index.db").read_bytes())
        damage = chance.choice(DAMAGES)
        damage(content, chance)
        (folder / "index.db").write_bytes(content)
        command = COMMANDS[round_ % len(COMMANDS)]
        ended = tagstream(folder, *command)
        notes = ended.stderr.decode(errors="replace")
        said = [line for line in notes.splitlines() if line.startswith("error: ")]
        clear = "unexpected" not in notes and "Traceback" not in notes and len(said) == (ended.returncode != 0)
        if ended.returncode not in _CODES or not clear or ended.returncode == -signal.SIGSEGV:
            wrong.append((round_, damage.__name__, command, ended.returncode, notes[-400:]))
        shutil.rmtree(folder)
    assert not wrong, f"{len(wrong)} of {ROUNDS}: " + "\n".join(map(str, wrong))
