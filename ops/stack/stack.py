"""A named set of the three servers: `.stack/<name>/`, all up or none, and the file that tells our commands where.

The stack that has no other name is `default`, and its file is `.stack/env`; that of another is `.stack/<name>/env`.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ops.stack.cache import locked
from ops.stack.elasticsearch import Elasticsearch
from ops.stack.errors import StackError
from ops.stack.kafka import Kafka
from ops.stack.part import Part
from ops.stack.shared import REPOSITORY
from ops.stack.triton import Triton

DEFAULT = "default"
PARTS: Mapping[str, type[Part]] = {part.name: part for part in (Kafka, Elasticsearch, Triton)}


class Stack:
    """The servers of one name under `root`; nothing is touched until they are told to start."""

    def __init__(self, name: str = DEFAULT, root: Path = REPOSITORY / ".stack") -> None:
        """
        Raises:
            StackError: the name cannot be a folder's.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,40}", name):
            raise StackError(f"STACK={name!r}: a name is letters, digits, - and _, at most 41 of them")
        self.name = name
        self.folder = root.resolve() / name
        self.env_file = (self.folder.parent if name == DEFAULT else self.folder) / "env"
        self.kafka = Kafka(self.folder / Kafka.name)
        self.elasticsearch = Elasticsearch(self.folder / Elasticsearch.name)
        self.triton = Triton(self.folder / Triton.name)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every server, running or not."""
        return (self.kafka, self.elasticsearch, self.triton)

    def part(self, name: str) -> Part:
        """The server of that name.

        Raises:
            StackError: there is none.
        """
        for part in self.parts:
            if part.name == name:
                return part
        raise StackError(f"{name} is no part of the stack: there are {', '.join(PARTS)}")

    def up(self, names: Iterable[str] = PARTS) -> None:
        """Starts those servers, waits until each answers, and writes the env file. Those that run are left alone.

        Raises:
            NotInstallable: what they need cannot be had here.
            StackError: one did not start; those that this call started are stopped again.
        """
        parts = [self.part(name) for name in names]
        for part in parts:
            part.install()
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / "lock"):
            started = [part for part in parts if not part.is_running()]
            try:
                for part in started:
                    part.start()
                for part in parts:
                    part.wait()
            except BaseException:
                self._stop(started)
                raise
            self._write_env()

    def down(self) -> None:
        """Stops every server of this name and keeps their data."""
        if not self.folder.exists():
            return
        with locked(self.folder / "lock"):
            self._stop(self.parts)
            self.env_file.unlink(missing_ok=True)

    def variables(self) -> dict[str, str]:
        """The product's settings for the servers that run."""
        return {part.variable: part.specification for part in self.parts if part.is_running()}

    def _stop(self, parts: Iterable[Part]) -> None:
        for part in parts:
            part.stop()

    def _write_env(self) -> None:
        variables = self.variables()
        lines = [f"{name}={value}" for name, value in variables.items()]
        text = "\n".join([*lines, f"export {' '.join(variables)}"]) + "\n"
        draft = self.env_file.with_suffix(".new")
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.env_file)
