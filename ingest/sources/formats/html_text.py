"""The text that people see of a piece of HTML, with the offsets of its links and its images. Pure.

Paragraphs are separated by a blank line, `<br>` is a newline, other white space is one space, except in `<pre>`.
Content that nobody reads as text (scripts, styles, comments) is left out, and so is content marked `invisible`, except
within a link: there servers mark the parts of an address that they shorten, and people search for the whole address.

Hostile input never raises and takes time linear in its length. The standard library's parser alone promises neither:
each tag that never ends makes it look through everything that follows. So this file finds where a tag begins and ends,
and gives the parser one tag at a time, up to `MAX_TAG_LENGTH`; a longer tag (an image within an address) says nothing.
What is no tag is text; nothing is repaired.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from tagstream.posts import clean_text
from tagstream.text.safe_text import unescape, with_short_references

MAX_TAG_LENGTH = 8192


def _named(elements: str) -> frozenset[str]:
    return frozenset(elements.split())


_SPACES = " \t\n\r\f"
_PARAGRAPHS = _named("p blockquote pre ul ol dl table h1 h2 h3 h4 h5 h6 figure hr")
_LINES = _named("div li dt dd tr section article header footer aside figcaption address main nav")
_ENDS_NAME = frozenset([*_SPACES, "/", ">"])
_VOID = _named("area base br col embed hr img input link meta param source track wbr")
_UNREAD = _named("script style template iframe noembed noframes object svg title")
_PARAGRAPH_BREAK, _LINE_BREAK = 2, 1


@dataclass(frozen=True, slots=True)
class HtmlLink:
    """A link whose text is `text[start:end]`; `classes` are those of its element."""

    start: int
    end: int
    href: str
    classes: tuple[str, ...]
    rel: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HtmlImage:
    """An image of the text, with its author's description ("" where there is none)."""

    source: str
    alt: str


@dataclass(frozen=True, slots=True)
class HtmlText:
    """The text of a piece of HTML. Offsets count its code points; links and images are in order."""

    text: str
    links: tuple[HtmlLink, ...] = ()
    pictures: tuple[HtmlImage, ...] = ()


def html_to_text(source: str, *, left_out: frozenset[str] = frozenset()) -> HtmlText:
    """Returns the text of `source` without elements that have a class of `left_out`. Never raises."""
    source = clean_text(source).replace("\0", "\ufffd")
    writer = _TextWriter(left_out)
    last_comment = source.rfind("-->")
    offset = 0
    while offset < len(source):
        start = source.find("<", offset)
        if start < 0:
            writer.data(unescape(source[offset:]))
            break
        writer.data(unescape(source[offset:start]))
        end = _end_of_markup(source, start, last_comment)
        if end is None:
            writer.data("<")
            offset = start + 1
            continue
        name = writer.markup(source[start:end])
        offset = end if name is None else _after_element(source, end, name)
    return writer.finish()


def _end_of_markup(source: str, start: int, last_comment: int) -> int | None:
    """Returns the end of the tag, comment or declaration that begins at `start`; None if there is none.

    `last_comment` is the end of the last comment of all, so that none is looked for in vain again and again.
    """
    following = source[start + 1 : start + 3]
    if source.startswith("<!--", start):
        return source.find("-->", start + 2) + 3 if start + 2 <= last_comment else None
    if following[:1] in ("!", "?"):
        end = source.find(">", start, start + MAX_TAG_LENGTH)
        return None if end < 0 else end + 1
    letter = following.removeprefix("/")[:1]
    return _end_of_tag(source, start) if letter.isascii() and letter.isalpha() else None


def _end_of_tag(source: str, start: int) -> int | None:
    # A `<` begins anew, within quotes too, so that no character is looked at twice, however many tags never end.
    following = source.find("<", start + 1)
    limit = following if following >= 0 else len(source)
    offset = start + 1
    while offset < limit:
        character = source[offset]
        if character == ">":
            return offset + 1
        if character in "\"'" and source[offset - 1] in "= \t\n\r\f":
            closing = source.find(character, offset + 1, limit)
            if closing < 0:
                return None
            offset = closing
        offset += 1
    return None


def _after_element(source: str, offset: int, name: str) -> int:
    """Returns the end of the content of an element without text; the end of the source where it is never closed."""
    while (offset := source.find("</", offset)) >= 0:
        after = offset + 2 + len(name)
        if source[offset + 2 : after].lower() == name and source[after : after + 1] in _ENDS_NAME:
            return offset
        offset += 2
    return len(source)


class _Tag(HTMLParser):
    """A parser of one tag at a time: its name, its attributes, and whether it begins or ends an element."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.name = ""
        self.begins = False
        self.attributes: dict[str, str] = {}

    def read(self, tag: str) -> bool:
        """Reads a tag; returns whether it was one."""
        self.reset()
        self.name = ""
        try:
            self.feed(with_short_references(tag))
        except (ValueError, AssertionError):  # a declaration that the parser cannot read
            return False
        return bool(self.name)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.name, self.begins = tag, True
        self.attributes = {name: value or "" for name, value in reversed(attrs)}

    def handle_endtag(self, tag: str) -> None:
        # An element that ends in its own tag (`<br/>`) calls both methods: its beginning counts.
        if not self.name:
            self.name, self.begins, self.attributes = tag, False, {}


@dataclass(slots=True)
class _OpenElement:
    name: str
    hidden: bool
    is_link: bool
    preformatted: bool


@dataclass(slots=True)
class _OpenLink:
    href: str
    classes: tuple[str, ...]
    rel: tuple[str, ...]
    start: int | None = None
    end: int = 0


@dataclass(slots=True)
class _TextWriter:
    """The text so far, the open elements, and the space or break that precedes the next word."""

    left_out: frozenset[str]
    parts: list[str] = field(default_factory=list)
    length: int = 0
    tag: _Tag = field(default_factory=_Tag)
    open: list[_OpenElement] = field(default_factory=list)
    open_names: dict[str, int] = field(default_factory=dict)
    hidden: int = 0
    preformatted: int = 0
    links: list[_OpenLink] = field(default_factory=list)
    open_links: list[_OpenLink] = field(default_factory=list)
    pictures: list[HtmlImage] = field(default_factory=list)
    breaks: int = 0
    space: bool = False

    def data(self, text: str) -> None:
        """Adds text between tags."""
        if self.hidden or not text:
            return
        if self.preformatted:
            self._write(text)
            return
        words = " ".join(part for part in _split(text) if part)
        if text[0] in _SPACES:
            self.space = True
        if words:
            self._write(words)
            self.space = text[-1] in _SPACES

    def markup(self, tag: str) -> str | None:
        """Handles a tag; returns the name of the element if the tag begins one whose content is no text."""
        if tag[1] in "!?" or len(tag) > MAX_TAG_LENGTH or not self.tag.read(tag):
            return None
        name = self.tag.name
        if name == "br":
            self._break(min(self.breaks + 1, 2))
        elif name == "img":
            self._picture()
        elif name in ("td", "th"):
            self.space = True
        self._break(_PARAGRAPH_BREAK if name in _PARAGRAPHS else _LINE_BREAK if name in _LINES else 0)
        if name in _VOID:
            return None
        if not self.tag.begins:
            self._close(name)
            return None
        self._open(name)
        return name if name in _UNREAD else None

    def finish(self) -> HtmlText:
        links = [
            HtmlLink(link.start, max(link.start, link.end), link.href, link.classes, link.rel)
            for link in self.links
            if link.start is not None
        ]
        return HtmlText("".join(self.parts), tuple(links), tuple(self.pictures))

    def _open(self, name: str) -> None:
        classes = tuple(self.tag.attributes.get("class", "").split())
        hidden = not self.left_out.isdisjoint(classes) or ("invisible" in classes and not self.open_links)
        is_link = name == "a" and "href" in self.tag.attributes
        if is_link:
            opened = _OpenLink(self.tag.attributes["href"], classes, tuple(self.tag.attributes.get("rel", "").split()))
            self.open_links.append(opened)
            self.links.append(opened)
        self.open.append(_OpenElement(name, hidden, is_link, name == "pre"))
        self.open_names[name] = self.open_names.get(name, 0) + 1
        self.hidden += hidden
        self.preformatted += name == "pre"

    def _close(self, name: str) -> None:
        if not self.open_names.get(name):
            return
        while True:
            element = self.open.pop()
            self.open_names[element.name] -= 1
            self.hidden -= element.hidden
            self.preformatted -= element.preformatted
            if element.is_link:
                self.open_links.pop().end = self.length
            if element.name == name:
                return

    def _picture(self) -> None:
        source, alt = self.tag.attributes.get("src", ""), self.tag.attributes.get("alt", "")
        if any("emoji" in name for name in self.tag.attributes.get("class", "").split()):
            self.data(alt)
        elif not self.hidden and (source or alt):
            self.pictures.append(HtmlImage(source.strip(), " ".join(alt.split())))

    def _break(self, strength: int) -> None:
        if not self.hidden:
            self.breaks = max(self.breaks, strength)

    def _write(self, text: str) -> None:
        if self.length:
            between = "\n" * self.breaks or (" " if self.space else "")
            self.parts.append(between)
            self.length += len(between)
        self.breaks, self.space = 0, False
        for link in reversed(self.open_links):
            if link.start is not None:
                break
            link.start = self.length
        self.parts.append(text)
        self.length += len(text)
        # A link that is never closed reaches to the end of the text that was written while it was the innermost.
        if self.open_links:
            self.open_links[-1].end = self.length


def _split(text: str) -> list[str]:
    """Splits a text into words at HTML's white space, to which U+00A0 and similar characters do not belong."""
    return text.replace("\t", " ").replace("\n", " ").replace("\r", " ").replace("\f", " ").split(" ")
