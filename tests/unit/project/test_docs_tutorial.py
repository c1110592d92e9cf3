"""The tutorial shows what its commands print."""

import functools
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tagstream.settings import REPOSITORY

PAGE = (REPOSITORY / "docs/tutorial.md").read_text(encoding="utf-8")
FEED = re.search(r"^```xml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
# Commands with what the page shows of their output. Those without output are not run here, or print what varies.
SHOWN = re.findall(r"^\$ (tagstream .*)\n((?:(?!\$ |```).*\n)*)", PAGE, re.MULTILINE)


def tagstream(folder: Path, *words: str) -> str:
    """What the command prints: its answer, then what it says, without the lines that tell how far it is."""
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "tagstream", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=True)
    said = [line for line in done.stderr.splitlines() if not re.match(r"\d+ s \|", line)]
    return "\n".join(line.rstrip() for line in (*done.stdout.splitlines(), *said)) + "\n"


def without_speed(text: str) -> str:
    """The text, without how long something took."""
    return re.sub(r"in [\d.]+ s \([\d,]+ posts/s\)", "in … s", text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tutorial is followed."""
    return tmp_path_factory.mktemp("tutorial")


@pytest.fixture(scope="module")
def news(folder: Path) -> None:
    """The feed of the page, read once into news.db."""
    assert FEED is not None
    served = folder / "served"
    served.mkdir()
    (served / "feed.xml").write_text(FEED[1], encoding="utf-8")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(served))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    source = f"rss:http://127.0.0.1:{server.server_port}/feed.xml"
    command = [sys.executable, "-m", "tagstream", "run", "--source", source, "--index", "sqlite:news.db"]
    run = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while "3 of 3" not in _found(folder) and time.monotonic() < deadline:
            time.sleep(0.5)
    finally:
        run.terminate()
        run.communicate(timeout=60)
        server.shutdown()
        server.server_close()


def _found(folder: Path) -> str:
    if not (folder / "news.db").exists():
        return ""
    command = [sys.executable, "-m", "tagstream", "search", "has:entity", "--index", "sqlite:news.db"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60).stderr


@pytest.mark.usefixtures("news")
def test_every_output_of_the_tutorial_is_what_the_command_prints(folder: Path) -> None:
    outputs = [(command, output) for command, output in SHOWN if output]
    assert len(outputs) == 7
    for command, output in outputs:
        printed = tagstream(folder, *shlex.split(command)[1:])
        assert without_speed(printed) == without_speed(output), command
