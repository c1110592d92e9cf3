"""The examples of the pages for plug-in authors work as they stand there."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ingest.sources.open import open_source
from tagstream.errors import BadSettings, UnreadableInput
from tagstream.plugins import BUILT_IN, PluginKind
from tagstream.posts import DeadLetter, Post
from tagstream.settings import REPOSITORY, Settings
from tagstream.source import Received, Source

PAGE = (REPOSITORY / "docs/how-to/add-a-source.md").read_text(encoding="utf-8")
ROWS = (
    "id,time,text\n"
    "1,2024-05-01T12:00:00+00:00,Angela Merkel lands in #NewYorkCity\n"
    "2,yesterday,no date\n"
    "3,2024-05-01T12:01:00,last\n"
)


def block(beginning: str) -> str:
    """The block of code that begins with this line."""
    found = re.search(rf"^```\w+\n({re.escape(beginning)}\n.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, beginning
    return found[1]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of the page, installed: its module, and the entry points of its pyproject.toml."""
    project = tomllib.loads(block("# pyproject.toml"))["project"]
    (tmp_path / "tagstream_incidents.py").write_text(block("# tagstream_incidents.py"), encoding="utf-8")
    metadata = tmp_path / f"tagstream_incidents-{project['version']}.dist-info"
    metadata.mkdir()
    named = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(named, encoding="utf-8")
    lines = [
        f"[{group}]\n" + "\n".join(f"{name} = {target}" for name, target in points.items())
        for group, points in project["entry-points"].items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)


async def read(source: Source, cursor: str | None, limit: int) -> list[Received]:
    """All that the source gives after the cursor."""
    await source.open(cursor)
    found: list[Received] = []
    while batch := await source.next_batch(limit):
        found += batch
    await source.close()
    return found


@pytest.mark.usefixtures("installed")
async def test_the_source_of_the_page_reads_and_resumes_exactly(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text(ROWS, encoding="utf-8")
    received = await read(open_source(f"incidents:{path}", Settings()), None, 2)
    first, malformed, last = (one.event for one in received)
    assert isinstance(first, Post)
    assert (first.id, first.hashtags[0].text) == ("incidents:1", "NewYorkCity")
    assert isinstance(malformed, DeadLetter)
    assert isinstance(last, Post)
    for number, one in enumerate(received, 1):
        assert await read(open_source(f"incidents:{path}", Settings()), one.cursor, 100) == received[number:]


@pytest.mark.usefixtures("installed")
async def test_one_field_that_is_too_long_is_a_dead_letter_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    row = "{},2024-05-01T12:00:00+00:00,{}\n"
    path.write_text("id,time,text\n" + row.format(1, "first") + row.format(2, "a" * 200_000) + row.format(3, "last"))
    first, long, last = (one.event for one in await read(open_source(f"incidents:{path}", Settings()), None, 2))
    assert isinstance(first, Post)
    assert isinstance(long, DeadLetter)
    assert "field larger than field limit" in long.message
    assert isinstance(last, Post)
    assert last.id == "incidents:3"


@pytest.mark.usefixtures("installed")
def test_files_of_one_name_in_two_folders_are_two_feeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        names.add(open_source("incidents:posts.csv", Settings()).name)
    assert len(names) == 2


@pytest.mark.usefixtures("installed")
async def test_the_source_of_the_page_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="incidents:PATH"):
        open_source("incidents:", Settings())
    with pytest.raises(UnreadableInput, match="cannot be read"):
        await open_source(f"incidents:{tmp_path / 'none.csv'}", Settings()).open(None)


def test_the_page_names_the_schemes_that_are_taken() -> None:
    assert all(f"`{name}`" in PAGE for name in BUILT_IN[PluginKind.SOURCE])


@pytest.mark.usefixtures("installed")
def test_the_source_of_the_page_keeps_the_contract_as_the_page_runs_it(tmp_path: Path) -> None:
    (tmp_path / "test_incidents.py").write_text(block("# test_incidents.py"), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(tmp_path), "-c", os.devnull, "test_incidents.py"]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d\d passed", done.stdout), done.stdout


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_units_of_the_page_are_valid(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs/how-to/run-under-systemd.md").read_text(encoding="utf-8")
    units = re.findall(r"^```ini\n# /etc/systemd/system/(\S+)\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(units) == 4
    program = Path(sys.executable)
    for name, text in units:
        (tmp_path / name).write_text(text.replace("/opt/tagstream/bin/tagstream", str(program)), encoding="utf-8")
    paths = [str(tmp_path / name.replace("@.", "@1.")) for name, _ in units]
    (tmp_path / "tagstream-worker@.service").rename(tmp_path / "tagstream-worker@1.service")
    command = ["systemd-analyze", "verify", "--man=no", *paths]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    complaints = [line for line in found.stderr.splitlines() if str(tmp_path) in line or "tagstream" in line]
    assert (found.returncode, complaints) == (0, [])
