"""What tests of the page in a browser share: a feed for an index, programs that may be missing, waiting."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script> \u202egnp.exe javascript:alert(1)'
POST = {"source": "jsonl", "created_at": "2026-03-01T12:00:00Z", "author": {"id": "ann", "handle": HOSTILE[:80]}}
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("TAGSTREAM_")}


def program(name: str) -> str:
    """Returns the path of a program; where it is missing the test is skipped, or fails where nothing may be."""
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is missing (Debian, Ubuntu: apt-get install chromium chromium-driver)"
        pytest.fail(reason) if os.environ.get("REQUIRE_REAL_SERVERS") else pytest.skip(reason)
    return found


def wait_for(true: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def feed(folder: Path, posts: list[dict[str, object]], index: Path) -> None:
    path = folder / f"feed{len(list(folder.iterdir()))}.jsonl"
    path.write_text("".join(json.dumps(POST | post) + "\n" for post in posts))
    command = [sys.executable, "-m", "tagstream", "run", "--source", f"jsonl:{path}", "--models", "stub:"]
    subprocess.run(
        [*command, "--index", f"sqlite:{index}"], check=True, capture_output=True, timeout=120, env=ENVIRONMENT
    )
