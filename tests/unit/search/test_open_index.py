"""Indexes of ours and of plug-ins are opened alike, by their kind."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from search.open import OPENERS, open_index
from tagstream.errors import BadSettings
from tagstream.plugins import BUILT_IN, PluginKind


def test_our_kinds_are_those_that_no_plug_in_may_have() -> None:
    assert set(OPENERS) == BUILT_IN[PluginKind.INDEX]


@pytest.mark.parametrize("kind", OPENERS)
def test_every_opener_is_there(kind: str) -> None:
    assert callable(EntryPoint(kind, OPENERS[kind], PluginKind.INDEX.group).load())


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("sqlite:", "names no file"),
        ("sqlite", "names no file"),
        ("elasticsearch:", "names no server"),
        ("sqlite::memory:", "is no index"),
        ("sqlite:http://127.0.0.1:9200", "takes the path of a file"),
        ("postgres:x", "no index of kind 'postgres'"),
        ("posts.db", "has no kind"),
    ],
)
async def test_a_specification_that_names_no_index(spec: str, problem: str) -> None:
    with pytest.raises(BadSettings, match=problem):
        await open_index(spec)


async def test_a_password_is_not_shown() -> None:
    with pytest.raises(BadSettings) as refused:
        await open_index("postgres://elastic:s3cret@search.example/p")
    assert "s3cret" not in str(refused.value)


def test_a_file_waits_for_no_client_of_a_server(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from search.open import open_index\n"
        "async def work():\n"
        "    index = await open_index(sys.argv[1])\n"
        "    await index.close()\n"
        "asyncio.run(work())\n"
        "print('elasticsearch' in sys.modules)"
    )
    command = [sys.executable, "-c", program, f"sqlite:{tmp_path / 'a.db'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_no_kind_of_index_imports_another() -> None:
    search = Path(__file__).parents[3] / "search"
    for kind, other in (("sqlite", "elastic"), ("elastic", "sqlite")):
        for path in (search / kind).glob("*.py"):
            assert f"search.{other}" not in path.read_text(), f"{path.name} imports of {other}"
