"""`tagstream run --serve`: the page beside the run, for as long as the run."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

LINE = b'{"id": %d, "text": "London calls", "created_at": "2026-03-01T10:00:00Z"}\n'


@pytest.fixture
def run(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAGSTREAM_")}
    arguments = ("run", "--source", "-", "--index", "sqlite:a.db", "--serve", "--http", "127.0.0.1:0")
    started = subprocess.Popen(
        [sys.executable, "-m", "tagstream", *arguments],
        cwd=tmp_path,
        env=environment | {"TAGSTREAM_MODELS": "stub:"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with started:
        yield started
        started.kill()


def test_the_index_can_be_looked_at_while_it_is_written_and_the_page_ends_with_the_run(
    run: "subprocess.Popen[bytes]",
) -> None:
    assert run.stdin is not None
    assert run.stderr is not None
    run.stdin.write(LINE % 1)
    run.stdin.flush()
    notes = b""
    while (found := re.search(rb"http://127\.0\.0\.1:([0-9]+)/", notes)) is None:
        notes += (line := run.stderr.readline())
        assert line, notes
    address = found[0].decode()
    for at in range(2, 200):
        run.stdin.write(LINE % at)
        run.stdin.flush()
        if httpx.get(f"{address}api/posts", params={"q": "london"}).json()["total"]:
            break
        time.sleep(0.25)
    assert json.loads(httpx.get(f"{address}api/posts").text)["total"] > 0
    assert httpx.get(address).status_code == 200
    run.stdin.close()
    assert run.wait(60) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


def test_an_address_that_is_taken_is_said_before_anything_is_read(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "feed.jsonl").write_bytes(LINE % 1)
        arguments = ("run", "--source", "jsonl:feed.jsonl", "--index", "sqlite:a.db", "--serve", "--http", str(port))
        done = subprocess.run(
            [sys.executable, "-m", "tagstream", *arguments],
            cwd=tmp_path,
            env=os.environ | {"TAGSTREAM_MODELS": "stub:"},
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 4, done.stderr
    assert b"another program" in done.stderr
