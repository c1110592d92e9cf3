"""Fuzzing of feeds: whatever a document is, reading it takes time in proportion to its length, bounded memory, and an
answer; and the process that asked goes on meanwhile.
"""

import asyncio
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.sources.formats.json_fields import MalformedLine
from ingest.sources.rss.document import Document, from_lines, to_lines
from ingest.sources.rss.entry import entry_post
from ingest.sources.rss.identity import native_ids, shared_names
from ingest.sources.rss.reader import UnreadableFeed, read_feed
from ingest.sources.rss.reading import FeedReaders, NotRead
from ingest.sources.rss.timestamps.dates import read_date
from ingest.sources.rss.timestamps.entry_timestamps import timestamps_of

ADDRESS = "https://news.example/feed"
NOW = datetime(2024, 5, 2, tzinfo=UTC)
LENGTH = 200_000
LARGEST = 5 * 1024 * 1024
# Four times the length may take this many times as long; what is quadratic takes sixteen times.
FACTOR = 9
LOOP_SECONDS = 0.25

# fmt: off
PATTERNS = (
    "<", ">", "&", "'", '"', "<a>", "</a>", "<a/>", "<a></b>", "<a ", "<a b='", '<a b="', "<a b=c ", "a='b' ", "<!--",
    "-->", "<![CDATA[", "]]>", "<?", "<!", "<!DOCTYPE ", "<!DOCTYPE [", "<!ENTITY a '", "&a;", "&amp;", "&amp;amp;",
    "&#", "&#1", "&#x", "<item>", "</item>", "<item/>", "<item><guid>1</guid></item>", "<item><title>x</title></item>",
    "<title>", "<link href='a'/>", "<link>a</link>", "<author>a.a@", "a.", "a.a@b ", "<author><name>",
    "<pubDate>2 mai 2024</pubDate>", "1:", "2024-", "<media:group>", "<media:content url='a'/>",
    "<media:content url='a' width='1' medium='image'/>", "<media:thumbnail url='a'/>", "<media:description>",
    "<enclosure url='a.jpg'/>", "<content type='xhtml'><div>", "<description>&lt;p&gt;", "&lt;img src=a&gt;",
    "&lt;a href='", "a:b:c:", "<a xmlns:b='c'>", "<b:a>", " ", "\t", "\n", "\r", "\0", "\x0b", "\u0301", "\ufdfa", "😀",
    "\ud800", "<feed><entry>", "<rss>",
)
WRAPPINGS = (
    "{}", "<rss><channel>{}</channel></rss>", "<rss><channel><item><title>{}</title></item></channel></rss>",
    "<rss><channel><item><description>{}</description></item></channel></rss>", "<rss {}><channel/></rss>",
    "<rss><channel><item><author>{}</author><pubDate>{}</pubDate><guid>{}</guid><link>{}</link></item></channel></rss>",
    "<feed xmlns='http://www.w3.org/2005/Atom'><entry><content type='xhtml'>{}</content></entry></feed>",
    "<!DOCTYPE rss [{}]><rss><channel><item><title>&a;</title></item></channel></rss>",
)
# fmt: on


def document_of(wrapping: str, pattern: str, length: int) -> bytes:
    places = wrapping.count("{}")
    repeated = pattern * (length // len(pattern) // places)
    return wrapping.replace("{}", repeated).encode(errors="surrogatepass")


def read(body: bytes) -> Document | None:
    """The document, as far as everything that is done with it, and back."""
    try:
        document = read_feed(body, "")
    except UnreadableFeed:
        return None
    assert from_lines(to_lines(document)) == document
    identifiers = native_ids(document, ADDRESS, shared_names(document, ADDRESS, lambda _: False))
    for entry, identifier, moment in zip(
        document.entries, identifiers, timestamps_of(document, NOW, False), strict=True
    ):
        try:
            entry_post(entry, document, ADDRESS, identifier, moment)
        except MalformedLine:
            continue
    return document


def seconds_for(body: bytes) -> float:
    began = time.process_time()
    read(body)
    return time.process_time() - began


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_time_is_in_proportion_to_length(wrapping: str, pattern: str) -> None:
    long = seconds_for(document_of(wrapping, pattern, LENGTH))
    if long > 0.5:
        assert long < FACTOR * max(seconds_for(document_of(wrapping, pattern, LENGTH // 4)), 0.05)


_parts = st.sampled_from(PATTERNS) | st.text(max_size=4)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(WRAPPINGS), st.lists(_parts, max_size=30), st.binary(max_size=4))
def test_any_mixture_is_read_or_refused(wrapping: str, parts: list[str], end: bytes) -> None:
    read(wrapping.replace("{}", "".join(parts)).encode(errors="surrogatepass") + end)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200), st.text(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes, content_type: str) -> None:
    try:
        read_feed(b"<rss><channel><item><title>" + body, content_type)
        read_feed(body, content_type)
    except UnreadableFeed:
        pass


@settings(max_examples=600, deadline=None)
@given(
    st.text(max_size=120) | st.text(alphabet="0123456789:./- TZapmMay年月日,+", max_size=60),
    st.sampled_from(["", "en-US", "pl"]),
)
def test_any_date_is_read_or_none(said: str, language: str) -> None:
    read_date(said, language)


async def outcome(readers: FeedReaders, body: bytes) -> str | None:
    try:
        await readers.read(body, "", ADDRESS)
    except NotRead as refused:
        return refused.cause
    return "read"


@pytest.mark.parametrize("wrapping", WRAPPINGS[:2])
@pytest.mark.parametrize("pattern", ["<a>", "<item>", "<item><title>x</title></item>", "&a;", "<", "<a b='", "a.a@b "])
async def test_the_largest_document_is_answered_and_nothing_else_waits(wrapping: str, pattern: str) -> None:
    readers = FeedReaders()
    longest, stop = 0.0, False

    async def tick() -> None:
        nonlocal longest
        while not stop:
            began = time.process_time()
            await asyncio.sleep(0.002)
            longest = max(longest, time.process_time() - began)

    ticking = asyncio.create_task(tick())
    try:
        assert await outcome(readers, document_of(wrapping, pattern, LARGEST)) in ("read", "no_feed", "too_slow")
        healthy = await readers.read(b"<rss><channel><item><title>T</title></item></channel></rss>", "", ADDRESS)
        assert healthy.entries
    finally:
        stop = True
        await ticking
        await readers.close()
    assert longest < LOOP_SECONDS
