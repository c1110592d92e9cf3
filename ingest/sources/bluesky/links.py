"""The links of a Bluesky post: its facets, and the card that it shows. Pure.

Bluesky's own client writes addresses without a scheme and shortened into the text; the whole address stands in a facet
beside it. A card (`app.bsky.embed.external`, alone or beside a quoted post) has the title and the description of the
page at the address.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tagstream.bounds import MAX_LINKS
from tagstream.posts import Link, clean_text

MAX_FACETS = 256
_MAX_FEATURES = 8
_MAX_URL_LENGTH = 4096
_MAX_TITLE_LENGTH = 1000
_MAX_DESCRIPTION_LENGTH = 10_000
_ADDRESS = re.compile(r"https?://[^\s\x00-\x20\x7f]+", re.IGNORECASE)
_LINK = "app.bsky.richtext.facet#link"
_CARD = "app.bsky.embed.external"
_BESIDE = "app.bsky.embed.recordWithMedia"


def links_of(record: Mapping[str, Any]) -> tuple[Link, ...]:
    """Returns the links in the order of the text, each once, and always the card.

    The card comes last if no facet names its address.
    """
    links = {url: Link(url=url) for url in _of_facets(record)}
    card = _card(record)
    if card is None:
        return tuple(links.values())[:MAX_LINKS]
    if card.url not in list(links)[:MAX_LINKS]:
        return (*tuple(links.values())[: MAX_LINKS - 1], card)
    links[card.url] = card
    return tuple(links.values())[:MAX_LINKS]


def _of_facets(record: Mapping[str, Any]) -> Iterator[str]:
    facets = record.get("facets")
    for facet in facets[:MAX_FACETS] if isinstance(facets, list) else ():
        features = facet.get("features") if isinstance(facet, dict) else None
        for feature in features[:_MAX_FEATURES] if isinstance(features, list) else ():
            if isinstance(feature, dict) and feature.get("$type") == _LINK:
                url = _address(feature.get("uri"))
                if url is not None:
                    yield url


def _card(record: Mapping[str, Any]) -> Link | None:
    embed = record.get("embed")
    if isinstance(embed, dict) and embed.get("$type") == _BESIDE:
        embed = embed.get("media")
    card = embed.get("external") if isinstance(embed, dict) and embed.get("$type") == _CARD else None
    url = _address(card.get("uri")) if isinstance(card, dict) else None
    if card is None or url is None:
        return None
    title, description = card.get("title"), card.get("description")
    return Link(url=url, title=_text(title, _MAX_TITLE_LENGTH), description=_text(description, _MAX_DESCRIPTION_LENGTH))


def _address(value: object) -> str | None:
    """Returns an address of the web; None for any other text."""
    if not isinstance(value, str) or len(value) > _MAX_URL_LENGTH:
        return None
    url = clean_text(value.strip())
    return url if _ADDRESS.fullmatch(url) else None


def _text(value: object, most: int) -> str:
    return clean_text(value[:most]).strip() if isinstance(value, str) else ""
