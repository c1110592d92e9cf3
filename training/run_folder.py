"""The folder of a training run: its files, the hold that keeps a second process out, and what a failed start leaves.

::

    last.pt     everything that is needed to go on          best.pt     the weights with the best development score
    log.jsonl   one line an epoch                           lock        held while a process trains here

A folder counts as a run once it holds a checkpoint. A start that fails earlier removes every file that it wrote, and
the folder too where it made it. After a kill such files may stay; the next start writes over them.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import IO, Any

import torch

from tagstream.errors import BadSettings, CorruptState

_LOCK = "lock"
_PROOFS = ("last.pt", "best.*", "done.json")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A folder that this process holds."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The file from which a run goes on."""
        return self.path / "last.pt"

    @property
    def best(self) -> Path:
        """The file of the best epoch's weights."""
        return self.path / "best.pt"

    @property
    def log(self) -> Path:
        """The log: one line an epoch."""
        return self.path / "log.jsonl"

    @property
    def begun(self) -> bool:
        """Tells whether anything that was trained is kept here."""
        return any(file for pattern in _PROOFS for file in self.path.glob(pattern))


@contextmanager
def open_run(path: Path) -> Iterator[RunFolder]:
    """Holds a folder, which is made if it is not there; the hold ends with the process at the latest.

    Raises:
        BadSettings: another process trains there, or no folder can be made there.
    """
    made = _make(path)
    with _lock(path):
        run = RunFolder(path)
        before = {file.name for file in path.iterdir()} - {_LOCK}
        try:
            yield run
        except BaseException:
            if not run.begun:
                _remove_new(path, before, made)
            raise


def _make(path: Path) -> list[Path]:
    """Makes a folder; returns what had to be made, the innermost first."""
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadSettings(f"{path}: no folder can be made there ({error.strerror}): choose another --run") from error
    return made


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with _open_lock(path / _LOCK) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadSettings(
                f"{path}: another process is training there: wait until it has ended, or choose another folder"
            ) from error
        if not _same_file(file, path / _LOCK):
            raise BadSettings(f"{path}: another process removed the folder just now: start again")
        yield


def _open_lock(file: Path) -> IO[str]:
    try:
        return file.open("w", encoding="utf-8")
    except OSError as error:
        raise BadSettings(
            f"{file.parent}: nothing can be written there ({error.strerror}): choose another --run"
        ) from error


def _same_file(file: IO[str], path: Path) -> bool:
    """Whether the open file is still the one of that name: a failed start elsewhere may have removed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _remove_new(path: Path, before: set[str], made: list[Path]) -> None:
    for file in path.iterdir():
        if file.name not in before:
            rmtree(file) if file.is_dir() and not file.is_symlink() else file.unlink()
    for folder in made:
        with suppress(OSError):  # somebody put something there meanwhile
            folder.rmdir()


def save(path: Path, state: dict[str, Any]) -> None:
    """Writes a checkpoint beside its place and renames it, so that a kill leaves the old file or the new one."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def load(path: Path) -> dict[str, Any]:
    """Reads a checkpoint.

    Raises:
        CorruptState: the file is damaged, or no checkpoint.
    """
    try:
        state = torch.load(path, weights_only=True)
        if not isinstance(state, dict):
            raise TypeError(f"a {type(state).__name__} in place of a dictionary")
    except Exception as error:  # torch raises whatever its parts raise at bytes that are no checkpoint
        message = " ".join(str(error).split())[:300]
        raise CorruptState(f"{path}: not a checkpoint: delete it, or choose another --run ({message})") from error
    return state
