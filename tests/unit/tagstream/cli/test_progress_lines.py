"""What a run says of itself while it lasts: how much is done, how long the rest takes, and nothing cut at any width."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from rich.cells import cell_len

from ingest.sources.jsonl.source import JsonlSource
from ingest.sources.open import open_source
from tagstream.cli.progress import RunProgress, in_lines, in_time, progress_line, progress_parts, remaining
from tagstream.runtime.metrics import EventOutcome, PipelineProgress
from tagstream.source import Share

PROGRESS = PipelineProgress(
    elapsed_seconds=100.0,
    read=2_000,
    finished=1_000,
    posts=1_000,
    posts_per_second=10.0,
    in_flight=1_000,
    lag_seconds=3.0,
    outcomes={},
    dropped={EventOutcome.DUPLICATE: 3, EventOutcome.MALFORMED: 1_234_567},
    waiting_for="the index, which says \x1b[31mno\u202e to https://ann:s3cret@host",
    source_counts={f"reason_{number}": 10**number for number in range(12)},
)


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (Share(0.0, 0.5), "25 %, 5:00 left"),
        (Share(0.5, 1.0), "75 %, 1:40 left"),
        (Share(0.0, 0.0), "0 %"),
        (Share(0.0, 0.002), "0 %"),
        (Share(0.0, 1e-9), "0 %"),
    ],
)
def test_what_is_done_is_what_is_safe(share: Share, shown: str) -> None:
    assert remaining(PROGRESS, share) == shown


def test_the_end_and_the_beginning_claim_nothing() -> None:
    ended = replace(PROGRESS, in_flight=0, finished=2_000)
    assert remaining(ended, Share(0.0, 1.0)) == "100 %"
    assert remaining(replace(PROGRESS, elapsed_seconds=0.5), Share(0.0, 0.5)) == "25 %"
    assert remaining(replace(PROGRESS, read=0, in_flight=0), Share(0.3, 0.3)) == "30 %"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (200, "3:20"), (3_803, "1:03:23"), (100_000, "27:46:40"), (1e9, "11,574 days")],
)
def test_times(seconds: float, shown: str) -> None:
    assert in_time(seconds) == shown


@pytest.mark.parametrize("width", [1, 20, 40, 60, 80, 120, 200])
def test_at_no_width_is_anything_lost(width: int) -> None:
    parts = progress_parts(PROGRESS, Share(0.0, 0.5))
    lines = in_lines(parts, width)
    assert all(cell_len(line) <= width for line in lines)
    shown = "".join("".join(lines).split())
    for part in (*parts[:-1], "waiting for the index, which says ␛[31mno\\u202e to https://***@host"):
        for word in part.replace("|", " ").split():
            assert word in shown
    assert all(line.isprintable() for line in lines)


def test_elsewhere_it_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    well = replace(PROGRESS, waiting_for=None)
    with RunProgress(lambda: Share(0.0, 0.5)) as show:
        for tenth in range(300):
            now = tenth / 10
            show(replace(well if tenth % 2 else PROGRESS, elapsed_seconds=now))  # a server that is up and down by turns
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) <= 31
    assert "\x1b" not in said.err
    assert "s3cret" not in said.err
    assert "%" in said.err


def test_a_feed_without_an_end_has_no_percent() -> None:
    assert "%" not in progress_line(PROGRESS)
    for spec in ("-", "bluesky:", "rss:https://example.org/feed"):
        source: Any = open_source(spec)
        assert getattr(source, "share_read", lambda: None)() is None


def _xz(data: bytes) -> bytes:
    return lzma.compress(data)


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, bz2.compress, _xz, lambda data: zstandard.ZstdCompressor().compress(data)]
)
async def test_the_share_of_a_file_rises_to_one(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    lines = [
        json.dumps({"id": number, "text": f"{number * 7919:x} London {number}", "created_at": 1_700_000_000_000})
        for number in range(20_000)
    ]
    path = tmp_path / "feed"
    path.write_bytes(pack("\n".join(lines).encode()))
    shares, cursor = await _shares(JsonlSource(str(path)), None, batches=10)
    assert shares == sorted(shares)
    assert shares[0] < 0.5
    if pack is not bz2.compress:  # whose blocks hold thousands of lines
        assert 0 < shares[-1] < 1
    rest, _ = await _shares(JsonlSource(str(path)), cursor, batches=10**6)
    assert rest[-1] == 1.0
    assert rest[0] > 0


async def _shares(source: JsonlSource, cursor: str | None, *, batches: int) -> tuple[list[float], str]:
    await source.open(cursor)
    shares = []
    try:
        for _ in range(batches):
            received = await source.next_batch(500)
            if not received:
                break
            cursor = received[-1].cursor
            share = source.share_read()
            assert share is not None
            assert 0 <= share.begun <= share.read <= 1
            shares.append(share.read)
    finally:
        await source.close()
    assert cursor is not None
    return shares, cursor


async def test_the_share_of_a_simulated_feed_rises_to_one() -> None:
    source: Any = open_source("simulate:7?posts=500")
    await source.open(None)
    shares = []
    while await source.next_batch(100):
        shares.append(source.share_read().read)
    assert shares == sorted(shares)
    assert 0 < shares[0] < 1
    assert source.share_read().read == 1.0
