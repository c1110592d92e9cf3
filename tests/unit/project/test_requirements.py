"""The locked requirements: complete, hashed, and silent about where they were made."""

import re
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tagstream.settings import REPOSITORY

FOLDER = REPOSITORY / "requirements"
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = sorted(FOLDER.glob("*.txt"))


def entries(path: Path) -> dict[str, list[str]]:
    """The lines of each pinned package, by its name."""
    joined = path.read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in joined.splitlines():
        if line and not line.startswith("#"):
            found.setdefault(re.split(r"[=\s\[]", line, maxsplit=1)[0], []).append(line)
    return found


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=\[ ]", requirement, maxsplit=1)[0] for requirement in requirements}


def test_there_is_a_lock_for_running_developing_and_training() -> None:
    assert [path.name for path in LOCKS] == ["base.txt", "dev.txt", "train.txt"]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_everything_is_pinned_and_hashed_and_no_place_is_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for forbidden in ("://", "--index", "--extra-index", "--find-links", "--trusted-host", "file:", "@ "):
        assert forbidden not in text
    assert not re.search(r"(^|\s)/\w", text), "a path of some machine"
    for name, lines in entries(path).items():
        for line in lines:
            assert re.match(rf"{re.escape(name)}==\S+ ", line), line[:80]
            assert "--hash=sha256:" in line, name


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("base.txt", PROJECT["dependencies"]),
        ("dev.txt", PROJECT["optional-dependencies"]["dev"]),
        ("train.txt", PROJECT["optional-dependencies"]["train"]),
    ],
)
def test_every_requirement_of_the_project_is_locked(lock: str, wanted: list[str]) -> None:
    assert names(wanted) <= entries(FOLDER / lock).keys(), "run `make lock`"


@pytest.mark.parametrize(
    "requirement", [*PROJECT["dependencies"], *chain.from_iterable(PROJECT["optional-dependencies"].values())]
)
def test_every_requirement_has_an_upper_bound(requirement: str) -> None:
    assert re.search(r"==|<(?!=)", requirement), f"{requirement}: up to which release does it keep its promises?"


def test_running_needs_neither_torch_nor_transformers() -> None:
    assert not {"torch", "transformers", "onnx", "matplotlib", "pytest"} & entries(FOLDER / "base.txt").keys()


def test_the_locks_agree_with_each_other() -> None:
    base = entries(FOLDER / "base.txt")
    for path in LOCKS:
        for name, lines in entries(path).items():
            assert base.get(name, lines) == lines, f"{name} in {path.name}: run `make lock`"
