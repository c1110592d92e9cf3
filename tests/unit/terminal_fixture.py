"""Runs commands in this process, in a directory of their own."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tagstream.cli.commands import application
from tagstream.cli.errors import run_guarded

PHOTO = "photo.jpg"


class Terminal:
    """One directory with a user in front of it. `output` and `notes` are what the last command wrote."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[bytes]) -> None:
        self.folder = folder
        self._capture = capture
        self.output = b""
        self.notes = b""

    def __call__(self, *arguments: str) -> int:
        self._capture.readouterr()
        code = run_guarded(application, arguments)
        self.output, self.notes = self._capture.readouterr()
        return code

    def documents(self) -> list[Any]:
        """The lines of JSON of the last command."""
        return [json.loads(line) for line in self.output.splitlines()]

    def files(self) -> frozenset[str]:
        """What lies in the directory."""
        return frozenset(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))


def is_quiet(stream: bytes, allowed: Sequence[str] = ("\n",)) -> bool:
    """Whether nothing in the stream acts on a terminal."""
    text = stream.decode().replace("👩\u200d👩", "👩👩").replace("👩\u200d👧", "👩👧")  # which belongs to the emoji
    return all(character.isprintable() or character in allowed for character in text)
