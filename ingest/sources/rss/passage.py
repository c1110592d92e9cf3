"""The text of a feed as people read it, whether it is HTML, escaped once too often, or neither. Pure."""

import re
from dataclasses import dataclass
from html import escape

from ingest.sources.formats.html_text import HtmlText, html_to_text
from tagstream.posts import clean_text
from tagstream.text.safe_text import unescape

MAX_PASSAGE_LENGTH = 500_000

_TAGS = (
    "a abbr article aside b blockquote br center cite code dd del div dl dt em figcaption figure font footer h1 h2 h3 "
    "h4 h5 h6 header hr i iframe img ins li main mark nav ol p picture pre q s section small span strike strong sub "
    "sup table tbody td th thead time tr tt u ul video wbr"
).replace(" ", "|")
_ALONE = "br|hr|img|p|li|wbr|div"
# A tag that is closed, or stands alone; a text about HTML may well name one without closing it.
_HTML = re.compile(rf"</(?:{_TAGS})\s*>|<(?:{_ALONE})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
# References that nobody means literally.
_ESCAPED_TWICE = re.compile(r"&(?:amp|quot|apos|nbsp|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_PREFIXED_TAG = re.compile(r"<(/?)[A-Za-z][\w.-]{0,40}:(?=[A-Za-z])")
_SECTION = "<![CDATA["


@dataclass(frozen=True, slots=True)
class Passage:
    """A text of a feed; `is_html` says whether it is HTML, None that its looks decide."""

    text: str = ""
    is_html: bool | None = None


def read_passage(passage: Passage) -> HtmlText:
    """Returns the text as people read it, and the images in it."""
    source = passage.text[:MAX_PASSAGE_LENGTH]
    if passage.is_html or (passage.is_html is None and looks_like_html(source)):
        read = html_to_text(source)
    else:
        read = HtmlText(clean_text(source).replace("\0", "\ufffd"))
    if not _ESCAPED_TWICE.search(read.text):
        return read
    return HtmlText(_ESCAPED_TWICE.sub(lambda found: unescape(found[0]), read.text), (), read.pictures)


def looks_like_html(text: str) -> bool:
    """Says whether a text that may be either is HTML: it has tags or character references."""
    return _HTML.search(text) is not None or any(unescape(found[0]) != found[0] for found in _REFERENCE.finditer(text))


def as_html(markup: str) -> str:
    """Returns markup that stands in a feed as HTML: without prefixes, and with the text of its sections."""
    if _SECTION in markup:
        first, *rest = markup.split(_SECTION)
        parts = [first]
        for piece in rest:
            inside, _, after = piece.partition("]]>")
            parts += (escape(inside), after)
        markup = "".join(parts)
    return _PREFIXED_TAG.sub(r"<\1", markup)
