"""SIGTERM ends a service in order from its first moment; of any other command it ends nothing in order."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tagstream.cli import main, startup
from tagstream.cli.options import run_until_stopped

LOADING = """
import sys, time
print("loading", file=sys.stderr, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _as_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "_terminated", threading.Event())


def stopped_while_loading(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and notes of a command that gets SIGTERM while its first library loads."""
    (folder / "click.py").write_text(LOADING)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    command = [sys.executable, "-m", "tagstream", *arguments]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        try:
            assert running.stderr.readline() == "loading\n"
            running.send_signal(signal.SIGTERM)
            _, notes = running.communicate(timeout=20)
        finally:
            running.kill()
    return running.returncode, notes


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--source", "-"],
        ["ingest", "--source", "-"],
        ["worker"],
        ["--debug", "--config", "search", "worker"],
    ],
)
def test_a_service_that_still_loads_stops_in_order(tmp_path: Path, arguments: list[str]) -> None:
    assert stopped_while_loading(tmp_path, *arguments) == (0, "stopped: nothing more was done\n")


@pytest.mark.parametrize("arguments", [["dump"], ["search", "worker"], ["--config", "run", "dump"]])
def test_an_answer_that_is_cut_short_is_no_success(tmp_path: Path, arguments: list[str]) -> None:
    assert stopped_while_loading(tmp_path, *arguments)[0] == -signal.SIGTERM


def test_a_signal_that_nobody_could_be_told_of_stops_the_work_as_it_begins() -> None:
    startup.note_sigterm()

    async def work(stop: asyncio.Event) -> str:
        await asyncio.wait_for(stop.wait(), 5)
        return "reported"

    before = signal.getsignal(signal.SIGTERM)
    try:
        assert run_until_stopped(work, is_service=True) == "reported"
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN, "a second one would cut the report short"
    finally:
        signal.signal(signal.SIGTERM, before)


WORKING = """
import asyncio, os, signal, sys, threading
from tagstream.cli import main, startup
from tagstream.cli.options import run_until_stopped

async def work(stop):
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
    await asyncio.wait_for(stop.wait(), 10)

run_until_stopped(work, is_service=sys.argv[1] == "service")
print(startup.was_terminated())
"""


@pytest.mark.parametrize(("kind", "is_orderly"), [("service", "True"), ("command", "False")])
def test_sigterm_is_the_orderly_end_of_a_service_only(kind: str, is_orderly: str) -> None:
    command = [sys.executable, "-c", WORKING, kind]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip() == is_orderly


def test_on_windows_the_program_names_wsl_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == "error: tagstream runs on Linux and macOS; on Windows use WSL, and install it there"
