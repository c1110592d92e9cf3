"""Commands run in this process, as somebody at a terminal runs them."""

import json
from typing import Any

import pytest

from tagstream.cli.commands import application
from tagstream.cli.errors import run_guarded


class Terminal:
    """Runs commands in this process, in a directory of their own."""

    def __init__(self, capture: pytest.CaptureFixture[bytes]) -> None:
        self._capture = capture
        self.output = b""
        self.notes = ""

    def __call__(self, *arguments: str) -> int:
        self._capture.readouterr()
        code = run_guarded(application, arguments)
        output, notes = self._capture.readouterr()
        self.output, self.notes = output, notes.decode()
        return code

    @property
    def documents(self) -> list[dict[str, Any]]:
        """Standard output, every line of which must be a JSON object."""
        documents = [json.loads(line) for line in self.output.splitlines()]
        assert all(isinstance(document, dict) for document in documents)
        return documents
