"""docs/reference/query.md: each line of its table is asked, of the posts that it shows."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from search.query_fields import FIELDS, OTHER_NAMES
from search.sqlite.index import SqliteIndex
from search.testing.posts import START, entity, found, tagged, write
from tagstream.cli.commands import application
from tagstream.cli.errors import run_guarded
from tagstream.posts import Author, EntityType, Link, Media, SegmentedHashtag, TaggedPost

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "query.md").read_text(encoding="utf-8")
TYPES: dict[str, EntityType] = {"person": "PER", "place": "LOC"}


def rows(heading: str) -> list[list[str]]:
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


EXAMPLES = [(query.strip("`"), finds.split()) for query, _, finds in rows("What a query may say")]


def example(name: str, time: str, author: str, language: str, text: str, names: str, besides: str) -> TaggedPost:
    entities = []
    for one in filter(None, names.split(", ")):
        kind, _, called = one.partition(" ")
        entities.append(entity(called, TYPES[kind]))
    tags = [SegmentedHashtag(text=one, words=(one,)) for one in re.findall(r"hashtag (\w+)", besides)]
    photo = "photo" in besides
    post = tagged(
        name,
        text,
        created_at=START + timedelta(minutes=int(time.partition(":")[2])),
        source=(re.findall(r"source (\S+)", besides) or ["jsonl"])[0],
        lang=language or None,
        hashtags=tags,
        entities=entities,
        media=[Media(url="https://example.org/1.jpg")] if photo else (),
    )
    links = (Link(url="https://example.org/a"),) if "link" in besides else ()
    labels = ("fishing boat",) if photo else ()
    return post.model_copy(update={"author": Author(id=author), "links": links, "image_labels": labels})


async def test_every_line_of_the_table_finds_what_it_says(tmp_path: Path) -> None:
    index = await SqliteIndex.open(tmp_path / "posts.db")
    await write(index, *(example(*row) for row in rows("The posts of the examples")))
    assert len(EXAMPLES) > 30
    for query, finds in EXAMPLES:
        assert sorted(await found(index, query)) == finds, query
    await index.close()


def test_the_page_names_every_field() -> None:
    for field in (*FIELDS, *OTHER_NAMES):
        if field not in ("per", "people", "loc", "language", "filter"):
            assert f"{field}:" in PAGE, field


def test_the_error_on_the_page_is_what_the_command_says(capsys: pytest.CaptureFixture[str]) -> None:
    shown = re.search(r"\$ tagstream search '(.*)'\n(error: .*\n.*\n.*)\n```", PAGE)
    assert shown is not None
    assert run_guarded(application, ["search", shown[1]]) == 2
    assert capsys.readouterr().err.strip() == shown[2]
