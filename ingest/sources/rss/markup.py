"""A tokeniser for XML as it is really written, in one pass and in time linear in its length. Pure.

A parser of XML stops at the first mistake, and feeds have many: a bare `&`, an entity that is none of XML's, a prefix
that nobody declared, an element that is never closed, an end in the middle. So each token is read by itself: text that
is no markup is text, an end tag closes the nearest element of its name, and an element that is never closed ends with
the one around it. Of documents without mistakes it reads exactly what a parser of XML does (a test holds it to that).

No document can name anything outside itself: only short entities without others in them are declared, up to a number,
and no address is ever opened.
"""

import re
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from html.entities import html5

MAX_DEPTH = 200
MAX_ENTITIES = 300
MAX_ENTITY_LENGTH = 100
MAX_UNFOLDED = 1_000_000
MAX_ATTRIBUTES = 100

# The family of each namespace in use. Families are also the prefixes of documents that use one without declaring it.
FAMILIES = {
    "": "",
    "purl.org/rss/1.0": "",
    "purl.org/net/rss1.1#": "",
    "my.netscape.com/rdf/simple/0.9": "",
    "channel.netscape.com/rdf/simple/0.9": "",
    "backend.userland.com/rss2": "",
    "blogs.law.harvard.edu/tech/rss": "",
    "www.w3.org/2005/atom": "",
    "purl.org/atom/ns#": "",
    "purl.org/dc/elements/1.0": "dc",
    "purl.org/dc/elements/1.1": "dc",
    "purl.org/dc/terms": "dc",
    "purl.org/rss/1.0/modules/content": "content",
    "purl.org/rss/1.0/modules/syndication": "sy",
    "search.yahoo.com/mrss": "media",
    "www.itunes.com/dtds/podcast-1.0.dtd": "itunes",
    "www.w3.org/1999/02/22-rdf-syntax-ns#": "",
    "www.w3.org/1999/xhtml": "xhtml",
}
_PREFIXES = {"atom": "", "rdf": "", "rss": "", "dcterms": "dc"} | {
    family: family for family in FAMILIES.values() if family
}

_NAME = re.compile(r"[A-Za-z_:\u0080-\U0010ffff][^\s/><=\"'&]*")
_ATTRIBUTE = re.compile(r"\s*+([^\s=/><\"']++)(?:\s*+=\s*+(?:\"([^\"<]*+)\"|'([^'<]*+)'|([^\s\"'<>]++)))?")
_TAG_END = re.compile(r"\s*+(/\s*+)?>")
_REFERENCE = re.compile(r"&(?:#([0-9]+|[xX][0-9A-Fa-f]+);?|([A-Za-z][A-Za-z0-9._-]{0,40});)")
_ENTITY = re.compile(r"<!ENTITY\s+([\w.-]{1,40})\s+(?:\"([^\"]*)\"|'([^']*)')\s*>")
_SUBSET_TOKEN = re.compile(r"\"[^\"]*\"|'[^']*'|<!--.*?(?:-->|\Z)|[\[\]>]", re.DOTALL)
_DOCTYPE = re.compile(r"<!doctype\b", re.IGNORECASE)
_MARKUP = re.compile(r"[<>]")
_LINE_ENDS = re.compile(r"[\t\n]")
# Characters that XML does not allow. The second group separates words; the others stand anywhere, also within a tag.
_CONTROLS: dict[int, str | None] = {
    **dict.fromkeys((*range(9), *range(14, 28), 127, 0xFFFE, 0xFFFF)),
    **dict.fromkeys((11, 12, *range(28, 32)), " "),
}


@dataclass(slots=True)
class MarkupElement:
    """A start tag: its family of names, its name in lower case, its attributes by their names in lower case.

    The content between its tags begins at `begin`.
    """

    family: str
    name: str
    attributes: dict[str, str]
    begin: int
    written: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ElementEnd:
    """The end of the innermost open element.

    Its content ends at `offset`; `cut` says whether the document ends there.
    """

    offset: int
    cut: bool


Token = MarkupElement | ElementEnd | str


def cleaned(document: str) -> str:
    """Returns the document with newlines as line ends, and without the characters that XML does not allow."""
    return document.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)


def tokens(document: str) -> Iterator[Token]:
    """Yields start tags, ends and text, in order; each start tag has its end."""
    return _MarkupReader(document).tokens()


class _MarkupReader:
    def __init__(self, document: str) -> None:
        self._document = document
        self._open: list[MarkupElement] = []
        self._open_names: Counter[str] = Counter()
        # The families of each open element's prefixes; shared with its parent where it declares none.
        self._scopes: list[dict[str, str]] = [_PREFIXES]
        self._entities: dict[str, str] = {}
        self._unfolded = 0
        self._has_doctype = False

    def tokens(self) -> Iterator[Token]:
        document, offset = self._document, 0
        while offset < len(document):
            start = document.find("<", offset)
            if start < 0:
                start = len(document)
            if start > offset:
                yield self._text(document[offset:start])
            offset = start
            if start == len(document):
                break
            skipped = self._other_markup(start)
            if skipped is not None:
                offset, text = skipped
                if text:
                    yield text
            elif document.startswith("</", start):
                offset = yield from self._end_tag(start)
            else:
                offset = yield from self._start_tag(start)
        while self._open:
            yield self._close(len(document), cut=True)

    def _other_markup(self, start: int) -> tuple[int, str] | None:
        """Returns where a comment, section, instruction or declaration ends, and its text; None if it is a tag."""
        document = self._document
        for opening, closing in (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")):
            if document.startswith(opening, start):
                begin = start + len(opening)
                end = document.find(closing, begin)
                after = len(document) if end < 0 else end + len(closing)
                return after, document[begin : end if end >= 0 else None] if opening == "<![CDATA[" else ""
        if document.startswith("<!", start):
            return self._declaration(start), ""
        return None

    def _declaration(self, start: int) -> int:
        if self._has_doctype or _DOCTYPE.match(self._document, start) is None:
            end = self._document.find(">", start)
            return len(self._document) if end < 0 else end + 1
        self._has_doctype = True
        depth = 0
        for token in _SUBSET_TOKEN.finditer(self._document, start):
            depth += {"[": 1, "]": -1}.get(token[0], 0)
            if token[0] == ">" and depth == 0:
                self._declare(self._document[start : token.end()])
                return token.end()
        return start + len("<!DOCTYPE")

    def _declare(self, subset: str) -> None:
        for found in _ENTITY.finditer(subset):
            value = found[2] or found[3] or ""
            if len(self._entities) < MAX_ENTITIES and len(value) <= MAX_ENTITY_LENGTH and not set(value) & set("&<%"):
                self._entities.setdefault(found[1], value)

    def _start_tag(self, start: int) -> Generator[Token, None, int]:
        document = self._document
        name = _NAME.match(document, start + 1)
        if name is None:
            yield "<"
            return start + 1
        attributes: dict[str, str] = {}
        offset = name.end()
        while (end := _TAG_END.match(document, offset)) is None:
            attribute = _ATTRIBUTE.match(document, offset)
            if attribute is None:
                break
            offset = attribute.end()
            if len(attributes) < MAX_ATTRIBUTES:
                value = attribute[2] or attribute[3] or attribute[4] or ""
                attributes.setdefault(attribute[1], self._text(_LINE_ENDS.sub(" ", value)))
        if end is not None:
            offset = end.end()
        elif (following := _MARKUP.search(document, offset)) is None:
            offset = len(document)  # the document ends within the tag
        elif following[0] == ">":
            offset = following.end()  # text that is no attribute is skipped
        elif offset == name.end():
            yield "<"
            return start + 1
        yield self._opened(name[0], attributes, offset)
        if (end is not None and end[1]) or len(self._open) > MAX_DEPTH:
            yield self._close(offset, cut=False)
        return offset

    def _opened(self, written: str, attributes: dict[str, str], begin: int) -> MarkupElement:
        scope = self._scopes[-1]
        declared = {
            name.partition(":")[2]: family_of(uri)
            for name, uri in attributes.items()
            if name == "xmlns" or name.startswith("xmlns:")
        }
        if declared:
            scope = scope | declared
        self._scopes.append(scope)
        prefix, colon, name = written.rpartition(":")
        family = scope.get(prefix, "" if not colon else f"{prefix.lower()}:")
        element = MarkupElement(
            family, name.lower(), {key.lower(): value for key, value in attributes.items()}, begin, written.lower()
        )
        self._open.append(element)
        self._open_names[element.written] += 1
        return element

    def _end_tag(self, start: int) -> Generator[Token, None, int]:
        document = self._document
        name = _NAME.match(document, start + 2)
        if name is None:
            yield "<"
            return start + 1
        following = document.find("<", name.end())
        end = document.find(">", name.end(), following if following >= 0 else None)
        written = name[0].lower()
        if self._open_names[written]:
            while self._open[-1].written != written:
                yield self._close(start, cut=False)
            yield self._close(start, cut=False)
        return end + 1 if end >= 0 else name.end()

    def _close(self, offset: int, *, cut: bool) -> ElementEnd:
        self._open_names[self._open.pop().written] -= 1
        self._scopes.pop()
        return ElementEnd(offset, cut)

    def _text(self, text: str) -> str:
        return _REFERENCE.sub(self._referred, text) if "&" in text else text

    def _referred(self, found: re.Match[str]) -> str:
        if found[1]:
            return character(found[1])
        declared = self._entities.get(found[2])
        if declared is None:
            return html5.get(f"{found[2]};", found[0])
        self._unfolded += len(declared)
        return declared if self._unfolded <= MAX_UNFOLDED else found[0]


def family_of(address: str) -> str:
    """Returns the family of a namespace: one of `FAMILIES`, or a family of its own for any other."""
    bare = address.strip().lower().removeprefix("https://").removeprefix("http://").rstrip("/")
    return FAMILIES.get(bare, FAMILIES.get(bare + "#", f"{bare}:" if bare else ""))


def character(reference: str) -> str:
    """Returns the character of a reference (`65`, `x41`); U+FFFD for a number that is no character."""
    digits, base = (reference[1:], 16) if reference[0] in "xX" else (reference, 10)
    code_point = int(digits, base) if len(digits.lstrip("0")) < 8 else 0x110000
    if 0x80 <= code_point < 0xA0:  # as browsers do: nobody means the control characters of these numbers
        return bytes((code_point,)).decode("cp1252", "replace")
    if code_point > 0x10FFFF or 0xD800 <= code_point < 0xE000 or code_point == 0:
        return "\ufffd"
    return chr(code_point).translate(_CONTROLS)
