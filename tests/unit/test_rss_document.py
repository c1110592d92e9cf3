"""Feeds of every dialect, and what only looks like one or wants to cost us minutes."""

import time
from pathlib import Path

import pytest

import ingest.sources.rss.document as rss_document
from ingest.sources.rss.document import Attachment, Document, Passage, UnreadableFeed, read_document
from ingest.sources.rss.guard import MAX_ATTRIBUTES, MAX_DEPTH, MAX_ELEMENTS, MAX_ENTRIES

BEGIN = b"<?xml version='1.0'?><rss version='2.0' xmlns:media='http://search.yahoo.com/mrss/'><channel><title>A</title>"
END = b"</channel></rss>"
PUBLISHED = 1_709_546_400


async def read(body: bytes, content_type: str = "application/xml") -> Document:
    return await read_document(body, content_type, "https://news.example/feed")


RSS = (
    BEGIN
    + b"""<language>en</language><ttl>30</ttl><item><guid isPermaLink='false'>7</guid><link>/seven</link>
    <title>Rivers &amp; &lt;b&gt;seas&lt;/b&gt;</title><description>&lt;p&gt;Words&lt;/p&gt;</description>
    <author>ann@news.example (Ann)</author><pubDate>Mon, 04 Mar 2024 11:00:00 +0100</pubDate>
    <enclosure url='https://news.example/7.jpg' type='image/jpeg' length='1'/>
    <media:content url='https://news.example/8.png' medium='image' width='640'>
    <media:description type='plain'>A  flooded
    road</media:description></media:content></item>"""
    + END
)
ATOM = b"""<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="pt">
    <title>A</title><entry><id>urn:uuid:7</id><title type="html">Rios &amp;amp; mares</title><link href="https://news.example/seven"/>
    <updated>2024-03-04T12:00:00Z</updated><published>2024-03-04T10:00:00Z</published><author><name>Ana</name></author>
    <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Palavras</p></div></content></entry></feed>"""
RDF = b"""<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"><channel rdf:about="x"><title>A</title>
    <sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency></channel>
    <item rdf:about="https://news.example/7"><title>T</title><link>https://news.example/7</link>
    <dc:date>2024-03-04T10:00:00Z</dc:date></item></rdf:RDF>"""


async def test_rss() -> None:
    document = await read(RSS)
    (entry,) = document.entries
    assert (document.title, document.language, document.every_seconds) == ("A", "en", 1800.0)
    assert (entry.id, entry.link, entry.published, entry.updated) == (
        "7",
        "https://news.example/seven",
        PUBLISHED,
        None,
    )
    assert entry.summary == Passage("<p>Words</p>", is_html=True)
    assert entry.author
    assert entry.attachments == (
        Attachment("https://news.example/8.png", "", "image", "A flooded road", "640", ""),
        Attachment("https://news.example/7.jpg", "image/jpeg"),
    )
    assert not entry.content.text


async def test_atom() -> None:
    (entry,) = (await read(ATOM)).entries
    assert (entry.id, entry.title, entry.author) == ("urn:uuid:7", Passage("Rios &amp; mares", is_html=True), "Ana")
    assert (entry.published, entry.updated, entry.language) == (PUBLISHED, PUBLISHED + 7200, "pt")
    assert entry.content.is_html
    assert "Palavras" in entry.content.text


async def test_rdf() -> None:
    document = await read(RDF)
    assert document.every_seconds == 21_600.0
    assert [(entry.id or entry.link, entry.updated) for entry in document.entries] == [
        ("https://news.example/7", PUBLISHED)
    ]


async def test_a_description_of_all_pictures_is_that_of_each() -> None:
    media = b"<media:group><media:content url='a'/><media:content url='b'><media:title>B</media:title></media:content>"
    body = (
        BEGIN + b"<item><title>T</title>" + media + b"<media:description>Both</media:description></media:group></item>"
    )
    (entry,) = (await read(body + END)).entries
    assert [one.alt for one in entry.attachments] == ["Both", "Both"]
    assert not entry.summary.text


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "utf-16", "windows-1251"])
async def test_encodings(charset: str) -> None:
    word = "Москва" if charset == "windows-1251" else "Málaga"
    body = f"<?xml version='1.0' encoding='{charset}'?><rss version='2.0'><channel><item><title>{word}</title></item>"
    (entry,) = (await read(f"{body}</channel></rss>".encode(charset))).entries
    assert entry.title.text == word


async def test_what_is_not_well_formed_is_read_as_far_as_it_can_be() -> None:
    document = await read(BEGIN + b"<item><title>Tom & Jerry</title><guid>1</guid><item><title>Two<br></title>")
    assert [entry.title.text for entry in document.entries] == ["Tom & Jerry", "Two<br>"]


def entities(value: bytes, count: int = 1) -> bytes:
    declared = b"".join(b"<!ENTITY a%d '%s'>" % (number, value) for number in range(count))
    return (
        b"<?xml version='1.0'?><!DOCTYPE rss [" + declared + b"]><rss version='2.0'><channel><title>&a0;</title>" + END
    )


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "no XML"),
        (b"hello", "no XML"),
        (b"\x00\xff\xfe", "no XML"),
        (b"<html><body>Sign in</body></html>", "neither"),
        (b"<?xml version='1.0'?><nothing/>", "neither"),
        (BEGIN + b"<item/>" * (MAX_ENTRIES + 1) + END, "entries"),
        (BEGIN + b"<a/>" * MAX_ELEMENTS + END, "elements"),
        (BEGIN + b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH + END, "within each other"),
        (BEGIN + b"<a %s/>" % b" ".join(b"a%d='x'" % one for one in range(MAX_ATTRIBUTES + 1)) + END, "attributes"),
        (entities(b"&a1;", 2), "entities"),
        (entities(b"x" * 200), "entities"),
        (entities(b"x", 400), "entities"),
    ],
)
async def test_what_is_no_feed_or_too_much_is_refused(body: bytes, problem: str) -> None:
    with pytest.raises(UnreadableFeed, match=problem):
        await read(body)


async def test_a_file_or_an_address_is_never_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_bytes(RSS)
    for named in (str(secret).encode(), b"file://" + str(secret).encode(), b"http://127.0.0.1:1/"):
        with pytest.raises(UnreadableFeed):
            await read(named)
    external = b"<?xml version='1.0'?><!DOCTYPE rss [<!ENTITY a SYSTEM 'file://%s'>]><rss version='2.0'><channel>"
    document = await read(external % str(secret).encode() + b"<item><title>x&a;y</title></item>" + END)
    assert "Rivers" not in str(document)


async def test_what_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rss_document, "MALFORMED_SECONDS", 0.01)
    began = time.monotonic()
    with pytest.raises(UnreadableFeed, match="within"):
        await read(BEGIN + b"<" * 3_000_000)
    assert time.monotonic() - began < 10
