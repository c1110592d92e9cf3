"""An entry of a feed into a `Post`. Pure.

The id is that of the feed (`guid`, `id`) where it is an address or a URN, and so means the same in every feed of the
host; any other is only unique within its feed and stands behind a digest of the feed's address. Without one the link
is the id, and without that the entry's own words are.

The text is the title, a blank line and the summary (the content where there is none) as people read them; a summary
that begins with the title stands alone. `revision` is when the entry was `updated`, where that is later than when it
was published: only that can be put in order. An entry that changes without saying so is therefore not read again.
"""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from ingest.sources.html_text import HtmlText, html_to_text
from ingest.sources.jsonl.fields import LineFault, build, refuse
from ingest.sources.rss.document import Attachment, Document, Entry, Passage
from ingest.sources.rss.feeds import source_of
from tagstream.hashtag_spans import hashtags_of
from tagstream.posts import MAX_MEDIA, MAX_REVISION, MAX_TEXT_LENGTH, Author, Media, Post, clean_text, native_id

MAX_ALT_LENGTH = 10_000
MAX_URL_LENGTH = 4096
MAX_AUTHOR_LENGTH = 200
MAX_PASSAGE_LENGTH = 500_000
_MEANS_THE_SAME_EVERYWHERE = ("https://", "http://", "tag:", "urn:")


def entry_post(entry: Entry, document: Document, address: str, now: datetime) -> Post:
    """The post; `now` is when an entry was written that does not say.

    Raises:
        MalformedLine: it holds nothing that could be a post.
    """
    source, link = source_of(address), _address(entry.link, address)
    body = entry.summary if entry.summary.text.strip() else entry.content
    read = _read(body)
    text = _joined(_read(entry.title).text.strip(), read.text.strip())
    media = _media(entry, (read, _read(entry.content) if body is not entry.content else HtmlText("")), link or address)
    if not text and not any(one.alt for one in media):
        refuse(LineFault.MISSING_FIELD, "the entry has no title, no text, and no picture that is described")
    if len(text) > MAX_TEXT_LENGTH:
        refuse(LineFault.TEXT_TOO_LONG, f"the text has {len(text):,} characters, the limit is {MAX_TEXT_LENGTH:,}")
    written = entry.published if entry.published is not None else entry.updated
    return build(
        Post,
        id=native_id(source, entry_id(entry, address)),
        source=source,
        author=_author(entry, document, address),
        created_at=_moment(written) or now,
        revision=revision_of(entry),
        text=text,
        lang=_language(entry.language or document.language),
        url=link,
        media=media,
        hashtags=hashtags_of(text),
    )


def entry_id(entry: Entry, address: str) -> str:
    """The native id of the entry of the feed at that address."""
    named = clean_text(entry.id or entry.link)
    if not named.isprintable():
        named = f"sha256-{hashlib.sha256(named.encode()).hexdigest()}"
    elif named.startswith(_MEANS_THE_SAME_EVERYWHERE):
        return named
    elif not named:
        words = "\0".join((entry.title.text, entry.summary.text, entry.content.text, str(entry.published)))
        named = f"sha256-{hashlib.sha256(clean_text(words).encode()).hexdigest()}"
    return f"{hashlib.sha256(address.encode()).hexdigest()[:12]}/{named}"


def revision_of(entry: Entry) -> int:
    """Microseconds since 1970 of the newest change that the entry tells of; 0 where it tells of none."""
    if entry.updated is None or entry.updated == entry.published:
        return 0
    if entry.published is not None and entry.updated < entry.published:
        return 0
    revision = entry.updated * 1_000_000
    return revision if 0 <= revision < MAX_REVISION else 0


def _read(passage: Passage) -> HtmlText:
    if len(passage.text) > MAX_PASSAGE_LENGTH:
        length = f"{len(passage.text):,} characters, the limit is {MAX_PASSAGE_LENGTH:,}"
        refuse(LineFault.TEXT_TOO_LONG, f"a passage of the entry has {length}")
    if passage.is_html:
        return html_to_text(passage.text)
    return HtmlText(clean_text(passage.text).replace("\0", "\ufffd"))


def _joined(title: str, summary: str) -> str:
    beginning = title.rstrip("….").strip()
    if not summary or not title:
        return title or summary
    return summary if beginning and summary.startswith(beginning) else f"{title}\n\n{summary}"


def _author(entry: Entry, document: Document, address: str) -> Author:
    # A feed without authors is one author: else each of its entries would count as a voice of its own in trends.
    name = " ".join(clean_text(entry.author).split())
    handle = name or " ".join(clean_text(document.title).split())
    identifier = name or address
    if len(identifier.encode()) > MAX_AUTHOR_LENGTH:
        identifier = f"sha256-{hashlib.sha256(identifier.encode()).hexdigest()}"
    return Author(id=identifier, handle=handle[:256] or None)


def _moment(seconds: int | None) -> datetime | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _language(language: str) -> str | None:
    return language if language.isascii() and 0 < len(language) <= 35 else None


def _media(entry: Entry, texts: tuple[HtmlText, ...], base: str) -> tuple[Media, ...]:
    """Attachments, then the pictures of the text; what stands twice once, with whatever description there is."""
    pictured = [Attachment(url=one.source, medium="image", alt=one.alt) for text in texts for one in text.pictures]
    found: dict[str, Attachment] = {}
    for attachment in [*entry.attachments, *pictured]:
        url = _address(attachment.url, base) or ""
        if not url and not attachment.alt.strip():
            continue
        key = url or f"\0{attachment.alt}"
        known = found.setdefault(key, replace(attachment, url=url))
        found[key] = replace(known, alt=known.alt.strip() or attachment.alt.strip())
    media = [_medium(attachment) for attachment in found.values()]
    return tuple(one for one in media if one is not None)[:MAX_MEDIA]


def _medium(attachment: Attachment) -> Media | None:
    named = (attachment.medium or attachment.type.partition("/")[0]).lower()
    if named not in ("image", "video", ""):
        return None
    if not named and not urlsplit(attachment.url).path.lower().endswith((".jpg", ".jpeg", ".png", ".webp", ".gif")):
        return None
    sides: dict[str, Any] = {}
    for side, said in (("width", attachment.width), ("height", attachment.height)):
        if said.isascii() and said.isdigit() and int(said[:9]) > 0:
            sides[side] = int(said[:9])
    alt = clean_text(attachment.alt)[:MAX_ALT_LENGTH] or None
    return build(Media, kind="video" if named == "video" else "photo", url=attachment.url or None, alt=alt, **sides)


def _address(text: str, base: str) -> str | None:
    """An address of the web, made absolute; anything else would be offered to people as a link."""
    if not text.strip():
        return None
    try:
        address = clean_text(urljoin(base, text.strip()))
    except ValueError:
        return None
    return address if address.startswith(("https://", "http://")) and len(address) <= MAX_URL_LENGTH else None
