"""Scenario 16: what one index dumps another takes in, record by record, and nothing that was deleted comes back.

Numbers as in docs/reference/index-contract.md. The other index is a SQLite one: each gives to it and takes from it.
"""

import io
import json
import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from search.dump_lines import DumpWriter
from search.index import EntityIndex, SourceCursor
from search.restoring import Restored, restore
from search.sqlite.index import SqliteIndex
from search.testing.detecting import event, evidence, seen_of, trend
from search.testing.media import illustrated, shown
from search.testing.posts import OBSERVED, START, found, indexable, letters, stored, tagged, write
from search.testing.writing import EVENTS, deletion, erasure, letter, status
from tagstream.posts import TaggedPost

NOW = OBSERVED + timedelta(days=30)
_COUNTED = (1 << 19) - 1  # what SQLite numbers the posts of one millisecond with


async def dumped(index: EntityIndex) -> list[str]:
    """Returns the lines of a dump."""
    writer = DumpWriter()
    lines = [writer.begin()]
    async for kept in index.everything():
        lines += writer.lines(kept)
    return [*lines, writer.end()]


async def restored(index: EntityIndex, lines: Sequence[str]) -> Restored:
    return await restore(index, io.BytesIO("".join(f"{line}\n" for line in lines).encode()), now=NOW)


def compared(lines: Sequence[str]) -> set[str]:
    """Returns the lines of a dump without what two kinds of index may tell differently.

    These are the order of the lines, and the order of posts within a millisecond.
    """
    found = set()
    for document in map(json.loads, lines):
        if document.get("kind") == "record":
            document["number"] &= ~_COUNTED
        if document.get("kind") != "end":
            found.add(json.dumps(document, sort_keys=True))
    return found


async def filled(path: Path) -> SqliteIndex:
    """Opens a SQLite index that holds some of everything."""
    index = await SqliteIndex.open(path)
    chance = random.Random(7)
    for _ in range(40):
        names = [f"{chance.randrange(60)}" for _ in range(12)]
        await write(index, *(chance.choice(list(EVENTS.values()))(name) for name in names))
    await write(index, illustrated("p", "AB"), illustrated("q", "CA", author="ann"), illustrated("r", "D"))
    await write(index, illustrated("p", "BE", revision=1), deletion("r"), status("ann", 3, hidden=True))
    await index.keep_thumbnails([illustrated("ahead", "F")])
    await write(index, tagged("late", created_at=START - timedelta(days=4000)), tagged("early", minute=10**6))
    await write(
        index,
        letter("one", body=bytes(range(256)), post_id="jsonl:none"),
        letter("two", "other", author="x"),
        cursor=SourceCursor("jsonl:feed", "7:1:a"),
    )
    seen = evidence("pqr", author=1)  # of which one is deleted, and one of a hidden author
    await index.write_detections(
        [trend(name, minute, seen=seen) for name in ("e", "f") for minute in range(300)],
        [event("e", minute, seen=seen, typical="q") for minute in range(300)] + [event("f", 7, ended=7)],
        {"trends": b"no part of a backup"},
    )
    return index


class BackupContract:
    """The promises of every index about backups."""

    async def test_16a_what_is_restored_is_what_was_dumped(self, index: EntityIndex, tmp_path: Path) -> None:
        first = await filled(tmp_path / "first.db")
        lines = await dumped(first)
        report = await restored(index, lines)
        assert (report.fault_count, report.ended, report.cursors) == (0, True, 1)
        assert compared(await dumped(index)) == compared(lines)
        for text in ("first", "second", "person:macron", ""):
            assert set(await found(index, text)) == set(await found(first, text))
        assert set(await index.top_entities()) == set(await first.top_entities())
        assert await shown(index, "p") == "BE"
        assert await index.cursor("jsonl:feed") == "7:1:a"
        assert (report.outcomes["trends"], report.outcomes["events"]) == (600, 301)
        assert await seen_of(index) == await seen_of(first)
        assert (await seen_of(index))["event"] == ("p", None, 7, 7)
        assert await index.event_history("e") == await first.event_history("e")
        assert await index.detector_state("trends") is None
        third = await SqliteIndex.open(tmp_path / "third.db")
        assert (await restored(third, await dumped(index))).fault_count == 0
        assert compared(await dumped(third)) == compared(lines)
        await first.close()
        await third.close()

    async def test_16b_what_was_deleted_stays_deleted(self, index: EntityIndex, tmp_path: Path) -> None:
        first = await SqliteIndex.open(tmp_path / "first.db")
        seen = evidence(["seen", "erased"])
        await first.write_detections([trend("e", seen=seen)], [event("e", seen=seen, typical="seen")])
        gone = [tagged("seen", author="a"), tagged("unseen"), tagged("edited"), tagged("erased", author="b")]
        await write(first, *gone[:1], *gone[2:])
        await write(first, deletion("seen"), deletion("unseen"), deletion("edited", revision=3, position=20))
        await write(first, erasure("b", 50), erasure("c", 50), status("d", 5, hidden=True))
        lines = await dumped(first)
        assert not any(word in line for line in lines for word in ("Paris", "explosion"))
        await restored(index, lines)
        later = [tagged("new", author="c"), tagged("hidden", author="d"), tagged("edited", revision=2)]
        report = await write(index, *(indexable(one, 40) for one in [*gone, *later]))
        assert report.deleted == 6
        assert await stored(index) == []
        assert await index.events() == []
        kept = await write(index, letter("l", post_id="jsonl:seen"), letter("m", author="b", position=50))
        assert (kept.deleted, await letters(index)) == (2, [])
        after = await write(index, indexable(tagged("edited", revision=4)), indexable(tagged("back", author="b"), 51))
        assert after.stored == 2
        await first.close()

    async def test_16c_what_is_there_stays_where_it_is_newer(self, index: EntityIndex, tmp_path: Path) -> None:
        first = await SqliteIndex.open(tmp_path / "first.db")
        await write(first, tagged("edited", "old"), tagged("deleted"), tagged("same"), tagged("erased", author="a"))
        await write(first, status("b", 1, hidden=True), letter("l", post_id="jsonl:deleted"))
        await write(first, cursor=SourceCursor("feed", "1"))
        lines = await dumped(first)
        await write(index, tagged("edited", "new", revision=1), tagged("same"), tagged("own"), deletion("deleted"))
        await write(index, erasure("a", 5), status("b", 2, hidden=False), cursor=SourceCursor("feed", "2"))
        await restored(index, lines)
        assert [(post.id, post.text) for post in await stored(index)] == [
            ("jsonl:edited", "new"),
            ("jsonl:own", "words"),
            ("jsonl:same", "words"),
        ]
        assert [one.hidden async for one in index.account_statuses()] == [False]
        assert await letters(index) == []
        assert await index.cursor("feed") == "2"
        await first.close()

    async def test_16d_to_restore_again_changes_nothing(self, index: EntityIndex, tmp_path: Path) -> None:
        first = await filled(tmp_path / "first.db")
        lines = await dumped(first)
        await restored(index, lines)
        before = await dumped(index)
        for part in (lines, lines[: len(lines) // 2], lines):
            report = await restored(index, part)
            assert report.outcomes["stored"] == 0
        assert await dumped(index) == before
        await first.close()

    async def test_16e_posts_keep_their_moment(self, index: EntityIndex, tmp_path: Path) -> None:
        first = await SqliteIndex.open(tmp_path / "first.db")
        await write(first, tagged("future", minute=10**6), tagged("a", minute=1), tagged("b", minute=2))
        await write(first, tagged("a", minute=500, revision=1))
        await restored(index, await dumped(first))
        second = START + timedelta(minutes=2)
        assert await found(index, "", since=OBSERVED, until=OBSERVED + timedelta(seconds=1)) == ["future"]
        assert (await found(index, "", until=second), await found(index, "")) == (["a"], ["future", "b", "a"])
        records = [json.loads(line) for line in await dumped(index) if '"kind":"record"' in line]
        assert {one["observed_at"] for one in records} == {int(OBSERVED.timestamp() * 1000)}
        await first.close()

    async def test_16f_a_dump_of_posts_alone_is_restored_too(self, index: EntityIndex) -> None:
        posts = [tagged("a", author="ann"), tagged("b", "old")]
        await write(index, tagged("b", "new", revision=1))
        lines = [
            '{"author":"ann","hide":true,"source":"jsonl","sequence":7}',
            *(one.model_dump_json() for one in posts),
        ]
        report = await restored(index, lines)
        assert (report.whole, report.fault_count, report.outcomes["stored"]) == (False, 0, 1)
        assert [post.text for post in await stored(index)] == ["new"]
        assert [post.id async for post in index.documents(with_hidden=True)] == ["jsonl:a", "jsonl:b"]

    async def test_16g_what_is_damaged_is_said_and_the_rest_is_there(self, index: EntityIndex, tmp_path: Path) -> None:
        first = await SqliteIndex.open(tmp_path / "first.db")
        await write(first, *(tagged(str(one)) for one in range(4)), cursor=SourceCursor("feed", "1"))
        lines = await dumped(first)
        place = next(at for at, line in enumerate(lines) if '"id":"jsonl:1"' in line and "record" not in line)
        lines[place] = lines[place][:-5]
        report = await restored(index, lines)
        assert any(fault.startswith(f"line {place + 1}: ") for fault in report.faults)
        assert [post.id for post in await stored(index)] == ["jsonl:0", "jsonl:2", "jsonl:3"]
        assert (report.cursors, report.cursors_left_out, await index.cursor("feed")) == (0, 1, None)
        for cut in range(1, len(lines)):
            assert not (await restored(index, lines[:cut])).ended
        await first.close()

    async def test_16h_a_dump_is_of_one_moment(self, index: EntityIndex) -> None:
        await write(index, *(tagged(f"{at:04}", author="a") for at in range(900)))
        kept: list[Any] = []
        async for one in index.everything():
            kept.append(one)
            if len(kept) == 10:
                await write(index, tagged("0000 new"), tagged("0899", "edited", revision=1), tagged("zz"))
        posts: list[TaggedPost] = [one.post for one in kept]
        assert [post.id for post in posts] == [f"jsonl:{at:04}" for at in range(900)]
        assert {post.revision for post in posts} == {0}
