"""`tagstream dump --format parquet`: what is in the file, and that it is whole or not there."""

import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyarrow import parquet
from terminal import Terminal

from search.parquet import COLUMNS, write_parquet
from search.testing.posts import entity, tagged
from tagstream.errors import UnreadableInput
from tagstream.posts import Link, Media, SegmentedHashtag, TaggedPost

FEED = """\
{"id": 1, "author": "ann", "text": "London calls #Tokyo", "created_at": "2024-05-01T12:00:00Z"}
{"id": 2, "author": "bea", "text": "Paris", "created_at": "2024-05-01T12:01:00Z"}
{"id": 2, "delete": true}
{"id": 3, "author": "dan", "text": "Oslo", "created_at": "2024-05-01T12:02:00Z"}
{"author": "dan", "hide": true}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Terminal:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAGSTREAM_MODELS", "stub:")
    Path("feed.jsonl").write_text(FEED)
    terminal = Terminal(capsysbinary)
    assert terminal("run", "--source", "jsonl:feed.jsonl", "--index", "sqlite:posts.db") == 0
    return terminal


async def many(*posts: TaggedPost) -> AsyncIterator[TaggedPost]:
    for post in posts:
        yield post


def test_what_a_search_would_show_is_exported_and_nothing_else(run: Terminal) -> None:
    Path("posts.parquet").write_bytes(b"of yesterday")
    assert run("dump", "--index", "sqlite:posts.db", "--format", "parquet", "--output", "posts.parquet") == 0
    assert "1 posts in posts.parquet" in run.notes
    (row,) = parquet.read_table("posts.parquet").to_pylist()
    assert (row["id"], row["author_id"], row["text"]) == ("jsonl:1", "ann", "London calls #Tokyo")
    assert (row["place"], row["person"], row["hashtags"]) == (["london", "tokyo"], [], ["tokyo"])
    assert row["created_at"] == datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert [one["text"] for one in row["entities"]] == ["London", "Tokyo"]
    assert not list(Path().glob(".posts.parquet*"))


def test_restore_refuses_an_export_in_one_line(run: Terminal) -> None:
    assert run("dump", "--index", "sqlite:posts.db", "--format", "parquet", "--output", "posts.parquet") == 0
    assert run("restore", "posts.parquet", "--index", "sqlite:other.db") == 3
    assert len(run.notes.splitlines()) == 1
    assert "Parquet file: an export" in run.notes
    assert not Path("other.db").exists()


def test_without_pyarrow_it_says_what_to_install(run: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert run("dump", "--index", "sqlite:posts.db", "--format", "parquet", "--output", "posts.parquet") == 2
    assert "install tagstream[parquet]" in run.notes
    assert not Path("posts.parquet").exists()


async def test_every_column_holds_what_the_post_says(tmp_path: Path) -> None:
    post = tagged(
        "1",
        "Anna in Oslo",
        author="7",
        handle="ann",
        lang="de",
        revision=3,
        entities=[
            entity("Anna", "PER"),
            entity("Anna", "PER"),
            entity("Oslo"),
            entity("UN", "ORG"),
            entity("EM", "MISC"),
        ],
        hashtags=[SegmentedHashtag(text="Oslo", words=("Oslo",))],
        media=[Media(url="https://x.example/1.jpg", alt="a ship", width=4, height=3)],
    ).model_copy(
        update={"links": (Link(url="https://x.example/a"),), "image_labels": ("ship",), "url": "https://x.example"}
    )
    path = tmp_path / "posts.parquet"
    assert await write_parquet(many(post), path) == 1
    table = parquet.read_table(path)
    assert [str(field.type).replace("element", "item") for field in table.schema] == [
        one.type.replace("list<", "list<item: ") for one in COLUMNS
    ]
    row = table.to_pylist()[0]
    assert row | {"entities": None} == {
        "id": "jsonl:1",
        "source": "jsonl",
        "created_at": post.created_at,
        "author_id": "7",
        "author_handle": "ann",
        "text": "Anna in Oslo",
        "lang": "de",
        "url": "https://x.example",
        "reply_to": None,
        "revision": 3,
        "hashtags": ["oslo"],
        "person": ["anna"],
        "place": ["oslo"],
        "organisation": ["un"],
        "other": ["em"],
        "entities": None,
        "links": ["https://x.example/a"],
        "model": "stub@1",
        "degraded": [],
        "untagged": None,
        "media": [
            {
                "kind": "photo",
                "url": "https://x.example/1.jpg",
                "alt": "a ship",
                "sha256": None,
                "width": 4,
                "height": 3,
            }
        ],
        "image_labels": ["ship"],
    }
    assert row["entities"][0] == {
        "text": "Anna",
        "type": "PER",
        "key": "anna",
        "start": 0,
        "end": 4,
        "score": pytest.approx(0.9),
        "in_hashtag": False,
    }


async def test_posts_are_written_a_group_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "posts.parquet"
    assert await write_parquet(many(*(tagged(str(at)) for at in range(7))), path, rows_a_group=3) == 7
    file = parquet.ParquetFile(path)
    assert [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)] == [3, 3, 1]
    assert path.stat().st_mode & 0o077  # as any new file, and not as a secret one
    assert await write_parquet(many(), path) == 0
    assert parquet.read_table(path).num_rows == 0


async def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[TaggedPost]:
        yield tagged("1")
        raise RuntimeError

    path = tmp_path / "posts.parquet"
    path.write_bytes(b"of yesterday")
    with pytest.raises(RuntimeError):
        await write_parquet(broken(), path, rows_a_group=1)
    assert path.read_bytes() == b"of yesterday"
    assert os.listdir(tmp_path) == [path.name]
    for place in (tmp_path, tmp_path / "absent" / "x"):
        with pytest.raises(UnreadableInput):
            await write_parquet(many(tagged("1")), place)
