"""Entries of feeds into posts, and what is remembered of them."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.formats.json_fields import LineFault, MalformedLine
from ingest.sources.open import open_source
from ingest.sources.rss.document import Attachment, Document, FeedEntry
from ingest.sources.rss.entry import entry_post
from ingest.sources.rss.feeds import MAX_FEEDS, parse_feeds, source_of
from ingest.sources.rss.identity import native_ids, revision_of
from ingest.sources.rss.source import Polling
from ingest.sources.rss.state import REMEMBERED_ENTRIES, FeedMemory, from_cursor, mark, to_cursor
from ingest.sources.rss.timestamps.entry_timestamps import timestamps_of
from tagstream.errors import BadSettings, CorruptState, UnreadableInput
from tagstream.posts import Author, Media, Post
from tagstream.settings import Settings

FEED = "https://news.example/feed"
NOW = datetime(2024, 3, 5, tzinfo=UTC)
PUBLISHED = 1_709_546_400
ENTRY = FeedEntry(
    id="https://news.example/7",
    link="https://news.example/seven",
    title="Floods in Porto",
    text="Rain in #Porto & Braga",
    author="Ann",
    language="en-gb",
    published=PUBLISHED,
    attachments=(Attachment(url="/a.png", medium="image", alt="A wet street"),),
)
DOCUMENT = Document(title="The News", language="pt")


def post(entry: FeedEntry = ENTRY, document: Document = DOCUMENT) -> Post:
    return entry_post(entry, document, FEED, entry.id, PUBLISHED * 1000)


def test_an_entry_becomes_a_post() -> None:
    read = post()
    assert read.text == "Floods in Porto\n\nRain in #Porto & Braga"
    assert read.id == "rss:news.example:https://news.example/7"
    assert read.author == Author(id="Ann", handle="Ann")
    assert read.created_at == datetime(2024, 3, 4, 10, tzinfo=UTC)
    assert (read.lang, read.url, read.revision, read.position) == ("en-GB", "https://news.example/seven", 0, 0)
    assert read.media == (Media(url="https://news.example/a.png", alt="A wet street"),)
    assert [read.text[one.start : one.end] for one in read.hashtags] == ["#Porto"]


@pytest.mark.parametrize(
    ("title", "summary", "text"),
    [
        ("One", "One and more", "One and more"),
        ("One…", "One and more", "One and more"),
        ("", "Words", "Words"),
        ("Title", "", "Title"),
        ("…", "Words", "…\n\nWords"),
        ("1 < 2 & <b>", "", "1 < 2 & <b>"),
        ("a\0\ud800", "", "a\ufffd\ufffd"),
    ],
)
def test_title_and_summary(title: str, summary: str, text: str) -> None:
    assert post(replace(ENTRY, title=title, text=summary)).text == text


@pytest.mark.parametrize(
    ("published", "updated", "revision"),
    [
        (PUBLISHED, None, 0),
        (PUBLISHED, PUBLISHED, 0),
        (PUBLISHED, PUBLISHED - 1, 0),
        (PUBLISHED, PUBLISHED + 1, (PUBLISHED + 1) * 1_000_000),
        (None, PUBLISHED, PUBLISHED * 1_000_000),
        (PUBLISHED, 2**37, 2**37 * 1_000_000 if 2**37 * 1_000_000 < 2**51 else 0),
        (None, -5, 0),
    ],
)
def test_the_revision_is_when_it_was_updated_and_only_that(
    published: int | None, updated: int | None, revision: int
) -> None:
    entry = replace(ENTRY, published=published, updated=updated)
    assert revision_of(entry) == post(entry).revision == revision


@pytest.mark.parametrize(
    ("entry", "feed", "lang"),
    [("English", "", "en"), ("", "de_DE", "de-DE"), ("nonsense", "pt", "und"), ("", "", None), ("fr", "en", "fr")],
)
def test_the_language_is_what_the_entry_or_else_the_feed_means(entry: str, feed: str, lang: str | None) -> None:
    assert post(replace(ENTRY, language=entry), Document(language=feed)).lang == lang


def test_a_feed_without_authors_is_one_author() -> None:
    read = post(replace(ENTRY, author=" "))
    assert read.author == Author(id=FEED, handle="The News")
    long = post(replace(ENTRY, author="é" * 300)).author
    assert long is not None
    assert long.id.startswith("sha256-")


def test_pictures_are_gathered_once_with_whatever_says_what_they_show() -> None:
    attachments = (
        Attachment("https://news.example/a.png", "image/png", width="640", height="x"),
        Attachment("b.mp4", "video/mp4", alt="A film"),
        Attachment("c.mp3", "audio/mpeg"),
        Attachment("javascript:alert(1)", "image/png"),
        Attachment("d.jpg?x=1"),
        Attachment("e.pdf"),
        Attachment("http://[", "image/png", alt="Only words"),
    )
    entry = replace(ENTRY, attachments=attachments + ENTRY.attachments)
    assert post(replace(entry, link="https://page.example/x")).media[1].url == "https://page.example/b.mp4"
    assert post(entry).media == (
        Media(url="https://news.example/a.png", alt="A wet street", width=640),
        Media(kind="video", url="https://news.example/b.mp4", alt="A film"),
        Media(url="https://news.example/d.jpg?x=1"),
        Media(alt="Only words"),
    )


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (FeedEntry(id="1"), LineFault.MISSING_FIELD),
        (replace(ENTRY, title="x" * 100_001), LineFault.TEXT_TOO_LONG),
        (replace(ENTRY, text="x" * 99_990), LineFault.TEXT_TOO_LONG),
    ],
)
def test_what_is_no_post_is_refused(entry: FeedEntry, fault: LineFault) -> None:
    with pytest.raises(MalformedLine) as refused:
        post(entry)
    assert refused.value.fault is fault


_hostile = st.text(max_size=12) | st.sampled_from(["http://[", "//x", "\0", "\ud800", "<a href='", "x" * 5000])


@given(
    st.builds(
        FeedEntry,
        id=_hostile,
        link=_hostile,
        base=_hostile,
        title=_hostile,
        text=_hostile,
        author=_hostile,
        language=_hostile,
        published=st.none() | st.integers(-2_300_000_000, 253_370_764_799),
        updated=st.none() | st.integers(-2_300_000_000, 253_370_764_799),
        attachments=st.tuples(st.builds(Attachment, _hostile, _hostile, _hostile, _hostile, _hostile, _hostile)),
    )
)
def test_no_entry_breaks_the_reader(entry: FeedEntry) -> None:
    document = Document(entries=(entry,))
    (identifier,), (moment,) = native_ids(document, FEED, ()), timestamps_of(document, NOW, read_before=False)
    try:
        read = entry_post(entry, document, FEED, identifier, moment)
    except MalformedLine:
        return
    read.model_dump_json()


def test_what_was_read_is_remembered_and_bounded() -> None:
    memory = FeedMemory().after(('"e"', None), ["a" * 8, "b" * 8])
    assert from_cursor(to_cursor({FEED: memory})) == {FEED: memory}
    later = memory.after((None, "Mon"), ["c" * 8])
    assert later == FeedMemory((None, "Mon"), ("c" * 8, "a" * 8, "b" * 8))
    many = memory.after((None, None), [mark(str(number), 0) for number in range(2 * REMEMBERED_ENTRIES)])
    assert len(many.marks) == REMEMBERED_ENTRIES
    assert mark("1", 0) != mark("1", 1)
    named = memory.after((None, None), [], [mark("https://news.example/live", 0)])
    assert from_cursor(to_cursor({FEED: named})) == {FEED: named}
    assert named.after((None, None), []).repeated == named.repeated


@pytest.mark.parametrize(
    "cursor", ["", "7", "{}", '{"version": 2, "feeds": {}}', '{"version": 1, "feeds": {"a": ["x"]}}', "[" * 9999]
)
def test_a_cursor_that_is_none_of_ours_is_refused(cursor: str) -> None:
    with pytest.raises(CorruptState):
        from_cursor(cursor)


def test_how_often_a_feed_is_asked() -> None:
    polling = Polling(every_seconds=300, longest_seconds=3600, longest_failing_seconds=7200, chance=lambda: 0.0)
    assert [polling.delay(hint) for hint in (None, 10, 600, 1e9)] == [300, 300, 600, 3600]
    assert [polling.delay_after_failure(failures, None) for failures in (1, 2, 3, 10**6)] == [300, 600, 1200, 7200]
    assert polling.delay_after_failure(1, 900) == 900
    assert replace(polling, chance=lambda: 1.0).delay(None) == pytest.approx(330)


def test_feeds_are_named(tmp_path: Path) -> None:
    assert parse_feeds("HTTPS://News.Example/Feed#x").addresses == ("https://news.example/Feed",)
    both = parse_feeds("https://a.example/f, http://10.0.0.1:8080/f?x=1,https://a.example/f")
    assert both.addresses == ("https://a.example/f", "http://10.0.0.1:8080/f?x=1")
    assert both.name == parse_feeds("http://10.0.0.1:8080/f?x=1,https://a.example/f").name
    listed = tmp_path / "feeds.txt"
    listed.write_text("\ufeffhttps://a.example/f,g\n\n# a remark\n  https://b.example/\n")
    named = parse_feeds(f"@{listed}")
    assert named.addresses == ("https://a.example/f,g", "https://b.example/")
    assert named.name == f"rss:@{listed}"
    assert open_source("rss:https://a.example/f", Settings()).name == "rss:https://a.example/f"


def test_the_source_is_that_of_the_host() -> None:
    assert source_of("https://news.example/a") == "rss:news.example"
    assert source_of("http://127.0.0.1:80/a") == "rss:127.0.0.1-80"
    assert post(replace(ENTRY)).source == "rss:news.example"


@pytest.mark.parametrize(
    "argument",
    [
        "",
        ",",
        "news.example/feed",
        "file:///etc/passwd",
        "https://user:password@news.example/",
        "https://",
        "https://[",
        "https://news.example:port/",
        "https://news.example/a b",
        "https://news_example/",
        "https://news.example/" + "x" * 3000,
        ",".join(f"https://news.example/{number}" for number in range(MAX_FEEDS + 1)),
    ],
)
def test_what_names_no_feed_is_refused(argument: str) -> None:
    with pytest.raises(BadSettings) as refused:
        parse_feeds(argument)
    assert "user:password" not in str(refused.value)


def test_a_list_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    for name in ("missing", "binary", "."):
        with pytest.raises(UnreadableInput):
            parse_feeds(f"@{tmp_path / name}")
