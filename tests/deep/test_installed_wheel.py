"""The wheel in an environment of its own, made as a user makes one, with the locked requirements and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from built_wheel import build_wheel

from tagstream.settings import REPOSITORY

SCRIPT = """
import tagstream

tagger = tagstream.load()
print([(entity.text, entity.type) for entity in tagger("Angela Merkel lands in New York City")])
"""


class Environment:
    """A virtual environment with the wheel, and commands run in it."""

    def __init__(self, folder: Path) -> None:
        self._programs = folder / "bin"
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        wheel = build_wheel(folder / "wheel")
        install = [str(self._programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for what in (["--require-hashes", "-r", str(REPOSITORY / "requirements/base.txt")], ["--no-deps", str(wheel)]):
            subprocess.run([*install, *what], check=True)
        subprocess.run([str(self._programs / "python"), "-m", "pip", "check"], check=True)

    def __call__(self, program: str, *arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("TAGSTREAM_", "PYTHON"))}
        return subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=cwd,
            env=variables,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which a script of the user has a folder `workers` beside it."""
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers/payroll.txt").touch()
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    return tmp_path


def test_the_demo_runs_and_its_index_is_searched(environment: Environment, folder: Path) -> None:
    shown = environment("tagstream", "demo", cwd=folder)
    assert shown.returncode == 0, shown.stderr
    assert "trends" in shown.stdout
    found = environment("tagstream", "search", "type:PER", "--json", "--index", "sqlite:demo/demo.db", cwd=folder)
    assert all(json.loads(line)["entities"] for line in found.stdout.splitlines())
    trends = environment("tagstream", "trends", "--json", "--index", "sqlite:demo/demo.db", cwd=folder)
    assert trends.returncode == 0, trends.stderr


def test_the_api_answers_in_a_script(environment: Environment, folder: Path) -> None:
    done = environment("python", "script.py", cwd=folder)
    assert done.stdout == "[('Angela Merkel', 'PER'), ('New York City', 'LOC')]\n", done.stderr


def test_a_module_that_hides_ours_is_named(environment: Environment, folder: Path) -> None:
    (folder / "search.py").touch()
    done = environment("python", "script.py", cwd=folder)
    assert done.returncode == 1
    assert f"{folder / 'search.py'} hides tagstream's own package 'search'" in done.stderr
    # The program itself starts from its own folder, so that nothing in the current one hides anything.
    assert environment("tagstream", "--version", cwd=folder).returncode == 0


def test_every_command_shows_its_help_without_the_train_extra(environment: Environment, folder: Path) -> None:
    program = "from tagstream.cli.commands import COMMANDS; [entry.load() for entry in COMMANDS.values()]"
    done = environment("python", "-c", program, cwd=folder)
    assert done.returncode == 0, done.stderr


def test_what_needs_the_train_extra_says_so(environment: Environment, folder: Path) -> None:
    refused = environment("tagstream", "train", "bert_crf", "--run", "run", cwd=folder)
    assert refused.returncode == 2
    assert "install tagstream[train]" in refused.stderr
    refused = environment("tagstream", "bench", "stack", cwd=folder)
    assert refused.returncode == 2
    assert "tagstream[train]" in refused.stderr
