"""The examples of the pages for plug-in authors work as they stand there."""

import re
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
    (tmp_path / "tagstream_csv.py").write_text(block("# tagstream_csv.py"), encoding="utf-8")
    metadata = tmp_path / f"tagstream_csv-{project['version']}.dist-info"
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
    received = await read(open_source(f"csv:{path}", Settings()), None, 2)
    first, malformed, last = (one.event for one in received)
    assert isinstance(first, Post)
    assert (first.id, first.hashtags[0].text) == ("csv:1", "NewYorkCity")
    assert isinstance(malformed, DeadLetter)
    assert isinstance(last, Post)
    for number, one in enumerate(received, 1):
        assert await read(open_source(f"csv:{path}", Settings()), one.cursor, 100) == received[number:]


@pytest.mark.usefixtures("installed")
async def test_the_source_of_the_page_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="csv:PATH"):
        open_source("csv:", Settings())
    with pytest.raises(UnreadableInput, match="cannot be read"):
        await open_source(f"csv:{tmp_path / 'none.csv'}", Settings()).open(None)


def test_the_page_names_the_schemes_that_are_taken() -> None:
    assert all(f"`{name}`" in PAGE for name in BUILT_IN[PluginKind.SOURCE])
