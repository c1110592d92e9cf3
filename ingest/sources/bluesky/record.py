"""The record of a Bluesky post (`app.bsky.feed.post`), read into the fields of a `Post`. Pure.

A record is written by its author's own software and checked by nobody. So every field is read by itself, and one that
makes no sense is left out, never a reason to lose the post. Only a text that cannot be read is refused.

Facets count UTF-8 bytes. A facet that begins or ends inside a character, is reversed, empty, beyond the text or
overlaps an earlier one is dropped singly. Labels that authors put on their own posts are ignored.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

from ingest.sources.bluesky.identifiers import cid_of, post_id_of_uri
from tagstream.posts import MAX_MEDIA, Hashtag, Media, clean_text
from tagstream.text.hashtags import Claim, hashtags_named
from tagstream.text.languages import MAX_LANGUAGES, language_tags

Record = Mapping[str, Any]

# More than any honest client writes. Without a bound the work would be their number times the length of the text.
MAX_FACETS = 256
MAX_LISTED_TAGS = 64
MAX_TAG_LENGTH = 640
MAX_ALT_LENGTH = 10_000
MAX_SIDE = 100_000
CLOCKS_DIFFER = timedelta(minutes=5)
IMAGES = "https://cdn.bsky.app"

_FACET = "app.bsky.richtext.facet"


@dataclass(frozen=True, slots=True)
class _Marked:
    """A stretch of the text, in code points, that a facet marks; `tag` where it marks a hashtag."""

    start: int
    end: int
    tag: str | None


def created_at(record: Record, committed: datetime) -> datetime:
    """Returns when the author says that the post was written.

    It is `committed`, when its server took the post, where that cannot be read or would be clearly later: nothing is
    taken before it is written, and clients that claim so want to stand on top of every list.
    """
    value = record.get("createdAt")
    if not isinstance(value, str) or len(value) > 64:
        return committed
    try:
        timestamp = datetime.fromisoformat(value)
        timestamp = timestamp.replace(tzinfo=UTC) if timestamp.tzinfo is None else timestamp.astimezone(UTC)
    except (ValueError, OverflowError):
        return committed
    return timestamp if timestamp <= committed + CLOCKS_DIFFER else committed


def languages_of(record: Record) -> tuple[str, ...]:
    """Returns the languages that the author names, in the author's order."""
    langs = record.get("langs")
    if not isinstance(langs, list):
        return ()
    return language_tags(tag for tag in langs[:MAX_LANGUAGES] if isinstance(tag, str))


def replied_to(record: Record) -> str | None:
    """Returns the id of the post that this one answers."""
    reply = record.get("reply")
    parent = reply.get("parent") if isinstance(reply, dict) else None
    return post_id_of_uri(parent.get("uri")) if isinstance(parent, dict) else None


def hashtags(record: Record, text: str) -> tuple[Hashtag, ...]:
    """Returns the hashtags of the text, by its facets and by its signs, then those that are only listed.

    Hashtags that stand nowhere in the text have no span.
    """
    marked = list(_marked(record, text))
    claims: list[Claim] = [(mark.tag, mark.start, mark.end) for mark in marked if mark.tag is not None]
    claims += [(name, None, None) for name in (*_without_span(record, text), *_listed(record))]
    return hashtags_named(text, claims, [(mark.start, mark.end) for mark in marked if mark.tag is None])


def _without_span(record: Record, text: str) -> Iterator[str]:
    """Yields the hashtags of facets that point inside a character or past the end: their client counts something
    else.
    """
    facets = record.get("facets")
    encoded = text.encode()
    for facet in facets[:MAX_FACETS] if isinstance(facets, list) else ():
        if isinstance(facet, dict) and _span(facet.get("index"), encoded) is None:
            name = _tag_of(facet.get("features"))
            if name is not None:
                yield name


def _listed(record: Record) -> Iterator[str]:
    tags = record.get("tags")
    for value in tags[:MAX_LISTED_TAGS] if isinstance(tags, list) else ():
        if name := _tag_name(value):
            yield name


def _tag_name(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > MAX_TAG_LENGTH:
        return None
    return clean_text(value).lstrip("#＃").strip() or None


def _marked(record: Record, text: str) -> Iterator[_Marked]:
    """Yields the stretches that facets mark, in order of the text, none over another."""
    facets = record.get("facets")
    if not isinstance(facets, list):
        return
    encoded = text.encode()
    spans = [
        (*span, _tag_of(facet.get("features")))
        for facet in facets[:MAX_FACETS]
        if isinstance(facet, dict) and (span := _span(facet.get("index"), encoded)) is not None
    ]
    done = counted = 0
    for start, end, tag in sorted(spans, key=lambda span: span[:2]):
        if start >= done:
            first = counted + len(encoded[done:start].decode())
            done, counted = end, first + len(encoded[start:end].decode())
            yield _Marked(first, counted, tag)


def _span(index: object, encoded: bytes) -> tuple[int, int] | None:
    """Returns the bytes that a facet covers, if they are whole characters of the text."""
    if not isinstance(index, dict):
        return None
    start, end = index.get("byteStart"), index.get("byteEnd")
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(encoded):
        return None
    return (start, end) if _is_boundary(encoded, start) and _is_boundary(encoded, end) else None


def _is_boundary(encoded: bytes, offset: int) -> bool:
    return offset == len(encoded) or encoded[offset] & 0xC0 != 0x80


def _tag_of(features: object) -> str | None:
    for feature in features[:8] if isinstance(features, list) else ():
        if isinstance(feature, dict) and feature.get("$type") == f"{_FACET}#tag":
            return _tag_name(feature.get("tag"))
    return None


def media_of(record: Record, did: str, images: str = IMAGES) -> tuple[Media, ...]:
    """Returns the images and films of a post with their alt texts; `images` is the host that serves them as JPEG.

    Links with a preview are no media of the author.
    """
    embed = record.get("embed")
    if isinstance(embed, dict) and embed.get("$type") == "app.bsky.embed.recordWithMedia":
        embed = embed.get("media")
    if not isinstance(embed, dict):
        return ()
    match embed.get("$type"):
        case "app.bsky.embed.images":
            return _photos(embed.get("images"), did, images)
        case "app.bsky.embed.gallery":
            return _photos(embed.get("items"), did, images)
        case "app.bsky.embed.video":
            return (_film(embed),)
    return ()


def _photos(items: object, did: str, images: str) -> tuple[Media, ...]:
    pictures = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return tuple(_photo(picture, did, images) for picture in pictures[:MAX_MEDIA])


def _photo(picture: Record, did: str, images: str) -> Media:
    cid = cid_of(picture.get("image"))
    url = f"{images}/img/feed_fullsize/plain/{quote(did, safe=':')}/{cid}@jpeg" if cid else None
    width, height = _sides(picture)
    return Media(kind="photo", url=url, alt=_alt(picture), width=width, height=height)


def _film(embed: Record) -> Media:
    kind: Literal["animation", "video"] = "animation" if embed.get("presentation") == "gif" else "video"
    width, height = _sides(embed)
    return Media(kind=kind, alt=_alt(embed), width=width, height=height)


def _alt(described: Record) -> str | None:
    alt = described.get("alt")
    return clean_text(alt[:MAX_ALT_LENGTH]).strip() or None if isinstance(alt, str) else None


def _sides(described: Record) -> tuple[int | None, int | None]:
    ratio = described.get("aspectRatio")
    if not isinstance(ratio, dict):
        return None, None
    width, height = ratio.get("width"), ratio.get("height")
    if type(width) is not int or type(height) is not int or not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        return None, None
    return width, height
