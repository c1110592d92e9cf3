"""One server of the stack: what it can be told, whatever it is.

::

    start ─▶ wait ─▶ stop | kill        pause ◀─▶ resume        restart = stop, start, wait

Everything known of it lies in its folder (`ports.json`, `pid`, `log`, its configuration and its data), so an object
made by another process for the same folder governs the same server. A restarted server has the same ports and data.
"""

import json
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from ops.stack.errors import StackError
from ops.stack.ports import choose_ports, is_free
from ops.stack.process import ServerProcess, recorded_process, save_process, start_process

_POLL_SECONDS = 0.05
_TAIL_LINES = 25


class Part(ABC):
    """One server in `folder`. Methods that end or begin something are idempotent."""

    name: ClassVar[str]
    variable: ClassVar[str]
    """The product's setting that holds `specification`."""
    port_names: ClassVar[tuple[str, ...]]
    start_seconds: ClassVar[float] = 90.0
    stop_seconds: float = 20.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    @abstractmethod
    def specification(self) -> str:
        """The address as the product's setting expects it."""

    @classmethod
    @abstractmethod
    def install(cls) -> None:
        """Fetches what the server needs, once for every stack.

        Raises:
            NotInstallable: the message says what is missing.
        """

    @abstractmethod
    def prepare(self) -> None:
        """Writes the configuration for the present ports; runs before each start."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Program and arguments."""

    def environment(self) -> Mapping[str, str]:
        """The server's whole environment: nothing of the caller's leaks in. Folders may have names in any script."""
        return {"LC_ALL": "C.UTF-8"}

    @abstractmethod
    def answers(self) -> bool:
        """Whether it does its work now, asked over its own protocol within a second or so."""

    @property
    def log(self) -> Path:
        """The file of all that it printed since its last start; earlier output lies in `log.previous`."""
        return self.folder / "log"

    @property
    def _ports_file(self) -> Path:
        return self.folder / "ports.json"

    @property
    def ports(self) -> Mapping[str, int]:
        """The ports of its last start.

        Raises:
            StackError: it was never started.
        """
        try:
            ports: dict[str, int] = json.loads(self._ports_file.read_text(encoding="utf-8"))
        except OSError as error:
            raise StackError(f"{self.name} was never started in {self.folder}") from error
        return ports

    @property
    def process(self) -> ServerProcess | None:
        """The running server; None where it does not run."""
        process = recorded_process(self.folder / "pid")
        return process if process and process.is_running() else None

    def is_running(self) -> bool:
        """Whether its process lives; a paused one does."""
        return self.process is not None

    def start(self) -> None:
        """Starts it, on the ports it had, unless it runs; `wait` says when it answers.

        Raises:
            NotInstallable: its files cannot be had.
            StackError: it cannot be set up.
        """
        if not self.is_running():
            self.install()
            self.launch()

    def launch(self) -> None:
        """Starts it from files that are there.

        Raises:
            StackError: it cannot be set up.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._keep_or_choose_ports()
        if self.log.exists():
            self.log.replace(self.folder / "log.previous")
        self.prepare()
        save_process(self.folder / "pid", start_process(self.command(), self.environment(), self.log))

    def wait(self) -> None:
        """Returns when it answers.

        Raises:
            StackError: it died, or did not answer in time; with the end of its log.
        """
        limit = time.monotonic() + self.start_seconds
        while not self.answers():
            if not self.is_running():
                raise StackError(f"{self.name} stopped while it was starting. {self._log_tail()}")
            if time.monotonic() > limit:
                raise StackError(f"{self.name} did not answer within {self.start_seconds:.0f} s. {self._log_tail()}")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Asks it to end (SIGTERM), also when paused, and kills it if it takes more than `stop_seconds`."""
        if process := self.process:
            process.signal(signal.SIGTERM)
            process.signal(signal.SIGCONT)
            if not process.wait_gone(self.stop_seconds):
                self.kill()
        self._forget()

    def kill(self) -> None:
        """Ends it at once (SIGKILL), as a power cut would; returns when it is gone."""
        if process := self.process:
            process.signal(signal.SIGKILL)
            process.wait_gone(self.stop_seconds)
        self._forget()

    def pause(self) -> None:
        """Stops its clock (SIGSTOP): connections stay open and nothing is answered."""
        if process := self.process:
            process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Ends a pause (SIGCONT)."""
        if process := self.process:
            process.signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stops it, starts it with the same data on the same ports, and waits until it answers.

        Raises:
            StackError: it did not come back.
        """
        self.stop()
        self.start()
        self.wait()

    def _forget(self) -> None:
        (self.folder / "pid").unlink(missing_ok=True)

    def _keep_or_choose_ports(self) -> None:
        """The same ports as before: clients that wait for its return look there. New ones only if they were taken."""
        if self._ports_file.exists() and all(is_free(port) for port in self.ports.values()):
            return
        self._ports_file.write_text(json.dumps(choose_ports(self.port_names)), encoding="utf-8")

    def _log_tail(self) -> str:
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        except OSError:
            lines = []
        return f"The end of {self.log}:\n" + "\n".join(f"    {line}" for line in lines or ["(empty)"])
