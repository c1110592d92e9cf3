"""Feeds of every dialect, however they are broken, and what only looks like one."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.sources.rss.document import Attachment, Document, from_lines, to_lines
from ingest.sources.rss.reader import MAX_ENTRIES, UnreadableFeed, read_feed

BEGIN = b"<?xml version='1.0'?><rss version='2.0' xmlns:media='http://search.yahoo.com/mrss/'><channel><title>A</title>"
END = b"</channel></rss>"
PUBLISHED = 1_709_546_400


def read(body: bytes, content_type: str = "application/xml") -> Document:
    return read_feed(body, content_type)


def item(inside: str) -> bytes:
    """A feed of one item."""
    return BEGIN + f"<item>{inside}</item>".encode() + END


def text(inside: str) -> str:
    (entry,) = read(item(f"<title>T</title><description>{inside}</description>")).entries
    return entry.text


def title(inside: str) -> str:
    (entry,) = read(item(f"<title>{inside}</title>")).entries
    return entry.title


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


def test_rss() -> None:
    document = read(RSS)
    (entry,) = document.entries
    assert (document.title, document.language, document.every_seconds) == ("A", "en", 1800.0)
    assert (entry.id, entry.link, entry.published, entry.updated) == ("7", "/seven", PUBLISHED, None)
    assert (entry.title, entry.text) == ("Rivers & seas", "Words")
    assert entry.author == "ann@news.example (Ann)"
    assert entry.attachments == (
        Attachment("https://news.example/8.png", "", "image", "A flooded road", "640", ""),
        Attachment("https://news.example/7.jpg", "image/jpeg"),
    )


def test_atom() -> None:
    (entry,) = read(ATOM).entries
    assert (entry.id, entry.title, entry.author) == ("urn:uuid:7", "Rios & mares", "Ana")
    assert (entry.published, entry.updated) == (PUBLISHED, PUBLISHED + 7200)
    assert (entry.text, entry.link, read(ATOM).language) == ("Palavras", "https://news.example/seven", "pt")


def test_a_title_may_hold_elements() -> None:
    title = b'<title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">Rios <b>&amp;</b> mares</div></title>'
    body = ATOM.replace(b'<title type="html">Rios &amp;amp; mares</title>', title)
    assert title in body
    assert read(body).entries[0].title == "Rios & mares"


def test_content_that_is_not_to_be_read_is_no_text() -> None:
    body = ATOM.replace(
        b'<content type="xhtml">', b'<content type="image/png">aGVsbG8=</content><content type="xhtml">'
    )
    assert read(body).entries[0].text == "Palavras"


def test_addresses_are_relative_to_the_base_of_the_feed_and_the_entry() -> None:
    feed = ATOM.replace(b"<feed ", b"<feed xml:base='https://base.example/a/' ").replace(
        b"<entry>", b"<entry xml:base='b/'>"
    )
    assert [read(one).entries[0].base for one in (ATOM, feed)] == ["", "https://base.example/a/b/"]


def test_rdf() -> None:
    document = read(RDF)
    assert document.every_seconds == 21_600.0
    assert [(entry.id or entry.link, entry.updated) for entry in document.entries] == [
        ("https://news.example/7", PUBLISHED)
    ]


def test_what_belongs_to_something_inside_an_entry_is_not_its_own() -> None:
    source = "<source><id>urn:2</id><title>Other</title><author><name>Bo</name></author></source>"
    body = ATOM.replace(b"<entry>", f"<entry>{source}".encode())
    assert read(body).entries == read(ATOM).entries
    image = b"<image><title>Logo</title><link>https://logo.example/</link></image>"
    assert read(BEGIN + image + RSS.removeprefix(BEGIN)) == read(RSS)


@pytest.mark.parametrize(
    "name", ["http://www.w3.org/2005/Atom", "https://www.w3.org/2005/Atom/", "http://purl.org/atom/ns#", "urn:mine"]
)
def test_a_namespace_counts_however_it_is_written(name: str) -> None:
    assert read(ATOM.replace(b"http://www.w3.org/2005/Atom", name.encode(), 1)).entries == read(ATOM).entries


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "utf-16", "windows-1251", "shift_jis", "iso-2022-jp"])
@pytest.mark.parametrize("says", ["document", "server"])
def test_encodings(charset: str, says: str) -> None:
    word = {"windows-1251": "Москва", "shift_jis": "東京", "iso-2022-jp": "東京"}.get(charset, "Málaga")
    said = f" encoding='{charset}'" if says == "document" else ""
    body = f"<?xml version='1.0'{said}?><rss version='2.0'><channel><item><title>{word}</title></item></channel></rss>"
    (entry,) = read(body.encode(charset), f"text/xml; charset={charset}" if says == "server" else "").entries
    assert entry.title == word


@pytest.mark.parametrize(
    ("said", "is_in"),
    [
        ("iso-8859-1", "utf-8"),
        ("utf-8", "windows-1252"),
        ("utf-16", "utf-8"),
        ("no-such", "utf-8"),
        ("utf-7", "utf-8"),
        ("idna", "utf-8"),
        ("iso-8859-1", "windows-1252"),
        ("utf-8", "utf-16-le"),
    ],
)
def test_an_encoding_that_is_not_the_one_that_is_named(said: str, is_in: str) -> None:
    body = f"<?xml version='1.0' encoding='{said}'?><rss><channel><item><title>“Málaga”</title></item></channel></rss>"
    assert read(body.encode(is_in)).entries[0].title == "“Málaga”"


def test_a_broken_byte_or_two_do_not_change_the_encoding() -> None:
    body = item(
        "<title>Málaga, Córdoba, Cádiz, León, Ávila, Jaén, Mérida, Cáceres, Gijón, Avilés, Alcalá, Móstoles</title>"
    )
    title = read(body.replace("Alcalá".encode(), b"Alcal\xe1")).entries[0].title
    assert "Málaga" in title
    assert "Alcal\ufffd" in title


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("R&D and Q&A at AT&T", "R&D and Q&A at AT&T"),
        ("Smith & Co", "Smith & Co"),
        ("R&amp;D", "R&D"),
        ("R&amp;amp;D", "R&D"),
        ("R&amp;amp;amp;D", "R&D"),
        ("It&amp;#8217;s", "It’s"),
        ("It&amp;amp;#8217;s", "It’s"),
        ("It&#146;s", "It’s"),
        ("Caf&eacute; &nbsp;x", "Café \xa0x"),
        ("&nosuch; x", "&nosuch; x"),
        ("&#0;&#xD800;&#x110000;&#99999999999999999999;", "\ufffd\ufffd\ufffd\ufffd"),
        ("1 &lt; 2", "1 < 2"),
        ("1 < 2", "1 < 2"),
        ("a\x0bb\x00c", "a bc"),
        ("<![CDATA[Tom & <b>Jerry</b>]]>", "Tom & Jerry"),
        ("Two<br>", "Two"),
        ("Use of &lt;b&gt;", "Use of <b>"),
    ],
)
def test_what_is_escaped_too_little_or_too_often(written: str, meant: str) -> None:
    assert title(written) == meant
    assert text(written) == meant


@pytest.mark.parametrize(
    "broken",
    [
        b"\xef\xbb\xbf \n" + RSS,
        b"<br />\n<b>Warning</b>: Undefined variable\n" + RSS,
        RSS.replace(b" xmlns:media='http://search.yahoo.com/mrss/'", b""),
        RSS.replace(b"http://search.yahoo.com/mrss/", b"https://search.yahoo.com/mrss"),
        RSS.removesuffix(END),
        RSS.replace(b"</item>", b"<odd:thing>x</item>"),
        RSS.replace(b"</item>", b"<dc:creator></dc:creator></wrong></item>"),
        RSS.replace(b"<item>", b"<item odd='1 < 2'>"),
        RSS.replace(b"<rss ", b"<RSS ").replace(b"</rss>", b"</RSS>"),
        RSS.replace(b"</channel>", b"&#x1; & </channel>"),
        RSS.replace(b"<item>", b"<it\x08em>").replace(b"</title><desc", b"<\x01/title><desc"),
        RSS + b"<!-- cached -->\n</html>",
    ],
)
def test_what_is_no_xml_is_read_as_if_it_were(broken: bytes) -> None:
    assert read(broken).entries == read(RSS).entries


@pytest.mark.parametrize(
    "left_open", ["guid", "link", "title", "pubDate", "enclosure", "media:content", "media:thumbnail"]
)
def test_what_is_never_closed_takes_nothing_else_with_it(left_open: str) -> None:
    fields = (
        "<guid>7</guid><link>https://news.example/7</link><enclosure url='a.jpg'></enclosure>"
        "<media:content url='b.jpg'></media:content><media:thumbnail url='c.jpg'></media:thumbnail>"
        "<pubDate>2 May 2024</pubDate><title>T</title><description>D</description>"
    )
    (entry,) = read(item(fields.replace(f"</{left_open}>", ""))).entries
    assert entry == read(item(fields)).entries[0]


def test_an_entry_that_the_end_of_the_document_cuts_off_is_left_for_later() -> None:
    whole = BEGIN + b"<item><title>One</title><guid>1</guid></item><item><title>Two</title><guid>2</guid></item>"
    for cut in range(whole.index(b"Two"), len(whole) - len(b"</item>") + 1):
        document = read(whole[:cut])
        assert [entry.title for entry in document.entries] in (["One"], ["One", "Two"])
        assert len(document.entries) + document.left_out == 2
    assert len(read(whole + END).entries) == 2


def test_items_that_are_never_closed_are_each_an_entry() -> None:
    document = read(BEGIN + b"<item><title>Tom & Jerry</title><guid>1</guid><item><title>Two<br></title>")
    assert [entry.title for entry in document.entries] == ["Tom & Jerry", "Two"]


def test_of_a_large_feed_the_newest_are_read() -> None:
    days = [
        f"<item><guid>{day}</guid><title>{day}</title><pubDate>{1_700_000_000 + day}</pubDate></item>"
        for day in range(1500)
    ]
    document = read(BEGIN + "".join(days).encode() + END)
    assert [entry.id for entry in document.entries] == [str(day) for day in range(500, 1500)]
    assert document.left_out == 500
    undated = "".join(f"<item><guid>{number}</guid></item>" for number in range(MAX_ENTRIES + 1))
    document = read(BEGIN + undated.encode() + END)
    assert [entry.id for entry in document.entries] == [str(number) for number in range(MAX_ENTRIES)]
    assert document.left_out == 1


def test_entries_of_hundreds_of_elements_are_read() -> None:
    paragraphs = "".join(f"<p>{number}</p>" for number in range(260))
    body = "".join(
        f"<item><guid>{number}</guid><description>{paragraphs}</description></item>" for number in range(200)
    )
    document = read(BEGIN + body.encode() + END)
    assert len(document.entries) == 200
    assert document.entries[-1].text.endswith("\n\n259")


def entities(value: bytes, count: int = 1) -> bytes:
    declared = b"".join(b"<!ENTITY a%d '%s'>" % (number, value) for number in range(count))
    return (
        b"<?xml version='1.0'?><!DOCTYPE rss ["
        + declared
        + b"]><rss version='2.0'><channel><item><title>&a0;</title></item>"
        + END
    )


@pytest.mark.parametrize(("value", "title"), [(b"Oslo", "Oslo"), (b"&a1;", "&a0;"), (b"x" * 101, "&a0;")])
def test_only_short_entities_without_others_in_them_are_declared(value: bytes, title: str) -> None:
    assert read(entities(value, 2)).entries[0].title == title


def test_a_document_names_nothing_outside_itself(tmp_path: Path) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_bytes(RSS)
    external = b"<?xml version='1.0'?><!DOCTYPE rss [<!ENTITY a SYSTEM 'file://%s'>]><rss version='2.0'><channel>"
    document = read(external % str(secret).encode() + b"<item><title>x&a;y</title></item>" + END)
    assert document.entries[0].title == "x&a;y"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"hello", "no XML"),
        (b"\x00\xff\xfe", "no XML"),
        (b'{"items": []}', "no XML"),
        (b"<html><body>Sign in</body></html>", "page of HTML"),
        (b"<!DOCTYPE html><html><channel></channel></html>", "page of HTML"),
        (b"<?xml version='1.0'?><nothing/>", "nothing"),
    ],
)
def test_what_is_no_feed_is_refused(body: bytes, problem: str) -> None:
    with pytest.raises(UnreadableFeed, match=problem):
        read(body)


@pytest.mark.parametrize(
    "hostile",
    [
        b"<author>" + b"a." * 20_000 + b"@b</author>",
        b"<a>" * 20_000,
        b"<pubDate>" + b"1:" * 20_000 + b"</pubDate>",
        b"<title>" + b"&#" * 20_000 + b"</title>",
        b"<title " + b"a='b' " * 20_000 + b"/>",
        b"<!--" * 20_000,
    ],
)
def test_no_text_of_an_entry_costs_more_than_its_length(hostile: bytes) -> None:
    began = time.process_time()
    read(BEGIN + b"<item><guid>1</guid>" + hostile + b"</item>" + END)
    assert time.process_time() - began < 5


PIECES = (
    "<item> </item> <title> </title> <media:group> <media:content|url='a'|width='9' > /> <![CDATA[ ]]> <!-- --> &amp; "
    "&# <? <!DOCTYPE|[ ]> <author><name> <link|href=' <pubDate> 2024 |mai|3 <content|type='xhtml'> < ' \xff \0 x é"
)
_pieces = st.sampled_from(PIECES.split(" ")).map(lambda piece: piece.replace("|", " ").encode("latin-1"))


@settings(max_examples=200, deadline=None)
@given(st.lists(_pieces, max_size=40), st.booleans())
def test_no_document_breaks_the_reader(pieces: list[bytes], begun: bool) -> None:
    try:
        document = read((BEGIN if begun else b"") + b"".join(pieces))
    except UnreadableFeed:
        return
    assert from_lines(to_lines(document)) == document


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b"{}"],
        [b'{"document": {}, "entries": 1}'],
        [b'{"document": {}, "entries": 1}', b'{"published": 99999999999999}'],
        [b'{"document": {}, "entries": 1}', b'{"title": 5}'],
        [b"[" * 10_000],
    ],
)
def test_what_the_reading_process_says_is_checked(lines: list[bytes]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  of whatever kind
        from_lines(lines)
