"""Compressed files: every format, resumed at every line, cut, damaged, and made to burst."""

import bz2
import gzip
import json
import lzma
import os
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from ingest.sources.formats.compressed import (
    COMPRESSIONS,
    CompressedBytes,
    Compression,
    PlainBytes,
    TruncatedInput,
    compression_named,
    compression_of,
    open_bytes,
)
from ingest.sources.formats.lines import MAX_LINE_BYTES
from ingest.sources.jsonl.source import JsonlSource
from tagstream.errors import UnreadableInput
from tagstream.posts import DeadLetter, Post
from tagstream.source import Received

LINES = [
    json.dumps({"id": number, "text": f"Number {number} 🌍 #Oslo", "created_at": "2024-05-01T12:00:00Z"}).encode()
    for number in range(40)
]
CONTENT = b"\n".join([*LINES[:20], b"", b"{bad", b"z" * (MAX_LINE_BYTES + 5), *LINES[20:]]) + b"\n"
formats = pytest.mark.parametrize("compression", COMPRESSIONS, ids=lambda one: one.name)


def packed(path: Path, compression: Compression, *parts: bytes) -> str:
    path.write_bytes(b"".join(compression.compress(part) for part in parts))
    return str(path)


async def read_all(path: str, cursor: str | None = None) -> list[Received]:
    received: list[Received] = []
    await read_into(received, path, cursor)
    return received


async def read_into(received: list[Received], path: str, cursor: str | None = None) -> None:
    source = JsonlSource(path)
    await source.open(cursor)
    try:
        while batch := await source.next_batch(7):
            received += batch
    finally:
        await source.close()


@formats
async def test_a_compressed_file_is_the_plain_one(tmp_path: Path, compression: Compression) -> None:
    (tmp_path / "feed").write_bytes(CONTENT)
    plain = await read_all(str(tmp_path / "feed"))
    assert len(plain) == 42
    # The name says nothing: how the file begins counts.
    path = packed(tmp_path / "feed", compression, CONTENT)
    assert await read_all(path) == plain
    cut = len(CONTENT) // 3
    assert await read_all(packed(tmp_path / "feed", compression, CONTENT[:cut], b"", CONTENT[cut:])) == plain


@formats
async def test_resuming_after_every_event_is_exact(tmp_path: Path, compression: Compression) -> None:
    path = packed(tmp_path / "feed", compression, b"\n".join(LINES[:6]), b"\n{bad\n\n" + LINES[7])
    whole = await read_all(path)
    assert len(whole) == 8
    for done, one in enumerate(whole, 1):
        assert await read_all(path, one.cursor) == whole[done:]


@formats
async def test_a_half_line_that_grew_is_read_again(tmp_path: Path, compression: Compression) -> None:
    path = packed(tmp_path / "feed", compression, LINES[0] + b"\n" + LINES[1][:30])
    first = await read_all(path)
    assert isinstance(first[-1].event, DeadLetter)
    packed(tmp_path / "feed", compression, LINES[0] + b"\n" + LINES[1][:30], LINES[1][30:] + b"\n" + LINES[2])
    again = await read_all(path, first[-1].cursor)
    assert [one.event.position for one in again] == [2, 3]
    assert again[0].supersedes == first[-1].event.origin


@formats
async def test_another_content_is_refused_on_resume(tmp_path: Path, compression: Compression) -> None:
    path = packed(tmp_path / "feed", compression, b"\n".join(LINES))
    cursor = (await read_all(path))[5].cursor
    packed(tmp_path / "feed", compression, b"\n".join(reversed(LINES)))
    with pytest.raises(UnreadableInput, match="changed before that place"):
        await read_all(path, cursor)
    packed(tmp_path / "feed", compression, LINES[0])
    with pytest.raises(UnreadableInput, match=f"only {len(LINES[0])} bytes"):
        await read_all(path, cursor)


@formats
async def test_what_is_before_a_cut_counts_and_the_rest_is_read_when_it_is_there(
    tmp_path: Path, compression: Compression
) -> None:
    # Lines that do not compress, so that the cut falls between many of them.
    noise = random.Random(7)
    lines = [line[:-1] + b', "noise": "%s"}' % noise.randbytes(4_000).hex().encode() for line in LINES]
    path = packed(tmp_path / "feed", compression, b"\n".join(lines[:20]) + b"\n", b"\n".join(lines[20:]))
    data = (tmp_path / "feed").read_bytes()
    (tmp_path / "feed").write_bytes(data[: len(data) * 3 // 4])
    received: list[Received] = []
    with pytest.raises(TruncatedInput, match="in the middle of its compressed data"):
        await read_into(received, path)
    assert len(received) >= 20
    (tmp_path / "feed").write_bytes(data)
    received += await read_all(path, received[-1].cursor)
    assert [one.event.position for one in received] == list(range(1, 41))


@formats
def test_every_cut_is_seen(tmp_path: Path, compression: Compression) -> None:
    data = compression.compress(b"\n".join(LINES[:3]))
    path = tmp_path / "feed"
    for size in range(6, len(data)):
        path.write_bytes(data[:size])
        with path.open("rb") as file:
            content = CompressedBytes(file.fileno(), compression, "feed")
            with pytest.raises(UnreadableInput):
                content.seek(len(data) * 1000)


@formats
async def test_damage_in_the_middle_ends_the_reading_after_what_was_before(
    tmp_path: Path, compression: Compression
) -> None:
    path = packed(tmp_path / "feed", compression, b"\n".join(LINES[:20]) + b"\n")
    whole = (tmp_path / "feed").stat().st_size
    with (tmp_path / "feed").open("ab") as file:
        file.write(compression.compress(b"\n".join(LINES))[:40] + b"\xff" * 5000)
    received: list[Received] = []
    with pytest.raises(UnreadableInput, match=r"damaged|in the middle"):
        await read_into(received, path)
    assert len(received) == 20
    with (tmp_path / "feed").open("r+b") as file:
        file.truncate(whole)
        file.seek(0, os.SEEK_END)
        file.write(b"not packed")
    with pytest.raises(UnreadableInput):
        await read_all(path)


@formats
async def test_zeros_that_fill_up_a_block_are_nothing(tmp_path: Path, compression: Compression) -> None:
    path = packed(tmp_path / "feed", compression, LINES[0])
    with (tmp_path / "feed").open("ab") as file:
        file.write(b"\0" * 1024)
    assert len(await read_all(path)) == 1


BOMBS: list[tuple[str, Callable[[], bytes]]] = [
    ("gzip", lambda: gzip.compress(b"{" * 150_000_000, 9)),
    ("Zstandard", lambda: zstandard.ZstdCompressor(level=19).compress(b"{" * 150_000_000)),
    ("bzip2", lambda: b"".join([bz2.compress(b"{" * 15_000_000)] * 10)),
    ("xz", lambda: lzma.compress(b"{" * 150_000_000, preset=0)),
]


@pytest.mark.parametrize("bomb", [bomb for _, bomb in BOMBS], ids=[name for name, _ in BOMBS])
async def test_a_bomb_bursts_into_one_letter_in_little_memory(tmp_path: Path, bomb: Callable[[], bytes]) -> None:
    (tmp_path / "bomb").write_bytes(bomb())
    tracemalloc.start()
    (received,) = await read_all(str(tmp_path / "bomb"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(received.event, DeadLetter)
    assert (received.event.cause, received.event.size) == ("line_too_long", 150_000_000)
    assert peak < 64 * 1024 * 1024


async def test_a_window_that_is_too_large_is_refused(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=29, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    (tmp_path / "feed").write_bytes(compressor.compress(LINES[0]) + compressor.flush())
    with pytest.raises(UnreadableInput, match="damaged"):
        await read_all(str(tmp_path / "feed"))


def test_formats_are_told_by_their_beginnings() -> None:
    for one in COMPRESSIONS:
        assert compression_of(one.compress(b"x")[:6]) is one
        assert compression_named(f"feed.jsonl{one.suffix.upper()}") is one
    assert compression_of(b"\x50\x2a\x4d\x18\x04\x00") is COMPRESSIONS[1]
    for beginning in (b"", b"\x1f", b"{", b'{"id":', b"BZh0", b"\xef\xbb\xbf{"):
        assert compression_of(beginning) is None
    assert compression_named("feed.jsonl") is None


async def test_a_frame_that_is_to_be_skipped_is_skipped(tmp_path: Path) -> None:
    skipped = b"\x5a\x2a\x4d\x18" + (7).to_bytes(4, "little") + b"private"
    (tmp_path / "feed").write_bytes(skipped + COMPRESSIONS[1].compress(LINES[0]))
    (received,) = await read_all(str(tmp_path / "feed"))
    assert isinstance(received.event, Post)


def test_places_mean_the_same_packed_or_plain(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(CONTENT)
    files = [tmp_path / "plain"]
    for one in COMPRESSIONS:
        files.append(tmp_path / one.name)
        packed(files[-1], one, CONTENT[:1000], CONTENT[1000:])
    for path in files:
        with path.open("rb") as file:
            content = open_bytes(file.fileno(), str(path))
            assert isinstance(content, PlainBytes) == (path.name == "plain")
            for offset, size in ((0, 10), (500, 1000), (20, 5), (len(CONTENT) - 3, 10), (len(CONTENT) + 9, 4)):
                assert content.read_at(offset, size) == CONTENT[offset : offset + size]
            assert content.seek(700) == 700
            assert content.read(50) == CONTENT[700:750]
            assert content.seek(len(CONTENT) + 1) == len(CONTENT)
