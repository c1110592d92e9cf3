"""The bytes of a feed, RSS 0.9 to 2.0 or Atom, well-formed or not, into a `Document`. Pure.

::

    bytes ─▶ text (encoding) ─▶ tokens (markup) ─▶ fields of each entry ─▶ the newest ─▶ as people read them (passage)

Takes the time and memory of a pass over the document; runs in a process of its own (document_process.py) all the same.
Of feeds with more than `MAX_ENTRIES` the newest are read.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ingest.sources.rss.dates import read_date
from ingest.sources.rss.document import Attachment, Document, Entry
from ingest.sources.rss.encoding import decoded
from ingest.sources.rss.markup import Element, End, cleaned, tokens
from ingest.sources.rss.media import MAX_CONTENTS, Shown, attachments_of
from ingest.sources.rss.passage import MAX_PASSAGE_LENGTH, Passage, as_html, read_passage
from tagstream.posts import MAX_TEXT_LENGTH, clean_text

MAX_ENTRIES = 1000
MAX_NAME_LENGTH = 4096
MAX_ENCLOSURES = 50

_FEEDS = frozenset({"rss", "feed", "rdf", "channel"})
_ENTRIES = frozenset({"item", "entry"})
_TEXTS = {
    ("", "title"): "title",
    ("dc", "title"): "title",
    ("", "description"): "summary",
    ("", "summary"): "summary",
    ("itunes", "summary"): "other",
    ("dc", "description"): "other",
    ("content", "encoded"): "content",
    ("", "content"): "content",
    ("xhtml", "body"): "content",
    ("xhtml", "div"): "content",
}
_NAMES = {
    ("", "guid"): "id",
    ("", "id"): "id",
    ("", "link"): "link",
    ("", "author"): "author",
    ("dc", "creator"): "creator",
    ("itunes", "author"): "author",
    ("", "language"): "language",
    ("dc", "language"): "language",
    ("", "pubdate"): "published",
    ("", "published"): "published",
    ("", "issued"): "published",
    ("dc", "issued"): "published",
    ("", "created"): "created",
    ("dc", "created"): "created",
    ("", "updated"): "updated",
    ("", "modified"): "updated",
    ("dc", "modified"): "updated",
    ("dc", "date"): "updated",
    ("", "lastbuilddate"): "updated",
    ("", "ttl"): "ttl",
    ("sy", "updateperiod"): "updateperiod",
    ("sy", "updatefrequency"): "updatefrequency",
}
_TEXTS_OF_ENTRIES = ("title", "summary", "content", "other")
_FIELDS = _TEXTS | _NAMES
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-[A-Za-z]{2})?")
_PERIODS = {"hourly": 3600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}


class UnreadableFeed(Exception):
    """It is no feed; the message says what it is."""


@dataclass(slots=True)
class _Raw:
    """The fields of a feed or an entry as they stand."""

    language: str = ""
    base: str = ""
    passages: dict[str, Passage] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    links: list[dict[str, str]] = field(default_factory=list)
    enclosures: list[dict[str, str]] = field(default_factory=list)
    shown: Shown = field(default_factory=Shown)


def read_feed(body: bytes, content_type: str) -> Document:
    """The feed.

    Raises:
        UnreadableFeed: it is none.
    """
    reader = _Reader(cleaned(decoded(body, content_type)))
    reader.read()
    if not reader.is_feed:
        raise UnreadableFeed(_what_it_is(reader.root, body))
    feed, language = reader.feed, reader.feed.names.get("language") or reader.feed.language
    chosen = _newest(reader.entries, language)
    dates = (_date(feed, name, language) for name in ("published", "updated"))
    return Document(
        title=_line(read_passage(feed.passages.get("title", Passage())).text),
        language=language,
        every_seconds=_every_seconds(feed.names),
        published=next((date for date in dates if date is not None), None),
        left_out=reader.cut_off + len(reader.entries) - len(chosen),
        entries=tuple(_entry(raw, language) for raw in chosen),
    )


def _what_it_is(root: str, body: bytes) -> str:
    if root == "html":
        return "it is neither RSS nor Atom but a page of HTML"
    if root:
        return f"it is neither RSS nor Atom: its first element is {root[:40]!r}"
    return "it is empty" if not body.strip() else "it is no XML, and nothing else that could be read as a feed"


class _Reader:
    """Walks the tokens of a document and keeps what the fields of feeds and entries hold."""

    def __init__(self, document: str) -> None:
        self._document = document
        self.root = ""
        self.is_feed = False
        self._is_atom = False
        self.feed = _Raw()
        self.entries: list[_Raw] = []
        self.cut_off = 0
        self._open: list[Element] = []
        self._entry: _Raw | None = None
        self._entry_depth = 0
        self._parts: list[str] | None = None
        self._captured = 0
        self._has_markup = False
        self._shown: list[tuple[int, Shown]] = []

    def read(self) -> None:
        for token in tokens(self._document):
            if isinstance(token, str):
                if self._parts is not None:
                    self._parts.append(token)
            elif isinstance(token, Element):
                self._start(token)
            else:
                self._end(token)

    def _start(self, element: Element) -> None:
        self._open.append(element)
        self.root = self.root or element.name
        if self.root != "html" and element.name in _FEEDS:
            self.is_feed = True
            self._is_atom = self._is_atom or element.name == "feed"
        if self._parts is not None:
            # An entry begins anew even where the one before was never closed.
            if not (element.name in _ENTRIES and element.family == ""):
                self._has_markup = True
                return
            self._parts = None
        if element.name in _ENTRIES and element.family in ("", self._family()) and self.is_feed:
            self._begin_entry(element)
            return
        self._attributes(element)
        if self._is_field(element):
            self._parts, self._captured, self._has_markup = [], len(self._open), False

    def _family(self) -> str:
        """The namespace of the feed's own elements, whatever address it is written with."""
        return self._open[0].family

    def _begin_entry(self, element: Element) -> None:
        self._entry = _Raw(base=element.attributes.get("xml:base", ""))
        self._entry.language = element.attributes.get("xml:lang", "")
        about = element.attributes.get("rdf:about", "")
        if about:
            self._entry.names["about"] = about[:MAX_NAME_LENGTH]
        self._entry_depth = len(self._open)
        self._shown = [(self._entry_depth, self._entry.shown)]
        self.entries.append(self._entry)

    def _attributes(self, element: Element) -> None:
        """What an element says by its attributes."""
        raw = self._raw()
        attributes = element.attributes
        if element.family == "media" and self._shown:
            self._media(element)
        elif element.name == "link" and attributes.get("href"):
            links = raw.enclosures if attributes.get("rel") == "enclosure" else raw.links
            if len(links) < MAX_ENCLOSURES:
                links.append(attributes)
        elif element.name == "enclosure" and len(raw.enclosures) < MAX_ENCLOSURES:
            raw.enclosures.append(attributes)
        elif self._entry is None and element.name in _FEEDS:
            raw.language = raw.language or attributes.get("xml:lang", "")
            raw.base = raw.base or attributes.get("xml:base", "")
        if self._entry is not None and len(self._open) == self._entry_depth + 1 and "xml:lang" in attributes:
            raw.language = raw.language or attributes["xml:lang"]

    def _media(self, element: Element) -> None:
        shown = self._shown[-1][1]
        if element.name in ("group", "content"):
            kept = shown.groups if element.name == "group" else shown.contents
            inner = Shown(attributes=element.attributes)
            if len(kept) < MAX_CONTENTS:
                kept.append(inner)
            self._shown.append((len(self._open), inner))
        elif element.name == "thumbnail" and len(shown.thumbnails) < MAX_CONTENTS:
            shown.thumbnails.append(element.attributes)

    def _is_field(self, element: Element) -> bool:
        """Whether the text of the element is a field of the feed, an entry, or what it shows."""
        if element.family == "media":
            return bool(self._shown) and element.name in ("title", "description", "text")
        parent = self._open[-2] if len(self._open) > 1 else None
        if parent is None:
            return False
        inside = len(self._open) == self._entry_depth + 1 if self._entry is not None else parent.name in _FEEDS
        if element.name in ("name", "email") and parent.name == "author":
            return self._entry is not None and len(self._open) == self._entry_depth + 2
        if element.name == "author" and self._is_atom and element.family == self._family():
            return False
        return inside and self._key(element) in _FIELDS

    def _key(self, element: Element) -> tuple[str, str]:
        return ("" if element.family == self._family() else element.family, element.name)

    def _end(self, end: End) -> None:
        depth = len(self._open)
        element = self._open.pop()
        if self._parts is not None and depth == self._captured:
            text, self._parts = "".join(self._parts), None
            if not end.cut:
                markup = self._document[element.begin : end.place] if self._has_markup else None
                self._keep(element, text, markup)
        if self._entry is not None and depth == self._entry_depth:
            self._entry = None
            self._shown = []
        elif self._entry is not None and end.cut and self.entries and self.entries[-1] is self._entry:
            # The document ends within it: it may lack its text or its name, and comes whole with the next answer.
            self.entries.pop()
            self.cut_off += 1
        elif len(self._shown) > 1 and depth == self._shown[-1][0]:
            self._shown.pop()

    def _keep(self, element: Element, text: str, markup: str | None) -> None:
        raw = self._raw()
        if element.family == "media":
            self._keep_media(element, text, markup)
            return
        parent = self._open[-1]
        if element.name in ("name", "email") and parent.name == "author":
            raw.names.setdefault(element.name, _line(text))
            return
        key = self._key(element)
        if key in _TEXTS:
            passage = _passage(element, text, markup)
            if passage.text.strip() and not raw.passages.get(_TEXTS[key], Passage()).text:
                raw.passages[_TEXTS[key]] = passage
        elif text.strip():
            if element.name == "guid" and element.attributes.get("ispermalink", "").strip().lower() != "false":
                raw.names.setdefault("permalink", text.strip()[: MAX_NAME_LENGTH + 1])
            raw.names.setdefault(_NAMES[key], text.strip()[: MAX_NAME_LENGTH + 1])

    def _keep_media(self, element: Element, text: str, markup: str | None) -> None:
        shown = self._shown[-1][1]
        said = _line(read_passage(_passage(element, text, markup)).text)
        if not getattr(shown, element.name):
            setattr(shown, element.name, said[:MAX_TEXT_LENGTH])

    def _raw(self) -> _Raw:
        return self.feed if self._entry is None else self._entry


def _passage(element: Element, text: str, markup: str | None) -> Passage:
    """The passage that an element holds; markup that is not escaped is HTML, as people mean it."""
    kind = element.attributes.get("type", "").strip().lower()
    if markup is not None:
        return Passage(as_html(markup), is_html=True)
    if kind in ("html", "xhtml", "text/html", "application/xhtml+xml") or element.family in ("content", "xhtml"):
        return Passage(text, is_html=True)
    if "/" in kind and not kind.startswith("text/"):
        return Passage()  # a picture, or whatever else is not to be read
    return Passage(text, is_html=False if kind == "text" else None)


def _newest(entries: list[_Raw], language: str) -> list[_Raw]:
    """The newest of them in the order of the feed; one without a date is as old as the one before it."""
    if len(entries) <= MAX_ENTRIES:
        return entries
    placed: list[tuple[int, int]] = []
    last = 2**62
    for place, raw in enumerate(entries):
        dates = [
            date for name in ("published", "updated", "created") if (date := _date(raw, name, language)) is not None
        ]
        last = max(dates, default=last)
        placed.append((last, -place))
    kept = sorted(placed, reverse=True)[:MAX_ENTRIES]
    return [entries[place] for place in sorted(-place for _, place in kept)]


def _entry(raw: _Raw, feed_language: str) -> Entry:
    language = raw.names.get("language") or raw.language
    spoken = language or feed_language
    title, summary, content, other = (raw.passages.get(name, Passage()) for name in _TEXTS_OF_ENTRIES)
    published = _date(raw, "published", spoken)
    body = next((one for one in (summary, content, other) if one.text.strip()), content)
    read = read_passage(body)
    pictured = read.pictures if body is content else (*read.pictures, *read_passage(content).pictures)
    shown = raw.shown
    pictures = [Attachment(url=one.source, medium="image", alt=one.alt) for one in pictured[:MAX_ENCLOSURES]]
    return Entry(
        id=_name(raw.names.get("id") or ("" if _link(raw) else raw.names.get("about", ""))),
        link=_name(_link(raw)),
        base=raw.base[:MAX_NAME_LENGTH],
        title=(read_passage(title).text.strip() or _of_media(shown, "title"))[: MAX_TEXT_LENGTH + 1],
        text=(read.text.strip() or _of_media(shown, "description") or _of_media(shown, "text"))[: MAX_TEXT_LENGTH + 1],
        words=_digest([*(one.text.strip() for one in (title, summary, content)), str(published)]),
        author=_author(raw.names),
        language=language,
        published=published if published is not None else _date(raw, "created", spoken),
        updated=_date(raw, "updated", spoken),
        attachments=tuple(_bounded(one) for one in [*attachments_of(shown, raw.enclosures), *pictures]),
    )


def _of_media(shown: Shown, name: str) -> str:
    """What is said of the whole entry or, where nothing is, of a group in it; a transcript may be of one film."""
    parts = (shown, *shown.groups, *(shown.contents if name == "text" else ()))
    return next((said for one in parts if (said := getattr(one, name))), "")


def _bounded(attachment: Attachment) -> Attachment:
    fields = ("url", "type", "medium", "alt", "width", "height")
    limits = {"url": MAX_NAME_LENGTH + 1, "alt": 10_000}
    return Attachment(**{name: clean_text(getattr(attachment, name))[: limits.get(name, 100)] for name in fields})


def _link(raw: _Raw) -> str:
    """Where people read the entry."""
    said = raw.names.get("link", "")
    if said:
        return said
    pages = [link["href"].strip() for link in raw.links if link.get("rel", "alternate").lower() == "alternate"]
    permalink = raw.names.get("permalink", "")
    return next(iter(pages), permalink if permalink.startswith(("http://", "https://")) else "")


def _author(names: dict[str, str]) -> str:
    name, email = names.get("name", ""), names.get("email", "")
    if name or email:
        return _line(f"{name} ({email})" if name and email else name or email)
    return _line(names.get("creator") or names.get("author", ""))


def _name(text: str) -> str:
    return clean_text(text)[: MAX_NAME_LENGTH + 1]


def _line(text: str) -> str:
    return " ".join(clean_text(text[:MAX_PASSAGE_LENGTH]).split())[:1000]


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256(clean_text("\0".join(texts)).encode()).hexdigest()


def _date(raw: _Raw, name: str, language: str) -> int | None:
    said = raw.names.get(name, "")
    return read_date(said, language if _LANGUAGE.fullmatch(language) else "") if said else None


def _every_seconds(names: dict[str, str]) -> float | None:
    """What the feed says of its own pace: `ttl` in minutes, or so many times a period."""
    said = []
    ttl, period = names.get("ttl", ""), _PERIODS.get(names.get("updateperiod", "").lower())
    frequency = names.get("updatefrequency", "1")
    if ttl.isascii() and ttl.isdigit() and len(ttl) < 9:
        said.append(int(ttl) * 60.0)
    if period is not None and frequency.isascii() and frequency.isdigit() and int(frequency[:9]) > 0:
        said.append(period / int(frequency[:9]))
    return max(said, default=None)
