"""Real servers for tests: where they live, and what becomes of those that a killed run left behind."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from ops.stack import PARTS, Stack
from ops.stack.process import ServerProcess, this_process

_BASE = Path(tempfile.gettempdir()) / "tagstream-test-servers"
_numbers = count(1)


@contextmanager
def private_stack(*parts: str) -> Iterator[Stack]:
    """A stack of one's own on free ports, to be killed and paused at will; without names, all three servers.

    Raises:
        NotInstallable: this machine cannot have them.
    """
    stack = Stack(f"private-{next(_numbers)}", servers_folder())
    try:
        stack.up(parts or PARTS)
        yield stack
    finally:
        stack.down()
        shutil.rmtree(stack.folder, ignore_errors=True)


def servers_folder() -> Path:
    """The folder of this process's stacks, named after it."""
    owner = this_process()
    return _BASE / f"{owner.pid}-{owner.started}"


def stop_abandoned_servers() -> None:
    """Stops the servers of test runs that were killed before they could."""
    for folder in _BASE.glob("*-*"):
        pid, _, started = folder.name.partition("-")
        if not ServerProcess(int(pid), int(started)).is_running():
            for stack in folder.iterdir():
                Stack(stack.name, folder).down()
            shutil.rmtree(folder, ignore_errors=True)
