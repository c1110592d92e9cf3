"""A link that a network names beside a text, with what it says of the page there. Pure.

An address that is none of the web, or too long, makes no link; title and description are cut to what a link may have.
"""

import re

from tagstream.posts import Link, clean_text

_MAX_URL_LENGTH = 4_096
_MAX_TITLE_LENGTH = 1_000
_MAX_DESCRIPTION_LENGTH = 10_000
_ADDRESS = re.compile(r"https?://[^\s\x00-\x20\x7f]+", re.IGNORECASE)


def link_of(url: object, title: object = None, description: object = None) -> Link | None:
    """The link; None where there is no address."""
    if not isinstance(url, str) or len(url) > _MAX_URL_LENGTH or not _ADDRESS.fullmatch(url):
        return None
    said = _text(title, _MAX_TITLE_LENGTH), _text(description, _MAX_DESCRIPTION_LENGTH)
    return Link(url=clean_text(url), title=said[0], description=said[1])


def _text(value: object, most: int) -> str:
    return clean_text(value[:most]).strip() if isinstance(value, str) else ""
