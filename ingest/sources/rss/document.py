"""The bytes of an RSS or Atom feed into its entries.

feedparser reads what there is of dialects and mistakes; it is given bytes, never an address, and so fetches nothing.
What is no XML it reads by regular expressions, some of which take quadratic time on hostile input and hold the
interpreter meanwhile: so that is done by a process of its own, which is killed after `MALFORMED_SECONDS`. What is XML
is looked at before (`rss_guard`) and is read in a thread.
"""

import asyncio
import calendar
import io
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import feedparser

from ingest.sources.rss.guard import MAX_ENTRIES, EntryMedia, MediaContent, NotWellFormed, TooMuch, media_of_entries

MALFORMED_SECONDS = 20.0


class UnreadableFeed(Exception):
    """It is no feed, or passes a limit; the message says why."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A text of a feed; `is_html` says how it is to be read."""

    text: str = ""
    is_html: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture or film of an entry, as the feed has it: everything may be empty."""

    url: str = ""
    type: str = ""
    medium: str = ""
    alt: str = ""
    width: str = ""
    height: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as the feed has it. `published` and `updated` are seconds since 1970."""

    id: str = ""
    link: str = ""
    title: Passage = Passage()
    summary: Passage = Passage()
    content: Passage = Passage()
    author: str = ""
    language: str = ""
    published: int | None = None
    updated: int | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A feed: its entries in its own order, and how often it says that it changes (`every_seconds`)."""

    title: str = ""
    language: str = ""
    every_seconds: float | None = None
    entries: tuple[Entry, ...] = field(default=())


async def read_document(body: bytes, content_type: str, address: str) -> Document:
    """The feed.

    Raises:
        UnreadableFeed: it is none that can be read.
    """
    return await asyncio.to_thread(_read_guarded, body, content_type, address) or await _read_apart(
        body, content_type, address
    )


def _read_guarded(body: bytes, content_type: str, address: str) -> Document | None:
    """The feed, None if it is not well-formed."""
    try:
        media = media_of_entries(body)
    except TooMuch as error:
        raise UnreadableFeed(str(error)) from error
    except NotWellFormed:
        return None
    return _read(body, content_type, address, media)


async def _read_apart(body: bytes, content_type: str, address: str) -> Document:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(MALFORMED_SECONDS):
            # By its input and not by its arguments, which every user of the machine can see.
            answer, _ = await process.communicate(json.dumps([content_type, address]).encode() + b"\n" + body)
    except TimeoutError as error:
        raise UnreadableFeed(f"it is no XML, and could not be read within {MALFORMED_SECONDS:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise UnreadableFeed("it is no XML, and nothing else that could be read as a feed")
    return _from_json(json.loads(answer))


def _read(body: bytes, content_type: str, address: str, media: list[EntryMedia]) -> Document:
    headers = {"content-type": content_type, "content-location": address}
    try:
        parsed = feedparser.parse(
            io.BytesIO(body), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
        if not parsed.get("version") and not parsed.entries:
            raise UnreadableFeed("it is neither RSS nor Atom")
        entries = parsed.entries[:MAX_ENTRIES]
        by_entry = media if len(media) == len(entries) else [EntryMedia() for _ in entries]
        return Document(
            title=_plain(parsed.feed, "title"),
            language=_plain(parsed.feed, "language"),
            every_seconds=_every_seconds(parsed.feed),
            entries=tuple(_entry(one, shown) for one, shown in zip(entries, by_entry, strict=True)),
        )
    except UnreadableFeed:
        raise
    except Exception as defect:  # the boundary of a library that hostile input can break in ways it does not name
        raise UnreadableFeed(f"the parser fails on it: {type(defect).__name__}: {defect}"[:300]) from defect


def _entry(entry: dict[str, Any], media: EntryMedia) -> Entry:
    summary, content = _passage(entry, "summary_detail"), Passage()
    for detail in entry.get("content") or ():
        content = content if content.text else _as_passage(detail)
    shown = {media.description, *(one.description for one in media.contents)} - {""}
    title = _passage(entry, "title_detail")
    detail = entry.get("title_detail") or entry.get("summary_detail") or {}
    return Entry(
        id=_plain(entry, "id"),
        link=_plain(entry, "link"),
        title=title,
        # The parser takes the description of a picture for one of the entry.
        summary=Passage() if " ".join(summary.text.split()) in shown else summary,
        content=Passage() if " ".join(content.text.split()) in shown else content,
        author=_plain(entry, "author"),
        language=str(detail.get("language") or ""),
        # Asked as a plain dictionary, because the parser's own takes the one date for the other where it is missing.
        published=_seconds(dict.get(entry, "published_parsed")),
        updated=_seconds(dict.get(entry, "updated_parsed")),
        attachments=tuple(_attachments(entry, media)),
    )


def _attachments(entry: Mapping[str, Any], media: EntryMedia) -> list[Attachment]:
    found = [_attachment(content, media.description) for content in media.contents]
    found += [
        Attachment(url=str(link.get("href") or ""), type=str(link.get("type") or ""))
        for link in entry.get("links") or ()
        if link.get("rel") == "enclosure"
    ]
    if not media.contents:
        found += [
            _attachment(MediaContent({key: str(value) for key, value in one.items()}), "")
            for one in entry.get("media_content") or ()
        ]
    return found


def _attachment(content: MediaContent, inherited: str) -> Attachment:
    get = content.attributes.get
    return Attachment(
        url=get("url", ""),
        type=get("type", ""),
        medium=get("medium", ""),
        alt=content.description or inherited or content.title,
        width=get("width", ""),
        height=get("height", ""),
    )


def _passage(fields: Mapping[str, Any], name: str) -> Passage:
    return _as_passage(fields.get(name) or {})


def _as_passage(detail: Mapping[str, Any]) -> Passage:
    return Passage(str(detail.get("value") or ""), detail.get("type") in ("text/html", "application/xhtml+xml"))


def _plain(fields: Mapping[str, Any], name: str) -> str:
    return str(fields.get(name) or "").strip()


def _seconds(moment: Any) -> int | None:
    try:
        return None if moment is None else calendar.timegm(moment)
    except (ValueError, OverflowError, TypeError):
        return None


_PERIODS = {"hourly": 3600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}


def _every_seconds(feed: Mapping[str, Any]) -> float | None:
    """What the feed says of its own pace: `ttl` in minutes, or so many times a period."""
    said = []
    ttl, period = _plain(feed, "ttl"), _PERIODS.get(_plain(feed, "sy_updateperiod").lower())
    frequency = _plain(feed, "sy_updatefrequency") or "1"
    if ttl.isascii() and ttl.isdigit() and len(ttl) < 9:
        said.append(int(ttl) * 60.0)
    if period is not None and frequency.isascii() and frequency.isdigit() and int(frequency[:9]) > 0:
        said.append(period / int(frequency[:9]))
    return max(said, default=None)


def _from_json(fields: dict[str, Any]) -> Document:
    entries = tuple(
        Entry(
            **one
            | {name: Passage(**one[name]) for name in ("title", "summary", "content")}
            | {"attachments": tuple(Attachment(**attachment) for attachment in one["attachments"])}
        )
        for one in fields["entries"]
    )
    return Document(**fields | {"entries": entries})


if __name__ == "__main__":
    try:
        said_type, said_address = json.loads(sys.stdin.buffer.readline())
        read = _read(sys.stdin.buffer.read(), said_type, said_address, [])
    except UnreadableFeed:
        sys.exit(1)
    json.dump(asdict(read), sys.stdout)
