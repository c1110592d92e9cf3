"""Feeds read in the sandbox itself: what it gives, and what it does to whoever costs too much."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from ingest.sandbox.sandbox import Sandbox
from ingest.sources.rss import document_process, reading
from ingest.sources.rss.document_process import handle
from ingest.sources.rss.reader import read_feed
from ingest.sources.rss.reading import READING_LIMITS, FeedReaders, NotRead

ADDRESS = "https://news.example/feed"
FEED = (
    "<?xml version='1.0' encoding='{}'?><rss version='2.0'><channel><title>Ñews</title><language>English</language>"
    "<item><title>R&D in “Málaga”</title><guid>101</guid><author>a.a@b.example (Ann)</author>"
    "<description>&lt;p&gt;Word&amp;nbsp;s&lt;/p&gt;&lt;img src='a.png'&gt;</description>"
    "<pubDate>Thu, 02 May 2024 14:30:00 CEST</pubDate></item></channel></rss>"
)


@pytest.fixture
async def readers() -> AsyncIterator[FeedReaders]:
    readers = FeedReaders()
    yield readers
    await readers.close()


async def test_it_reads_in_there_what_it_reads_here(readers: FeedReaders) -> None:
    # Encodings are modules, which can no longer be imported once the process is locked down.
    for encoding in ("utf-8", "utf-16", "windows-1252", "mac-roman", "gb18030", "no-such"):
        body = FEED.format(encoding).encode("cp1252" if encoding == "no-such" else encoding)
        document = await readers.read(body, "text/xml", ADDRESS)
        assert document == replace(read_feed(body, "text/xml"), address=ADDRESS)
        assert document.entries[0].title == "R&D in “Málaga”"
        assert document.entries[0].published == 1_714_653_000


async def test_what_is_no_feed_is_said(readers: FeedReaders) -> None:
    with pytest.raises(NotRead, match="page of HTML") as refused:
        await readers.read(b"<html>", "text/html; charset=\udcff\n", ADDRESS)
    assert refused.value.cause == "no_feed"


@pytest.mark.parametrize(
    ("limits", "costs"),
    [
        (replace(READING_LIMITS, processor_seconds=0.2), "processor time"),
        (replace(READING_LIMITS, memory_bytes=300 * 1024 * 1024), "memory"),
    ],
)
async def test_what_costs_too_much_is_too_slow_and_the_next_is_read(limits: reading.SandboxLimits, costs: str) -> None:
    readers = FeedReaders(limits)
    try:
        with pytest.raises(NotRead, match=costs) as refused:
            await readers.read(b"<rss>" + b"<item>" * 800_000, "", ADDRESS)
        assert refused.value.cause == "too_slow"
        assert (await readers.read(FEED.format("utf-8").encode(), "", ADDRESS)).entries
    finally:
        await readers.close()


async def test_what_the_process_may_not_have_said_is_refused(
    readers: FeedReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = b""

    async def ask(_: Sandbox, __: bytes) -> bytes:
        return said

    monkeypatch.setattr(Sandbox, "ask", ask)
    for answer in (b"", b"feed\n", b"feed\n{}", b'feed\n{"document":{},"entries":9}\n', b"other"):
        said = answer
        with pytest.raises(NotRead, match="would not") as refused:
            await readers.read(b"", "", ADDRESS)
        assert refused.value.cause == "no_feed"


async def test_a_process_that_cannot_be_had_is_no_fault_of_the_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_process, "__name__", "no.such.module")
    readers = FeedReaders()
    with pytest.raises(NotRead) as refused:
        await readers.read(FEED.format("utf-8").encode(), "", ADDRESS)
    assert refused.value.cause is None
    await readers.close()


def test_the_process_needs_no_more_than_bytes() -> None:
    assert handle(b"\n").startswith(document_process.NONE)
    assert handle(b"no newline").startswith(document_process.NONE)
    assert handle(b"\xff\n" + FEED.format("utf-8").encode()).startswith(document_process.FEED)
