"""Looks at a feed before the parser does: is it XML, is it bounded, and what do its pictures show. Pure.

The parser of feeds (feedparser) takes whatever comes, but hostile markup can cost it minutes and what is said of
pictures (`media:description`, the alternative text) it takes for the text of the entry. Both are seen to here, by one
pass of expat, which is linear.
"""

from dataclasses import dataclass, field
from xml.parsers import expat

MAX_ENTRIES = 1000
MAX_ELEMENTS = 50_000
MAX_ATTRIBUTES = 100
MAX_DEPTH = 200
MAX_ENTITIES = 300
MAX_ENTITY_LENGTH = 100
_MEDIA = ("http://search.yahoo.com/mrss/ ", "http://search.yahoo.com/mrss ")
_ENTRIES = frozenset({"item", "entry"})


class TooMuch(Exception):
    """The document passes a limit; the message says which."""


class NotWellFormed(Exception):
    """It is no XML; the parser may make something of it all the same."""


@dataclass(slots=True)
class MediaContent:
    """A `media:content` of an entry: its attributes, and what its author says it shows."""

    attributes: dict[str, str]
    description: str = ""
    title: str = ""


@dataclass(slots=True)
class EntryMedia:
    """The media of one entry; `description` is of all that have none of their own."""

    contents: list[MediaContent] = field(default_factory=list)
    description: str = ""


def media_of_entries(body: bytes) -> list[EntryMedia]:
    """The media of each entry, in order.

    Raises:
        TooMuch: the document passes a limit.
        NotWellFormed: it is no XML.
    """
    reader = _Reader()
    try:
        reader.parser.Parse(body, True)
    except expat.ExpatError as error:
        raise NotWellFormed(str(error)) from error
    except (ValueError, LookupError) as error:  # an encoding that Python does not know
        raise NotWellFormed(str(error)) from error
    return reader.entries


class _Reader:
    def __init__(self) -> None:
        self.entries: list[EntryMedia] = []
        self._entry: EntryMedia | None = None
        self._content: MediaContent | None = None
        self._text: list[str] | None = None
        self._depth = self._elements = self._entities = 0
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.EntityDeclHandler = self._entity

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise TooMuch(f"it has more than {MAX_ELEMENTS:,} elements, or more than {MAX_DEPTH} within each other")
        if len(attributes) > MAX_ATTRIBUTES:
            raise TooMuch(f"an element has more than {MAX_ATTRIBUTES} attributes")
        media = _media_name(name)
        if media == "content" and self._entry is not None:
            self._content = MediaContent(attributes)
            self._entry.contents.append(self._content)
        elif media in ("description", "title"):
            self._text = []
        elif not media and name.rpartition(" ")[2] in _ENTRIES:
            if len(self.entries) == MAX_ENTRIES:
                raise TooMuch(f"it has more than {MAX_ENTRIES:,} entries")
            self._entry = EntryMedia()
            self.entries.append(self._entry)

    def _end(self, name: str) -> None:
        self._depth -= 1
        media = _media_name(name)
        if media == "content":
            self._content = None
        elif media in ("description", "title") and self._text is not None:
            said, self._text = " ".join("".join(self._text).split()), None
            if self._content is not None:
                setattr(self._content, media, said)
            elif self._entry is not None and media == "description":
                self._entry.description = said
        elif not media and name.rpartition(" ")[2] in _ENTRIES:
            self._entry = None

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _entity(self, _name: str, _parameter: bool, value: str | None, *_: object) -> None:
        self._entities += 1
        if self._entities > MAX_ENTITIES or len(value or "") > MAX_ENTITY_LENGTH or "&" in (value or ""):
            raise TooMuch("it declares entities that unfold into others, or too many or too long ones")


def _media_name(name: str) -> str:
    """The name of an element of Media RSS, "" of any other."""
    return next((name.removeprefix(space) for space in _MEDIA if name.startswith(space)), "")
