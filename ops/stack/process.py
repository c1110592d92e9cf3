"""A server process that outlives whoever started it, and is signalled only after it was recognised.

Its record is `<folder>/pid`: the process id and the moment the kernel started it. A process id alone may belong to a
stranger by now. The server leads a session and a process group of its own, so that it does not die with the terminal
and its helpers are signalled with it.
"""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """One started process: `started` is in the kernel's clock ticks since it booted."""

    pid: int
    started: int

    def is_running(self) -> bool:
        """Whether it lives; one that was killed and not yet waited for by its parent does not."""
        self._reap()
        return _start_of(self.pid) == self.started

    def signal(self, number: signal.Signals) -> None:
        """Sends it to the process and its helpers, or does nothing where the process is gone."""
        if self.is_running():
            os.killpg(self.pid, number)

    def wait_gone(self, seconds: float) -> bool:
        """Whether it ended within so many seconds."""
        limit = time.monotonic() + seconds
        while self.is_running():
            if time.monotonic() > limit:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def _reap(self) -> None:
        """Lets a dead child go; the process may be another's child, or nobody's here."""
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)


def start_process(command: Sequence[str], environment: Mapping[str, str], log: Path) -> ServerProcess:
    """Starts it with nothing to read and both outputs in `log`, in a session of its own.

    Not `subprocess`: its objects wait for their child or complain, and this one is meant to be left behind.
    """
    null = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    output = (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    errors = (os.POSIX_SPAWN_DUP2, 1, 2)
    pid = os.posix_spawn(command[0], list(command), environment, file_actions=[null, output, errors], setsid=True)
    started = _start_of(pid)
    # A process that has died already counts as one that never ran: no tick is negative.
    return ServerProcess(pid, -1 if started is None else started)


def save_process(path: Path, process: ServerProcess) -> None:
    """Records it, whole or not at all."""
    draft = path.with_suffix(".new")
    draft.write_text(f"{process.pid} {process.started}\n", encoding="ascii")
    draft.replace(path)


def recorded_process(path: Path) -> ServerProcess | None:
    """The process of the record; None where there is no record or it is not one of ours."""
    try:
        pid, started = path.read_text(encoding="ascii").split()
        return ServerProcess(int(pid), int(started))
    except (OSError, ValueError):
        return None


def this_process() -> ServerProcess:
    """The process that asks."""
    return ServerProcess(os.getpid(), _start_of(os.getpid()) or 0)


def processes_of(program: Path) -> list[ServerProcess]:
    """The living processes that run that very file, which may have been deleted meanwhile."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            running = str((folder / "exe").readlink()).removesuffix(" (deleted)")
        except OSError:
            continue
        started = _start_of(int(folder.name))
        if running == str(program) and started is not None:
            found.append(ServerProcess(int(folder.name), started))
    return found


def _start_of(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the program's name in brackets, and may itself hold blanks and brackets.
    fields = text[text.rindex(")") + 2 :].split()
    state, threads, started = fields[0], int(fields[17]), int(fields[19])
    # The first thread of a killed server is dead before the others, which still hold its ports and files.
    return None if state in "ZX" and threads <= 1 else started
