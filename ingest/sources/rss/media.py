"""The images and films of an entry, with the feed's descriptions of them (Media RSS, enclosures). Pure.

Of a `media:group`, and of several sizes at one address, the largest image counts. A `media:thumbnail` is an image where
there is no other in the same group or entry. A description of a group or an entry describes each of its images.
"""

import re
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from ingest.sources.rss.document import Attachment

MAX_ATTACHMENTS = 16
MAX_CONTENTS = 200
MAX_SIDE = 100_000
_SIDE = re.compile(r"([0-9]{1,6})(?:\.[0-9]{1,6})?(?:px)?")
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif")
_FILMS = (".mp4", ".webm", ".mov", ".m4v")


@dataclass(slots=True)
class EntryMedia:
    """The media of an entry, of a group in it, or of one `media:content`, with their descriptions."""

    attributes: dict[str, str] = field(default_factory=dict)
    description: str = ""
    title: str = ""
    text: str = ""
    thumbnails: list[dict[str, str]] = field(default_factory=list)
    contents: list["EntryMedia"] = field(default_factory=list)
    groups: list["EntryMedia"] = field(default_factory=list)


def attachments_of(entry: EntryMedia, enclosures: list[dict[str, str]]) -> list[Attachment]:
    """Returns the entry's images and films, those of Media RSS first."""
    found: list[Attachment] = []
    for group in entry.groups:
        found += _of_group(group, entry)
    for content in entry.contents:
        found += _of_content(content, entry)
    found += [
        Attachment(url=enclosure.get("url") or enclosure.get("href", ""), type=enclosure.get("type", ""))
        for enclosure in enclosures
    ]
    if not any(kind_of(attachment) == "photo" for attachment in found):
        found += _thumbnails(entry, entry)
    return _largest_of_each(found[:MAX_CONTENTS])[:MAX_ATTACHMENTS]


def kind_of(attachment: Attachment) -> str | None:
    """Returns `photo`, `video`, or None for neither, by the feed's claim, else by the address."""
    claimed = (attachment.medium or attachment.type.partition("/")[0]).strip().lower()
    if claimed in ("image", "video"):
        return "photo" if claimed == "image" else "video"
    if claimed in ("audio", "text", "document", "executable"):
        return None
    try:
        path = urlsplit(attachment.url).path.lower()
    except ValueError:
        return None
    if path.endswith(_PICTURES):
        return "photo"
    if path.endswith(_FILMS):
        return "video"
    # A feed that gives both sides and nothing else means an image.
    return "photo" if not claimed and side(attachment.width) and side(attachment.height) else None


def side(claimed: str) -> int | None:
    """Reads a length in pixels; returns None for a text that is no number, or a length that no image has."""
    found = _SIDE.fullmatch(claimed.strip())
    return int(found[1]) if found and 0 < int(found[1]) <= MAX_SIDE else None


def _of_group(group: EntryMedia, entry: EntryMedia) -> list[Attachment]:
    shown = [_attachment(content.attributes, _said(content, group, entry)) for content in group.contents]
    photos = [attachment for attachment in shown if kind_of(attachment) == "photo"]
    films = [attachment for attachment in shown if kind_of(attachment) == "video"]
    thumbnails = [] if photos else _thumbnails(group, entry)
    return [*sorted(photos, key=_area)[-1:], *films[:1], *thumbnails]


def _of_content(content: EntryMedia, entry: EntryMedia) -> list[Attachment]:
    shown = _attachment(content.attributes, _said(content, entry))
    return [shown, *([] if kind_of(shown) == "photo" else _thumbnails(content, entry))]


def _thumbnails(shown: EntryMedia, entry: EntryMedia) -> list[Attachment]:
    found = [
        replace(_attachment(thumbnail, _said(shown, entry)), medium="image")
        for thumbnail in shown.thumbnails
        if thumbnail.get("url")
    ]
    return sorted(found, key=_area)[-1:]


def _said(*shown: EntryMedia) -> str:
    """Returns the nearest description; a description rather than a title."""
    return next(filter(None, (*(media.description for media in shown), *(media.title for media in shown))), "")


def _attachment(attributes: dict[str, str], alt: str) -> Attachment:
    get = attributes.get
    return Attachment(
        url=get("url", "").strip(),
        type=get("type", ""),
        medium=get("medium", ""),
        alt=alt,
        width=get("width", ""),
        height=get("height", ""),
    )


def _area(attachment: Attachment) -> int:
    return (side(attachment.width) or 0) * (side(attachment.height) or side(attachment.width) or 0)


def _largest_of_each(found: list[Attachment]) -> list[Attachment]:
    """Keeps each address once; images that differ in their sides and in the part after `?` are one in several sizes."""
    kept: dict[str, Attachment] = {}
    for attachment in found:
        key = next((url for url, known in kept.items() if _is_same(attachment, known)), None)
        if key is None:
            kept[attachment.url or f"\0{len(kept)}"] = attachment
            continue
        known = kept[key]
        larger = max(known, attachment, key=_area)
        kept[key] = replace(larger, alt=known.alt or attachment.alt)
    return list(kept.values())


def _is_same(one: Attachment, other: Attachment) -> bool:
    if one.url == other.url:
        return bool(one.url) or one.alt == other.alt
    sizes = {side(one.width), side(other.width)}
    return len(sizes) == 2 and None not in sizes and one.url.partition("?")[0] == other.url.partition("?")[0]
