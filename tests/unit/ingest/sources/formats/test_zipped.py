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
from tagstream.posts import Author, DeadLetter, Post

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


def test_a_spreadsheet_of_excel_is_called_that(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="spreadsheet of Excel: save it as CSV"):
        content_of(archive(tmp_path, {"[Content_Types].xml": b"", "xl/workbook.xml": b"<workbook/>"}))


ACCOUNT = b'window.YTD.account.part0 = [ {"account": {"username": "ann_lee", "accountId": "77", "email": "a@b"}} ]'


async def authors(path: Path) -> list[Author | None]:
    source = JsonlSource(str(path))
    await source.open(None)
    received = [*await source.next_batch(10), *await source.next_batch(10)]
    await source.close()
    return [item.event.author for item in received if isinstance(item.event, Post)]


@pytest.mark.parametrize("folder", ["", "twitter-2024/"])
async def test_the_account_of_an_export_is_the_author_of_its_posts(tmp_path: Path, folder: str) -> None:
    files = {f"{folder}data/tweets.js": exported(0, 1, 2), f"{folder}data/account.js": ACCOUNT}
    path = archive(tmp_path, files)
    assert await authors(path) == [Author(id="77", handle="ann_lee")] * 2
    source = JsonlSource(str(path))
    await source.open(None)
    first = (await source.next_batch(1))[0]
    await source.close()
    assert isinstance(first.event, Post)
    assert first.event.url == f"https://x.com/ann_lee/status/{10**18 + 1}"
    resumed = JsonlSource(str(path))
    await resumed.open(first.cursor)
    second = (await resumed.next_batch(1))[0].event
    await resumed.close()
    assert isinstance(second, Post)
    assert second.author == first.event.author


async def test_a_post_of_an_export_that_cannot_be_read_is_its_account_s(tmp_path: Path) -> None:
    broken = exported(0, 1).replace(b"Wed May 01 12:00:00 +0000 2024", b"Wed May 41 12:00:00 +0000 2024")
    source = JsonlSource(str(archive(tmp_path, {"data/tweets.js": broken, "data/account.js": ACCOUNT})))
    await source.open(None)
    letter = (await source.next_batch(1))[0].event
    await source.close()
    assert isinstance(letter, DeadLetter)
    assert letter.author == "77"


@pytest.mark.parametrize(
    "account",
    [
        None,
        b"",
        b"window.YTD.account.part0 = []",
        b'window.YTD.account.part0 = [{"account": 7}]',
        b'window.YTD.account.part0 = {"account": {}}',
        ACCOUNT.replace(b'"77"', b'"-1"'),
        ACCOUNT.replace(b'"77"', b'["77"]'),
        ACCOUNT.replace(b'"77"', b"9" * 5_000),
        ACCOUNT.replace(b"ann_lee", b"\xff"),
        b"window.YTD.account.part0 = " + b"[" * 60_000,
        ACCOUNT + b" " * 65_536,
    ],
)
async def test_posts_of_an_export_that_does_not_say_whose_it_is_have_no_author(
    tmp_path: Path, account: bytes | None
) -> None:
    files = {"data/tweets.js": exported(0, 1)}
    path = archive(tmp_path, files if account is None else {**files, "data/account.js": account})
    assert await authors(path) == [None]


async def test_a_name_that_no_account_can_have_is_left_out_and_exports_of_two_accounts_have_no_author(
    tmp_path: Path,
) -> None:
    strange = ACCOUNT.replace(b"ann_lee", b"a</script>\\u202e")
    path = archive(tmp_path, {"data/tweets.js": exported(0, 1), "data/account.js": strange})
    assert await authors(path) == [Author(id="77")]
    two = {"a/data/tweets.js": exported(0, 1), "b/data/tweets.js": exported(0, 2), "a/data/account.js": ACCOUNT}
    assert await authors(archive(tmp_path, two)) == [None, None]


async def test_a_damaged_account_file_costs_the_author_alone(tmp_path: Path) -> None:
    path = archive(tmp_path, {"data/tweets.js": exported(0, 1), "data/account.js": os.urandom(5_000)})
    whole = path.read_bytes()
    at = whole.index(b"data/account.js") + 2_000
    path.write_bytes(whole[:at] + bytes(byte ^ 255 for byte in whole[at : at + 50]) + whole[at + 50 :])
    assert await authors(path) == [None]


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
