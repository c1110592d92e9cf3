"""The reading of a feed's bytes, RSS 0.9 to 2.0 or Atom, well-formed or not, into a `Document`. Pure.

::

    bytes ─▶ text (encoding) ─▶ tokens (markup) ─▶ fields of each entry ─▶ the newest ─▶ as people read them (passage)

Takes the time and memory of a pass over the document; still, it runs in a process of its own (document_process.py). Of
feeds with more than `MAX_ENTRIES` entries the newest are read.
"""

import hashlib
import re
from collections.abc import Iterable
from urllib.parse import urljoin

from ingest.sources.rss.document import Attachment, Document, FeedEntry
from ingest.sources.rss.encoding import decoded
from ingest.sources.rss.fields import MAX_ENCLOSURES, MAX_NAME_LENGTH, FieldReader, Raw, line
from ingest.sources.rss.markup import cleaned
from ingest.sources.rss.media import EntryMedia, attachments_of
from ingest.sources.rss.passage import Passage, read_passage
from ingest.sources.rss.timestamps.dates import read_date
from tagstream.posts import MAX_TEXT_LENGTH, clean_text

MAX_ENTRIES = 1000

_TEXTS_OF_ENTRIES = ("title", "summary", "content", "other")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-[A-Za-z]{2})?")
_PERIODS = {"hourly": 3600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}


class UnreadableFeed(Exception):
    """The document is no feed; the message says what it is."""


def read_feed(body: bytes, content_type: str) -> Document:
    """Reads a feed.

    Raises:
        UnreadableFeed: it is none.
    """
    reader = FieldReader(cleaned(decoded(body, content_type)))
    reader.read()
    if not reader.is_feed:
        raise UnreadableFeed(_what_it_is(reader.root, body))
    feed, language = reader.feed, reader.feed.names.get("language") or reader.feed.language
    chosen = _newest(reader.entries, language)
    dates = (_date(feed, name, language) for name in ("published", "updated"))
    return Document(
        title=line(read_passage(feed.passages.get("title", Passage())).text),
        language=language,
        every_seconds=_every_seconds(feed.names),
        published=next((date for date in dates if date is not None), None),
        left_out=reader.cut_off + len(reader.entries) - len(chosen),
        entries=tuple(_entry(raw, language, feed.base) for raw in chosen),
    )


def _what_it_is(root: str, body: bytes) -> str:
    if root == "html":
        return "it is neither RSS nor Atom but a page of HTML"
    if root:
        return f"it is neither RSS nor Atom: its first element is {root[:40]!r}"
    return "it is empty" if not body.strip() else "it is no XML, and nothing else that could be read as a feed"


def _newest(entries: list[Raw], language: str) -> list[Raw]:
    """Returns the newest entries in the order of the feed; one without a date is as old as the one before it."""
    if len(entries) <= MAX_ENTRIES:
        return entries
    by_age: list[tuple[int, int]] = []
    last = 2**62
    for index, raw in enumerate(entries):
        dates = [
            date for name in ("published", "updated", "created") if (date := _date(raw, name, language)) is not None
        ]
        last = max(dates, default=last)
        by_age.append((last, -index))
    kept = sorted(by_age, reverse=True)[:MAX_ENTRIES]
    return [entries[index] for index in sorted(-index for _, index in kept)]


def _entry(raw: Raw, feed_language: str, feed_base: str) -> FeedEntry:
    language = raw.names.get("language") or raw.language
    spoken = language or feed_language
    title, summary, content, other = (raw.passages.get(name, Passage()) for name in _TEXTS_OF_ENTRIES)
    published = _date(raw, "published", spoken)
    body = next((passage for passage in (summary, content, other) if passage.text.strip()), content)
    read = read_passage(body)
    pictured = read.pictures if body is content else (*read.pictures, *read_passage(content).pictures)
    shown = raw.shown
    pictures = [Attachment(url=image.source, medium="image", alt=image.alt) for image in pictured[:MAX_ENCLOSURES]]
    return FeedEntry(
        id=_name(raw.names.get("id") or ("" if _link(raw) else raw.names.get("about", ""))),
        link=_name(_link(raw)),
        base=_joined(feed_base, raw.base)[:MAX_NAME_LENGTH],
        title=(read_passage(title).text.strip() or _of_media(shown, "title"))[: MAX_TEXT_LENGTH + 1],
        text=(read.text.strip() or _of_media(shown, "description") or _of_media(shown, "text"))[: MAX_TEXT_LENGTH + 1],
        words=_digest([*(passage.text.strip() for passage in (title, summary, content)), str(published)]),
        author=_author(raw.names),
        language=language,
        published=published if published is not None else _date(raw, "created", spoken),
        updated=_date(raw, "updated", spoken),
        attachments=tuple(map(_bounded, [*attachments_of(shown, raw.enclosures), *pictures])),
    )


def _joined(base: str, address: str) -> str:
    try:
        return urljoin(base, address)
    except ValueError:
        return ""


def _of_media(shown: EntryMedia, name: str) -> str:
    """Returns a text about the whole entry or, where there is none, about a group in it.

    A transcript (`text`) may belong to one film.
    """
    parts = (shown, *shown.groups, *(shown.contents if name == "text" else ()))
    return next((text for part in parts if (text := getattr(part, name))), "")


def _bounded(attachment: Attachment) -> Attachment:
    fields = ("url", "type", "medium", "alt", "width", "height")
    limits = {"url": MAX_NAME_LENGTH + 1, "alt": 10_000}
    return Attachment(**{name: clean_text(getattr(attachment, name))[: limits.get(name, 100)] for name in fields})


def _link(raw: Raw) -> str:
    """Returns the address where people read the entry."""
    said = raw.names.get("link", "")
    if said:
        return said
    pages = [link["href"].strip() for link in raw.links if link.get("rel", "alternate").lower() == "alternate"]
    permalink = raw.names.get("permalink", "")
    return next(iter(pages), permalink if permalink.startswith(("http://", "https://")) else "")


def _author(names: dict[str, str]) -> str:
    name, email = names.get("name", ""), names.get("email", "")
    if name or email:
        return line(f"{name} ({email})" if name and email else name or email)
    return line(names.get("creator") or names.get("author", ""))


def _name(text: str) -> str:
    return clean_text(text)[: MAX_NAME_LENGTH + 1]


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256(clean_text("\0".join(texts)).encode()).hexdigest()


def _date(raw: Raw, name: str, language: str) -> int | None:
    said = raw.names.get(name, "")
    return read_date(said, language if _LANGUAGE.fullmatch(language) else "") if said else None


def _every_seconds(names: dict[str, str]) -> float | None:
    """Returns the pace that the feed claims: `ttl` in minutes, or so many times a period."""
    said = []
    ttl, period = names.get("ttl", ""), _PERIODS.get(names.get("updateperiod", "").lower())
    frequency = names.get("updatefrequency", "1")
    if ttl.isascii() and ttl.isdigit() and len(ttl) < 9:
        said.append(int(ttl) * 60.0)
    if period is not None and frequency.isascii() and frequency.isdigit() and int(frequency[:9]) > 0:
        said.append(period / int(frequency[:9]))
    return max(said, default=None)
