"""Deliberate one-line breaks: each is applied to a copy of the project, and the tests it names must fail.

A mutant that survives says that a test does not test. One whose text is no longer in the file is stale, and fails too.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CATALOGUE = Path(__file__).with_name("catalogue.toml")
PACKAGES = ("tagstream", "ingest", "workers", "search", "training", "ops", "tests", "pyproject.toml", "docs")


@dataclass(frozen=True)
class Mutant:
    """One break: in `file`, `before` (exactly once there) becomes `after`; `failure` is what users would suffer."""

    name: str
    file: str
    before: str
    after: str
    failure: str
    killed_by: str

    def apply(self, tree: Path) -> None:
        """Breaks the copy in `tree`."""
        path = tree / self.file
        text = path.read_text(encoding="utf-8")
        assert text.count(self.before) == 1, (
            f"{self.name}: its text stands {text.count(self.before)} times in {self.file}"
        )
        path.write_text(text.replace(self.before, self.after), encoding="utf-8")


def catalogue() -> list[Mutant]:
    """All mutants, in the order of the file."""
    entries = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))["mutant"]
    return [Mutant(**entry) for entry in entries]


def copy_project(tree: Path) -> None:
    """A copy to break; the large model files are linked, not copied.

    With the compiled modules: they hold for every file whose time and size are those of the original.
    """
    for name in PACKAGES:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, tree / name)
        elif source.exists():
            shutil.copy(source, tree / name)
    for name in ("triton_models", "README.md", "Makefile", "requirements"):
        if (REPOSITORY / name).exists():
            (tree / name).symlink_to(REPOSITORY / name)


def run_tests(tree: Path, node: str) -> int:
    """The exit status of pytest over one test (or file) of the copy: 0 passed, 1 failed."""
    # The copy must win over the installed package, whose source is the unbroken project.
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *node.split()]
    finished = subprocess.run(
        command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600, check=False
    )
    if finished.returncode not in (0, 1):
        raise AssertionError(f"pytest could not run {node}: {finished.stdout.decode()[-3000:]}")
    print(finished.stdout.decode(errors="replace")[-3000:])  # pytest shows it where the caller expected another status
    return finished.returncode
