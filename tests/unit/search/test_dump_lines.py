"""Lines of a dump that something damaged: whatever a field says, it is refused by its line or can be kept."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from search.dump_lines import DumpWriter, read_line
from search.index import Remembered, SourceCursor, Thumbnail
from search.registry import RegistryRecord
from search.restoring import Restored, restore
from search.sqlite.index import SqliteIndex
from tagstream.dead_letter import dead_letter
from tagstream.detections import Companion, DetectedEvent, EventSubject, EvidencePost, TrendState
from tagstream.errors import NewerVersion
from tagstream.posts import (
    AccountStatus,
    Author,
    Entity,
    Erasure,
    Link,
    Media,
    SegmentedHashtag,
    TaggedPost,
    stored_version,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PHOTO = "ab" * 32
HOSTILE: tuple[object, ...] = (
    None,
    True,
    False,
    -1,
    -2,
    0,
    -(2**63),
    2**31,
    2**51,
    2**63 - 1,
    2**63,
    2**64,
    10**18,
    10**400,
    1.5,
    1e308,
    float("nan"),
    float("-inf"),
    "",
    "a\x00b",
    "jsonl:a\ud800",
    "\udc80",
    "x" * 300,
    "9" * 200_000,
    "0001-01-01T00:00:00+14:00",
    "\u202e=",
    [],
    [["\ud800"]],
    {},
    {"\ud800": "\ud800"},
)


def post(name: str = "p") -> TaggedPost:
    return TaggedPost(
        id=f"jsonl:{name}",
        source="jsonl",
        author=Author(id="ann", handle="ann"),
        created_at=NOON,
        text="Ann in #HongKong",
        lang="en",
        url="https://a.example/",
        links=(Link(url="https://b.example/", title="t", description="d"),),
        media=(Media(url="https://c.example/", alt="a", sha256=PHOTO, width=1, height=1),),
        reply_to="jsonl:q",
        hashtags=(SegmentedHashtag(text="HongKong", start=7, end=16, words=("Hong", "Kong")),),
        entities=(Entity(text="HongKong", type="LOC", start=8, end=16, score=0.5, in_hashtag=True, key="hong kong"),),
        image_labels=("cat",),
        model="m@1",
        generation=1,
        degraded=("vision",),
    )


def remembered(name: str, place: int) -> Remembered:
    number = (int(NOON.timestamp() * 1000) << 20) + place
    record = RegistryRecord(f"jsonl:{name}", number=number, version=stored_version(0, 1), observed_at=1, visible=True)
    return Remembered(record, post(name), (Thumbnail(PHOTO, b"jpeg"),))


def lines_of_every_kind() -> list[str]:
    writer = DumpWriter()
    letter = dead_letter(
        origin="o", source="jsonl", cause="c", message="m", body=b"b", post_id="jsonl:z", author="bo", position=1
    )
    kept = (
        AccountStatus(source="jsonl", author="cy", hidden=True, position=3),
        Erasure(source="jsonl", author="bea", position=3),
        remembered("p", 0),
        Remembered(RegistryRecord("jsonl:gone", deleted=2**63 - 1, deleted_position=3)),
        TrendState(
            type="LOC",
            key="paris",
            text="Paris",
            minute=NOON,
            started_at=NOON,
            window_minutes=10,
            authors=3,
            posts=3,
            expected=0.5,
            score=2.5,
            companions=(Companion(type="WORD", key="rain", text="rain", posts=2),),
            evidence=(EvidencePost(post_id="jsonl:p", author=-7, minute=NOON, shingles=(1, 2)),),
        ),
        DetectedEvent(
            id="e1",
            minute=NOON,
            names=("Paris",),
            detected_at=NOON,
            started_at=NOON,
            peak_at=NOON,
            ended_at=NOON,
            merged_into="e0",
            subjects=(EventSubject(type="LOC", key="paris", text="Paris", posts=3, authors=3),),
            authors=3,
            posts=3,
            score=2.5,
            evidence=(EvidencePost(post_id="jsonl:p", minute=NOON),),
            typical="jsonl:p",
        ),
        letter,
        SourceCursor("jsonl:feed", "7"),
    )
    return [writer.begin(), *(line for one in kept for line in writer.lines(one)), writer.end()]


def damaged(value: Any) -> Iterator[Any]:
    """The value with each of its parts, however deep, replaced by each hostile one, and without it."""
    if isinstance(value, dict):
        for name in value:
            yield {other: part for other, part in value.items() if other != name}
            for part in damaged(value[name]):
                yield value | {name: part}
        yield value | {"more": 1}
    elif isinstance(value, list) and value:
        for part in damaged(value[0]):
            yield [part]
    yield from HOSTILE


async def restored(index: SqliteIndex, lines: list[str]) -> Restored:
    stream = io.BytesIO("".join(f"{line}\n" for line in lines).encode())
    return await restore(index, stream, now=NOON)


@pytest.mark.parametrize("place", range(len(lines_of_every_kind())))
async def test_whatever_a_field_says_it_is_refused_or_can_be_kept(tmp_path: Path, place: int) -> None:
    lines = lines_of_every_kind()
    line = json.loads(lines[place])
    tried: list[str] = []
    for one in damaged(line):
        if isinstance(one, dict) and one.get("kind") == "end":
            continue  # whatever it says, no line after it is read
        text = json.dumps(one)
        tried += ["\n".join(lines[3:6])] * (line.get("kind") == "thumbnail") + [text]
    good = [text for name in "abcd" for text in DumpWriter().lines(remembered(name, 7))]
    index = await SqliteIndex.open(tmp_path / "a.db")
    try:
        report = await restored(index, [lines[0], *good[:3], *tried, *good[3:], lines[-1]])
        assert "".join(report.faults).isascii()
        assert {f"jsonl:{name}" for name in "abcd"} <= {one.id async for one in index.documents(with_hidden=True)}
        kept = [one async for one in index.everything()]
        writer = DumpWriter()
        for text in (text for one in kept for text in writer.lines(one)):
            read_line(text.encode())
    finally:
        await index.close()


@pytest.mark.parametrize(
    ("field", "value"),
    [("id", "jsonl:a\ud800"), ("number", 2**63 - 1), ("number", -1), ("observed_at", 10**18), ("version", -2)],
)
async def test_a_damaged_record_is_said_and_all_posts_are_there(tmp_path: Path, field: str, value: object) -> None:
    good = [text for name in "abcd" for text in DumpWriter().lines(remembered(name, 7))]
    bad = json.dumps(json.loads(good[0]) | {field: value})
    for before in ([], good[:1]):  # also where the post of a sound record is missing
        index = await SqliteIndex.open(tmp_path / f"{len(before)}.db")
        report = await restored(index, [DumpWriter().begin(), *before, bad, *good[1:]])
        assert report.fault_count >= 1
        assert report.faults[-1].startswith(f"line {len(before) + 2}: ")
        assert [one.id async for one in index.documents()] == [f"jsonl:{name}" for name in "abcd"]
        await index.close()


async def test_a_line_of_a_newer_version_stops_all_only_where_all_may_be_newer(tmp_path: Path) -> None:
    lines = [text for name in "abc" for text in DumpWriter().lines(remembered(name, 7))]
    newer = json.dumps(json.loads(lines[1]) | {"version": 99})
    index = await SqliteIndex.open(tmp_path / "a.db")
    with pytest.raises(NewerVersion):
        await restored(index, [lines[0], newer, *lines[3:]])
    assert [one async for one in index.everything()] == []
    report = await restored(index, [*lines[3:], lines[0], newer])
    assert report.faults[0].startswith("line 8: The dump has posts of version 99")
    assert [one.id async for one in index.documents()] == ["jsonl:b", "jsonl:c"]
    await index.close()


async def test_a_picture_that_its_post_does_not_show_is_a_fault(tmp_path: Path) -> None:
    record, shown, picture = DumpWriter().lines(remembered("p", 0))
    other = json.dumps(json.loads(picture) | {"sha256": "cd" * 32})
    index = await SqliteIndex.open(tmp_path / "a.db")
    report = await restored(index, [DumpWriter().begin(), record, shown, other, picture])
    assert report.faults == ["line 4: its post does not show it"]
    assert await index.thumbnail("jsonl:p", 0) == b"jpeg"
    await index.close()
