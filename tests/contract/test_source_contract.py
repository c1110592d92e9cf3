"""Our own sources keep the published contract, and a source that breaks it is found out."""

import asyncio
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from ingest.sources.open import open_source
from ingest.sources.wrappers.recording import RecordingSource
from tagstream.source import Received, Source
from tagstream.testing import SourceContract

LINES = [
    {"id": 1, "text": "Angela Merkel", "created_at": 1714564800, "author": "ann"},
    {"id": 2, "text": "in Paris #NewYorkCity 🚀", "created_at": 1714564801, "author": "bo"},
    {"id": 1, "delete": True},
    {"author": "ann", "hide": True},
    {"id": 3, "text": "é" * 300, "created_at": 1714564802},
    {"id": 4, "text": "", "created_at": 1714564803},
    {"id": 5, "text": "the last one", "created_at": 1714564804},
]


def written(lines: Sequence[object]) -> bytes:
    return b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)


class TestJsonLines(SourceContract):
    def make_source(self, folder: Path) -> Source:
        path = folder / "feed.jsonl"
        path.write_bytes(written(LINES))
        return open_source(f"jsonl:{path}")

    def make_malformed_source(self, folder: Path) -> Source:
        path = folder / "malformed.jsonl"
        path.write_bytes(written([LINES[0], b"no JSON\n", b'{"id": 9}\n', b"\xff\xfe\n", LINES[1], LINES[4]]))
        return open_source(f"jsonl:{path}")


class TestCompressedArray(SourceContract):
    def make_source(self, folder: Path) -> Source:
        path = folder / "feed.json.gz"
        path.write_bytes(gzip.compress(json.dumps(LINES).encode(), mtime=0))
        return open_source(f"jsonl:{path}")


class TestTable(SourceContract):
    def make_source(self, folder: Path) -> Source:
        path = folder / "feed.csv"
        rows = "".join(f'{number},"post {number}, of\ntwo lines",{1714564800 + number},ann\n' for number in range(7))
        path.write_text(f"id,text,date,user\n{rows}")
        return open_source(f"csv:{path}")

    def make_malformed_source(self, folder: Path) -> Source:
        path = folder / "malformed.csv"
        path.write_bytes(
            b"id,text,date\n1,a,2024-05-02\n2,too,many,values\n3,\xff,2024-05-02\n4,b,never\n5,c,2024-05-03\n"
        )
        return open_source(f"csv:{path}")


class TestSimulated(SourceContract):
    def make_source(self, folder: Path) -> Source:
        del folder
        return open_source("simulate:7?posts=60")


class TestSimulatedWithoutEnd(SourceContract):
    ends = False
    least_events = 40

    def make_source(self, folder: Path) -> Source:
        del folder
        return open_source("simulate:8?posts=100000")


class TestRecorded(SourceContract):
    resumes = False

    def make_source(self, folder: Path) -> Source:
        recording = folder / f"{len(list(folder.iterdir()))}.jsonl"
        return RecordingSource(open_source("simulate:9?posts=20"), str(recording))


class Broken(Source):
    """A source of ten posts, which forgets, repeats or shares what it must not, as it is told."""

    name = "broken:"

    def __init__(self, fault: str, folder: Path) -> None:
        self._fault = fault
        self._inner = TestJsonLines().make_source(folder)
        self._closed = 0

    async def open(self, cursor: str | None) -> None:
        if self._fault == "forgets the cursor":
            cursor = None
        await self._inner.open(cursor)

    async def next_batch(self, limit: int) -> Sequence[Received]:
        batch = list(await self._inner.next_batch(100 if self._fault == "ignores the limit" else limit))
        if self._fault == "loses what is cancelled":
            await asyncio.sleep(0)
        if self._fault == "gives no cursor":
            batch = [Received(received.event, "") for received in batch]
        return batch

    async def close(self) -> None:
        self._closed += 1
        if self._fault == "closes once" and self._closed > 1:
            raise RuntimeError("closed already")
        await self._inner.close()

    def counts(self) -> Mapping[str, int]:
        return {"Read": 1} if self._fault == "counts from one" else {}


@pytest.mark.parametrize(
    ("fault", "scenario"),
    [
        ("gives no cursor", "test_2a_everything_it_gives_is_an_event_with_a_cursor"),
        ("ignores the limit", "test_2c_a_batch_has_one_event_at_least_and_no_more_than_asked_for"),
        ("forgets the cursor", "test_4a_reading_goes_on_after_any_cursor_and_skips_nothing"),
        ("loses what is cancelled", "test_5a_a_cancelled_call_loses_nothing"),
        ("closes once", "test_6a_it_closes_twice_and_before_it_was_opened"),
        ("counts from one", "test_7a_what_is_counted_has_its_names_from_the_start"),
    ],
)
def test_a_source_that_breaks_a_promise_fails_its_scenario(tmp_path: Path, fault: str, scenario: str) -> None:
    class OfBroken(SourceContract):
        def make_source(self, folder: Path) -> Source:
            return Broken(fault, folder)

    with pytest.raises((AssertionError, RuntimeError)):
        getattr(OfBroken(), scenario)(tmp_path)
