"""Conversion of an entry of a feed into a `Post`. Pure.

The text is the title, a blank line and the summary (the content where there is none) as people read them; a summary
that begins with the title stands alone. `revision` is when the entry was `updated`, where that is later than its
publication: only such dates can be put in order. An entry that changes without saying so is therefore not read again.
`identity.py` names entries, `timestamps/entry_timestamps.py` dates them.
"""

import hashlib
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

from ingest.sources.formats.json_fields import LineFault, build, refuse
from ingest.sources.rss.document import Attachment, Document, FeedEntry
from ingest.sources.rss.feeds import source_of
from ingest.sources.rss.identity import absolute, revision_of
from ingest.sources.rss.media import kind_of, side
from tagstream.posts import (
    MAX_MEDIA,
    MAX_TEXT_LENGTH,
    Author,
    Media,
    Post,
    clean_text,
    from_epoch_milliseconds,
    native_id,
)
from tagstream.text.hashtags import hashtags_of
from tagstream.text.languages import language_tag

MAX_ALT_LENGTH = 10_000
MAX_URL_LENGTH = 4096
MAX_AUTHOR_LENGTH = 200


def entry_post(entry: FeedEntry, document: Document, address: str, identifier: str, timestamp_ms: int) -> Post:
    """Returns the post with that native id, written at that time (milliseconds since 1970).

    Raises:
        MalformedLine: the entry holds nothing that could be a post.
    """
    source, link = source_of(address), _web(absolute(entry.link, entry, document, address))
    text = _joined(_clean(entry.title), _clean(entry.text))
    media = _media(entry, absolute(entry.link, entry, document, address) or document.address or address)
    if not text and not any(medium.alt for medium in media):
        refuse(LineFault.MISSING_FIELD, "the entry has no title, no text, and no picture that is described")
    if len(text) > MAX_TEXT_LENGTH:
        refuse(LineFault.TEXT_TOO_LONG, f"the text has more than {MAX_TEXT_LENGTH:,} characters")
    return build(
        Post,
        id=native_id(source, identifier),
        source=source,
        author=_author(entry, document, address),
        created_at=from_epoch_milliseconds(timestamp_ms),
        revision=revision_of(entry),
        text=text,
        lang=language_tag(entry.language) or language_tag(document.language),
        url=link,
        media=media,
        hashtags=hashtags_of(text),
    )


def _clean(text: str) -> str:
    return clean_text(text).replace("\0", "\ufffd").strip()


def _joined(title: str, summary: str) -> str:
    beginning = title.rstrip("….").strip()
    if not summary or not title:
        return title or summary
    return summary if beginning and summary.startswith(beginning) else f"{title}\n\n{summary}"


def _author(entry: FeedEntry, document: Document, address: str) -> Author:
    # A feed without authors is one author; otherwise each entry would count as a voice of its own in trends.
    name = " ".join(clean_text(entry.author).split())
    handle = name or " ".join(clean_text(document.title).split())
    identifier = name or address
    if len(identifier.encode()) > MAX_AUTHOR_LENGTH:
        identifier = f"sha256-{hashlib.sha256(identifier.encode()).hexdigest()}"
    return Author(id=identifier, handle=handle[:256] or None)


def _media(entry: FeedEntry, page: str) -> tuple[Media, ...]:
    """Returns each medium once, with whatever description there is; addresses are relative to the entry's page."""
    found: dict[str, Attachment] = {}
    for attachment in entry.attachments:
        url = _joined_address(page, attachment.url) or ""
        if not url and not attachment.alt.strip():
            continue
        key = url or f"\0{attachment.alt}"
        known = found.setdefault(key, replace(attachment, url=url))
        found[key] = replace(known, alt=known.alt.strip() or attachment.alt.strip())
    media = [_medium(attachment) for attachment in found.values()]
    return tuple(medium for medium in media if medium is not None)[:MAX_MEDIA]


def _medium(attachment: Attachment) -> Media | None:
    kind = kind_of(attachment)
    if kind is None:
        return None
    sides: dict[str, Any] = {"width": side(attachment.width), "height": side(attachment.height)}
    alt = clean_text(attachment.alt)[:MAX_ALT_LENGTH] or None
    return build(Media, kind=kind, url=attachment.url or None, alt=alt, **sides)


def _joined_address(page: str, address_text: str) -> str | None:
    try:
        return _web(urljoin(page, address_text.strip())) if address_text.strip() else None
    except ValueError:
        return None


def _web(address: str) -> str | None:
    """Returns an address of the web; any other address would be offered to people as a link."""
    address = clean_text(address)
    return address if address.startswith(("https://", "http://")) and len(address) <= MAX_URL_LENGTH else None
