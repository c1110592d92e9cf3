"""`tagstream serve` as it is documented: a process with the token in its variable or in its file of settings."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from search.sqlite.index import SqliteIndex
from search.web.server import listening_at
from tagstream.errors import BadSettings
from tagstream.settings import load_settings

TOKEN = "0123456789abcdef0123456789abcdef"
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("TAGSTREAM_")}


@pytest.fixture
async def index_path(tmp_path: Path) -> Path:
    await (await SqliteIndex.open(tmp_path / "posts.db")).close()
    return tmp_path / "posts.db"


@contextmanager
def served(path: Path, variables: dict[str, str], *options: str) -> Iterator[str]:
    command = [sys.executable, "-m", "tagstream", "serve", "--index", f"sqlite:{path}", "--http", "127.0.0.1:0"]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True, env=CLEAN | variables) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        try:
            assert said.startswith("http://"), said
            yield said.split(" ")[0].rstrip("/")
        finally:
            process.terminate()
            said += process.stderr.read()
        assert process.wait(30) == 0, said
        assert TOKEN not in said


@pytest.mark.parametrize("place", ["variable", "file"])
def test_the_token_of_the_settings_is_what_requests_must_bring(index_path: Path, place: str) -> None:
    config = index_path.with_name("tagstream.toml")
    config.write_text(f'serve_token = "{TOKEN}"\n')
    given = {"TAGSTREAM_SERVE_TOKEN": TOKEN} if place == "variable" else {}
    options = () if place == "variable" else ("--config", str(config))
    with served(index_path, given, *options) as address:
        assert httpx.get(f"{address}/api/posts").status_code == 401
        wrong = {"Authorization": f"Bearer {TOKEN}x"}
        assert httpx.get(f"{address}/api/posts", headers=wrong).status_code == 401
        assert httpx.get(f"{address}/api/posts", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


@pytest.mark.parametrize("token", ["short", "x" * 513, "a token; with what no cookie holds", "ümlaut-ümlaut-ümlaut"])
def test_what_is_no_token_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(BadSettings, match="TAGSTREAM_SERVE_TOKEN is no token of 16 to 512") as caught:
        listening_at(("127.0.0.1", 8080), load_settings({"TAGSTREAM_SERVE_TOKEN": token}))
    assert token not in str(caught.value)


def test_an_empty_token_is_none() -> None:
    settings = load_settings({"TAGSTREAM_SERVE_TOKEN": ""})
    assert listening_at(("127.0.0.1", 8080), settings).access.token is None
    with pytest.raises(BadSettings, match="set TAGSTREAM_SERVE_TOKEN"):
        listening_at(("0.0.0.0", 8080), settings)
