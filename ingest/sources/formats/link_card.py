"""A link that a network names beside a text, with the title and the description of its page. Pure.

An address that is not of the web, or too long, makes no link. Title and description are cut to the lengths of a `Link`.
"""

import re

from tagstream.posts import Link, clean_text

_MAX_URL_LENGTH = 4_096
_MAX_TITLE_LENGTH = 1_000
_MAX_DESCRIPTION_LENGTH = 10_000
_ADDRESS = re.compile(r"https?://[^\s\x00-\x20\x7f]+", re.IGNORECASE)


def link_of(url: object, title: object = None, description: object = None) -> Link | None:
    """Makes the link; returns None where there is no address of the web."""
    if not isinstance(url, str) or len(url) > _MAX_URL_LENGTH or not _ADDRESS.fullmatch(url):
        return None
    texts = _text(title, _MAX_TITLE_LENGTH), _text(description, _MAX_DESCRIPTION_LENGTH)
    return Link(url=clean_text(url), title=texts[0], description=texts[1])


def _text(value: object, most: int) -> str:
    return clean_text(value[:most]).strip() if isinstance(value, str) else ""
