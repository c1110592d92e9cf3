"""The fields of a feed and its entries as they stand in the document, collected token by token. Pure.

Knows which elements of which dialect hold which field. Their meaning (dates, texts, images) is for the reader.
"""

from dataclasses import dataclass, field

from ingest.sources.rss.markup import ElementEnd, MarkupElement, tokens
from ingest.sources.rss.media import MAX_CONTENTS, EntryMedia
from ingest.sources.rss.passage import MAX_PASSAGE_LENGTH, Passage, as_html, read_passage
from tagstream.posts import MAX_TEXT_LENGTH, clean_text

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
_MOST_LEFT_OPEN = 8
_VOID = frozenset({"enclosure", "thumbnail", "link", "category", "image", "cloud", "player", "content", "br", "img"})
_FIELDS = _TEXTS | _NAMES
_WITHOUT_CHILDREN = frozenset(_NAMES) - {("", "author")} | {("", "title")}


@dataclass(slots=True)
class Raw:
    """The fields of a feed or an entry as they stand."""

    language: str = ""
    base: str = ""
    passages: dict[str, Passage] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    links: list[dict[str, str]] = field(default_factory=list)
    enclosures: list[dict[str, str]] = field(default_factory=list)
    shown: EntryMedia = field(default_factory=EntryMedia)


class FieldReader:
    """Walks the tokens of a document and keeps the fields of feeds and entries."""

    def __init__(self, document: str) -> None:
        self._document = document
        self.root = ""
        self.is_feed = False
        self._is_atom = False
        self.feed = Raw()
        self.entries: list[Raw] = []
        self.cut_off = 0
        self._open: list[MarkupElement] = []
        self._entry: Raw | None = None
        self._entry_depth = 0
        self._parts: list[str] | None = None
        self._captured = 0
        self._has_markup = False
        self._shown: list[tuple[int, EntryMedia]] = []

    def read(self) -> None:
        """Reads the whole document."""
        for token in tokens(self._document):
            if isinstance(token, str):
                if self._parts is not None:
                    self._parts.append(token)
            elif isinstance(token, MarkupElement):
                self._start(token)
            else:
                self._end(token)

    def _start(self, element: MarkupElement) -> None:
        self._open.append(element)
        self.root = self.root or element.name
        if self.root != "html" and element.name in _FEEDS:
            self.is_feed = True
            self._is_atom = self._is_atom or element.name == "feed"
        if self._parts is not None and not self._was_left_open(element):
            self._has_markup = True
            return
        if element.name in _ENTRIES and element.family in ("", self._family()) and self.is_feed:
            self._begin_entry(element)
            return
        self._attributes(element)
        if self._is_field(element):
            self._parts, self._captured, self._has_markup = [], len(self._open), False

    def _was_left_open(self, element: MarkupElement) -> bool:
        """Says whether the field that was begun should have ended before this element; its text so far is kept."""
        captured = self._open[self._captured - 1]
        ends = self._key(captured) in _WITHOUT_CHILDREN and (
            self._key(captured) not in _TEXTS or (self._key(element) in _FIELDS and element.family != "xhtml")
        )
        if ends and self._parts is not None:
            self._keep(captured, "".join(self._parts), None)
        if ends or (element.name in _ENTRIES and element.family == ""):
            self._parts = None
            return True
        return False

    def _family(self) -> str:
        """Returns the namespace of the feed's own elements, whatever address it is written with."""
        return self._open[0].family

    def _begin_entry(self, element: MarkupElement) -> None:
        self._entry = Raw(base=element.attributes.get("xml:base", ""))
        self._entry.language = element.attributes.get("xml:lang", "")
        about = element.attributes.get("rdf:about", "")
        if about:
            self._entry.names["about"] = about[:MAX_NAME_LENGTH]
        self._entry_depth = len(self._open)
        self._shown = [(self._entry_depth, self._entry.shown)]
        self.entries.append(self._entry)

    def _attributes(self, element: MarkupElement) -> None:
        """Keeps the fields that an element holds in its attributes."""
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

    def _media(self, element: MarkupElement) -> None:
        shown = self._shown[-1][1]
        if element.name in ("group", "content"):
            kept = shown.groups if element.name == "group" else shown.contents
            inner = EntryMedia(attributes=element.attributes)
            if len(kept) < MAX_CONTENTS:
                kept.append(inner)
            self._shown.append((len(self._open), inner))
        elif element.name == "thumbnail" and len(shown.thumbnails) < MAX_CONTENTS:
            shown.thumbnails.append(element.attributes)

    def _is_field(self, element: MarkupElement) -> bool:
        """Says whether the text of the element is a field of the feed, of an entry, or of its media."""
        if element.family == "media":
            return bool(self._shown) and element.name in ("title", "description", "text")
        parent = self._open[-2] if len(self._open) > 1 else None
        if parent is None:
            return False
        inside = self._is_in_entry() if self._entry is not None else parent.name in _FEEDS
        if element.name == "link" and "href" in element.attributes:
            return False
        if element.name in ("name", "email") and parent.name == "author":
            return self._entry is not None and len(self._open) == self._entry_depth + 2
        if element.name == "author" and self._is_atom and element.family == self._family():
            return False
        return inside and self._key(element) in _FIELDS

    def _is_in_entry(self) -> bool:
        """Says whether the element is a child of the entry.

        Elements without children that were left open in between do not count.
        """
        between = self._open[self._entry_depth : -1]
        return len(between) < _MOST_LEFT_OPEN and all(
            self._key(element) in _WITHOUT_CHILDREN or element.name in _VOID for element in between
        )

    def _key(self, element: MarkupElement) -> tuple[str, str]:
        return ("" if element.family == self._family() else element.family, element.name)

    def _end(self, end: ElementEnd) -> None:
        depth = len(self._open)
        element = self._open.pop()
        if self._parts is not None and depth == self._captured:
            text, self._parts = "".join(self._parts), None
            if not end.cut:
                markup = self._document[element.begin : end.offset] if self._has_markup else None
                self._keep(element, text, markup)
        if self._entry is not None and depth == self._entry_depth:
            self._entry = None
            self._shown = []
        elif self._entry is not None and end.cut and self.entries and self.entries[-1] is self._entry:
            # The document ends within the entry, which may lack its text or name, and comes whole with the next answer.
            self.entries.pop()
            self.cut_off += 1
        elif len(self._shown) > 1 and depth == self._shown[-1][0]:
            self._shown.pop()

    def _keep(self, element: MarkupElement, text: str, markup: str | None) -> None:
        raw = self._raw()
        if element.family == "media":
            self._keep_media(element, text, markup)
            return
        parent = self._open[-1]
        if element.name in ("name", "email") and parent.name == "author":
            raw.names.setdefault(element.name, line(text))
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

    def _keep_media(self, element: MarkupElement, text: str, markup: str | None) -> None:
        shown = self._shown[-1][1]
        passage_text = line(read_passage(_passage(element, text, markup)).text)
        if not getattr(shown, element.name):
            setattr(shown, element.name, passage_text[:MAX_TEXT_LENGTH])

    def _raw(self) -> Raw:
        return self.feed if self._entry is None else self._entry


def _passage(element: MarkupElement, text: str, markup: str | None) -> Passage:
    """Returns the passage in an element; markup that is not escaped is HTML, as people mean it."""
    kind = element.attributes.get("type", "").strip().lower()
    if markup is not None:
        return Passage(as_html(markup), is_html=True)
    if kind in ("html", "xhtml", "text/html", "application/xhtml+xml") or element.family in ("content", "xhtml"):
        return Passage(text, is_html=True)
    if "/" in kind and not kind.startswith("text/"):
        return Passage()  # an image, or anything else that is no text
    return Passage(text, is_html=False if kind == "text" else None)


def line(text: str) -> str:
    """Returns a text on one line, at most 1,000 characters."""
    return " ".join(clean_text(text[:MAX_PASSAGE_LENGTH]).split())[:1000]
