"""Posts in a zip archive: which of its files are read, and where reading goes on."""

import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from ingest.sources.formats.compressed import open_bytes
from ingest.sources.formats.zipped import ZippedBytes
from ingest.sources.jsonl.source import JsonlSource
from tagstream.errors import UnreadableInput
from tagstream.posts import Post

OLD_DATE = "Wed May 01 12:00:00 +0000 2024"


def exported(part: int, *numbers: int) -> bytes:
    tweets = [
        {"tweet": {"id_str": str(10**18 + number), "full_text": f"tweet {number}", "created_at": OLD_DATE}}
        for number in numbers
    ]
    return f"window.YTD.tweets.part{part} = {json.dumps(tweets, indent=1)}".encode()


def archive(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "archive.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path


def content_of(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        found = open_bytes(descriptor, str(path))
        assert isinstance(found, ZippedBytes)
        pieces = []
        while piece := found.read(1000):
            pieces.append(piece)
        whole = b"".join(pieces)
        for offset in (0, 1, len(whole) // 2, len(whole) - 1, len(whole)):
            assert found.seek(offset) == offset
            assert found.read(50) == whole[offset : offset + 50]
            assert found.read_at(offset, 10) == whole[offset : offset + 10]
        assert found.seek(len(whole) + 1) == len(whole)
        return whole
    finally:
        os.close(descriptor)


async def test_an_account_export_is_read_whole_and_goes_on(tmp_path: Path) -> None:
    files = {
        "data/like.js": b"window.YTD.like.part0 = []",
        "data/tweets-part10.js": exported(2, 5),
        "data/tweets-part1.js": exported(1, 3, 4),
        "data/tweets.js": exported(0, 1, 2),
        "data/deleted-tweets.js": exported(0, 9),
    }
    path = archive(tmp_path, files)
    texts, cursor = [], None
    for _ in range(6):  # one post a run
        source = JsonlSource(str(path))
        await source.open(cursor)
        received = await source.next_batch(1)
        await source.close()
        texts += [item.event.text for item in received if isinstance(item.event, Post)]
        cursor = received[-1].cursor if received else cursor
    assert texts == [f"tweet {number}" for number in (1, 2, 3, 4, 5)]


def test_one_file_of_posts_is_read_wherever_it_lies(tmp_path: Path) -> None:
    lines = b'{"id": 1, "text": "a", "created_at": 1714564800}\n' * 100
    files = {"readme.txt": b"hello", "export/posts.jsonl": lines, "__MACOSX/posts.jsonl": b"x"}
    assert content_of(archive(tmp_path, files)) == lines + b"\n"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.txt": b"x"}, "no file of posts"),
        ({"a.json": b"[]", "b.csv": b"text"}, "2 files: 'a.json', 'b.csv'"),
    ],
)
def test_an_archive_without_one_feed_is_refused_by_what_it_holds(
    tmp_path: Path, files: dict[str, bytes], said: str
) -> None:
    with pytest.raises(UnreadableInput, match=said):
        content_of(archive(tmp_path, files))


def test_damage_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = archive(tmp_path, {"posts.jsonl": os.urandom(200_000)})
    whole = path.read_bytes()
    path.write_bytes(whole[:-50])
    with pytest.raises(UnreadableInput, match="unpack it"):
        content_of(path)
    path.write_bytes(whole[:1000] + bytes(byte ^ 255 for byte in whole[1000:1100]) + whole[1100:])
    with pytest.raises(UnreadableInput, match="unpack it"):
        content_of(path)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    made = bytearray(archive(tmp_path, {"posts.jsonl": b"{}"}).read_bytes())
    for sign, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        made[made.index(sign) + flags] |= 1
    path = tmp_path / "encrypted.zip"
    path.write_bytes(made)
    with pytest.raises(UnreadableInput, match="it is encrypted"):
        content_of(path)


def test_an_archive_whose_list_of_files_is_huge_is_refused(tmp_path: Path) -> None:
    made = bytearray(archive(tmp_path, {"posts.jsonl": b"{}"}).read_bytes())
    at = made.rindex(b"PK\x05\x06") + 12
    made[at : at + 4] = (10**9).to_bytes(4, "little")
    path = tmp_path / "huge.zip"
    path.write_bytes(made)
    with pytest.raises(UnreadableInput, match="too many files"):
        content_of(path)


def test_a_bomb_is_read_in_small_pieces(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made, made.open("posts.jsonl", "w") as file:
        for _ in range(50):
            file.write(b"{" * 1_000_000)
    path = tmp_path / "bomb.zip"
    path.write_bytes(buffer.getvalue())
    descriptor = os.open(path, os.O_RDONLY)
    try:
        found = open_bytes(descriptor, str(path))
        assert len(found.read(10_000_000)) <= 65_536
        assert len(path.read_bytes()) < 100_000
    finally:
        os.close(descriptor)
