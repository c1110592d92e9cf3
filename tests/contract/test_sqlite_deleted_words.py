"""Words that only deleted posts had: after `compact` they are in no byte of an index, nor in any packed part of it."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from opened_states import opened

from search.detection.compaction import compact
from search.detection.journal import SLOTS, SNAPSHOT
from search.index import Indexable, SourceCursor
from search.sqlite.index import SqliteIndex
from search.testing.posts import START
from search.testing.writing import deletion, erasure, status
from tagstream.posts import Author, Deletion, Erasure, TaggedPost
from workers.detection.runner import DetectionRunner
from workers.detection.writer import DetectionWriter

WORD = "xylophonist"
OTHERS = ("mark", "tone", "fine", "past", "over", "some")
BURST_AT, MINUTES = 135, 150


def post(name: str, minute: int, author: str, text: str) -> Indexable:
    created = START + timedelta(minutes=minute)
    tagged = TaggedPost(
        id=f"jsonl:{name}",
        source="jsonl",
        author=Author(id=author),
        created_at=created,
        text=text,
        model="m@1",
        generation=1,
    )
    return Indexable(tagged, created, position=1)


def feed() -> list[Indexable]:
    """An everyday feed, and from `BURST_AT` on twelve authors with a word that nobody else has."""
    posts = []
    for minute in range(MINUTES):
        for one in range(6):
            number = minute * 6 + one
            posts.append(post(f"d{number}", minute, f"a{number % 97}", f"weather number{'abcdefg'[number % 7]} garden"))
        if BURST_AT <= minute < BURST_AT + 6:
            for one in range(2):
                number = (minute - BURST_AT) * 2 + one
                own = " ".join(f"{word}{'abcdefghijkl'[number]}" for word in OTHERS)
                text = f"explosion {own} {WORD}"
                posts.append(post(f"b{number}", minute, f"burst{number}", text))
    return posts


async def run(path: Path, changes: Sequence[Indexable | Deletion | Erasure], *, is_killed: bool = False) -> None:
    index = await SqliteIndex.open(path)
    with ThreadPoolExecutor(1) as pool:
        runner = DetectionRunner(index, DetectionWriter(index), pool, snapshot_seconds=1e9)
        await runner.open()
        running = asyncio.create_task(runner.run())
        for start in range(0, len(changes), 20):
            await runner.write(changes[start : start + 20], SourceCursor("jsonl", str(start)))
        runner.no_more()
        await running
        if not is_killed:
            await runner.close_feed(ended=False)
    await index.close()


async def bytes_of(path: Path) -> bytes:
    """All bytes of the files of an index, and of what is packed in its detectors' states."""
    found = b"".join(file.read_bytes() for file in path.parent.iterdir())
    index = await SqliteIndex.open(path, create=False)
    for name in (SNAPSHOT, *(f"journal/{slot}" for slot in range(SLOTS))):
        state = await index.detector_state(name)
        found += opened(state or b"") + opened((state or b"")[8:])
    await index.close()
    return found


async def event_names(path: Path) -> set[str]:
    index = await SqliteIndex.open(path, create=False)
    found = {one.key for event in await index.events() for one in event.subjects}
    await index.close()
    return found


@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize("is_told", [False, True])
async def test_words_that_only_deleted_posts_had_are_in_no_byte_after_compact(
    tmp_path: Path, is_killed: bool, is_told: bool
) -> None:
    path = tmp_path / "index.db"
    await run(path, feed(), is_killed=is_killed)
    assert WORD in await event_names(path)
    assert WORD.encode() in await bytes_of(path)
    deletions = [deletion(f"b{number}") for number in range(12)]
    if is_told:
        await run(path, deletions, is_killed=is_killed)
    else:
        index = await SqliteIndex.open(path)
        await index.write(deletions)
        await index.close()
    assert WORD not in await event_names(path)
    index = await SqliteIndex.open(path, create=False)
    await compact(index)
    await index.close()
    content = await bytes_of(path)
    assert WORD.encode() not in content
    assert b"weather" in content
    await run(path, [post(f"c{one}", MINUTES, f"a{one}", "weather garden") for one in range(9)])
    assert WORD.encode() not in await bytes_of(path)


async def test_an_erased_account_leaves_the_windows_too(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    await run(path, [*feed(), *(erasure(f"burst{number}", 1) for number in range(12))])
    await run(path, [post(f"c{one}", MINUTES + 4, f"a{one}", "weather garden") for one in range(20)])
    index = await SqliteIndex.open(path, create=False)
    state = await index.detector_state(SNAPSHOT)
    await index.close()
    assert state is not None
    assert WORD.encode() not in opened(state)


async def test_what_is_only_hidden_outlasts_compact(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    await run(path, feed())
    index = await SqliteIndex.open(path, create=False)
    before = await index.events()
    await index.write([status(f"burst{number}", 1, hidden=True) for number in range(12)])
    assert not [one for event in await index.events() for one in event.subjects if one.key == WORD]
    await compact(index)
    await index.write([status(f"burst{number}", 2, hidden=False) for number in range(12)])
    assert await index.events() == before
    await index.close()
