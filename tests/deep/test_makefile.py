"""Every target of the Makefile starts what it names: no file, module, command or option that is not there.

The long work itself is not done. In a copy of the Makefile's folder the programs are stand-ins that start the real one
as far as it goes without work: pytest collects, a command of ours reads its arguments.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tagstream.settings import REPOSITORY

MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z][a-z-]*):.*##", MAKEFILE, re.MULTILINE)

STAND_IN = f"""#!/usr/bin/env bash
set -euo pipefail
program=$(basename "$0")
printf '%s %s\\n' "$program" "$*" >>"$TARGET_LOG"
cd {REPOSITORY}
case "$program $*" in
    "setup.sh "*) for part in "$@"; do [[ -f requirements/$part.txt ]]; done ;;
    "uv pip compile "*) ;;
    "python -m pytest --numprocesses"*) ;;  # this test is one of those
    "python -m pytest "*) exec {sys.executable} "$@" --collect-only --quiet ;;
    "python -m ruff format "* | "python -m ruff check "*) exec {sys.executable} "$@" --help ;;
    "python -m mypy") exec {sys.executable} -m mypy --version ;;
    "python -m "* | "tagstream "*)
        [[ $program == python ]] || set -- -m tagstream "$@"
        help=$({sys.executable} "$@" --help)
        for word in "$@"; do
            [[ $word != --* || $help == *"$word"* ]] || {{ echo "$* has no $word" >&2; exit 1; }}
        done ;;
    *) echo "the Makefile starts $program $*, which no test knows how to start" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with the Makefile, and stand-ins for all that it starts."""
    (tmp_path / "Makefile").write_text(MAKEFILE, encoding="utf-8")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "all.tmp").touch()
    for program in ("ops/setup.sh", ".venv/bin/python", ".venv/bin/tagstream", "path/uv"):
        path = tmp_path / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STAND_IN, encoding="utf-8")
        path.chmod(0o755)
    return tmp_path


def test_the_targets_are_found() -> None:
    assert {"setup", "demo", "test", "test-deep", "chaos", "lint", "lock"} <= set(TARGETS)
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert sorted(phony[1].split()) == sorted(["help", *(one for one in TARGETS if one != "help"), "setup-all"])


@pytest.mark.parametrize("target", sorted({*TARGETS, "setup-all"} - {"help"}))
def test_a_target_starts(copy: Path, target: str) -> None:
    log = copy / "log"
    environment = os.environ | {"TARGET_LOG": str(log), "PATH": f"{copy / 'path'}:{os.environ['PATH']}"}
    for name in ("MAKEFLAGS", "MAKELEVEL", "FEED", "ROWS", "STACK", "SECONDS_OF_CHAOS"):
        environment.pop(name, None)
    ended = subprocess.run(
        ["make", "--no-print-directory", target],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, (
        f"{log.read_text() if log.exists() else ''}{ended.stdout[-2000:]}{ended.stderr[-2000:]}"
    )
    assert log.read_text().startswith(("setup.sh ", "uv "))


def test_help_names_every_target(copy: Path) -> None:
    ended = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=copy, capture_output=True, text=True, timeout=20, check=True
    )
    assert [line.split()[0] for line in ended.stdout.splitlines()] == TARGETS
