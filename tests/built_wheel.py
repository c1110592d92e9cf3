"""The wheel of this tree, built once, and unpacked as an installer would: what the tests of the package run."""

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tagstream.settings import REPOSITORY


@dataclass(frozen=True, slots=True)
class BuiltWheel:
    """The wheel, and a folder in which it is installed."""

    path: Path
    installed: Path

    def python(self, *arguments: str, cwd: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Runs Python where the installed packages come before those of the tree."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TAGSTREAM_")}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd,
            env=inherited | {"PYTHONPATH": str(self.installed)} | variables,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    def tagstream(self, *arguments: str, cwd: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Runs a command of the installed tagstream."""
        return self.python("-m", "tagstream", *arguments, cwd=cwd, **variables)


def build_wheel(folder: Path, project: Path = REPOSITORY) -> Path:
    """Builds the wheel of a project without a network; returns its path."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=project,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    (path,) = folder.glob("*.whl")
    return path


def unpack(wheel: Path, folder: Path) -> None:
    """Installs a wheel of pure Python into a folder of the path."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
