"""Fields that posts of X share, in its stream and in archives: ids, edits, timestamps, hashtags, images. Pure.

The source is `x` for both, so that a post that was read live and its archived copy are one. Text is kept as it was
sent, `&amp;` and all: X counts the offsets of its hashtags in exactly this text, in code points.

An edit is a post with an id of its own that names all ids of its history. The smallest of them, which is the oldest, is
the id under which all versions are indexed; the revision of a version is the number of older ones. So the newest
version replaces the others in whatever order they come. A post that was never edited has its own id and revision 0, and
so have posts in archives from before there were edits.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from ingest.sources.formats.json_fields import Fields, LineFault, build, refuse, short
from ingest.sources.formats.link_card import link_of
from ingest.sources.formats.timestamps import timestamp_of, why_no_timestamp
from tagstream.bounds import MAX_HASHTAGS, MAX_LINKS
from tagstream.posts import (
    MAX_MEDIA,
    MAX_TEXT_LENGTH,
    Hashtag,
    Link,
    Media,
    clean_text,
    from_epoch_milliseconds,
    to_epoch_milliseconds,
)
from tagstream.text.hashtags import hashtags_named, hashtags_of
from tagstream.text.languages import language_tag

SOURCE = "x"
# X allows five edits; a history of hundreds is not one.
MAX_VERSIONS = 100
MAX_SIDE = 2**31 - 1
MAX_URLS = 64
_SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
_SNOWFLAKE_SHIFT = 22
# Before November 2010 ids were counted from 1 and say nothing of time.
_FIRST_SNOWFLAKE = 29_700_859_247

_ID = re.compile(r"[0-9]{1,19}")
_HANDLE = re.compile(r"[A-Za-z0-9_]{1,50}")
_KINDS = {"photo": "photo", "animated_gif": "animation", "video": "video"}


def is_id(value: object) -> bool:
    """Says whether the value is an id of X, below 2⁶³: digits in a string, or in some archives a number."""
    if type(value) is int:
        return 0 <= value < 2**63
    return isinstance(value, str) and _ID.fullmatch(value) is not None and int(value) < 2**63


def id_of(name: str, value: object) -> int:
    """Reads an id; refuses the line where it is none."""
    if not is_id(value):
        why = "a side with a fraction has lost the last digits of its id" if isinstance(value, float) else "digits"
        refuse(LineFault.BAD_ID, f"{name} is {short(value)}, it must be an integer below 2^63, best as a string: {why}")
    return int(str(value))


def post_name(identifier: int) -> str:
    """Returns the id under which the post is indexed."""
    return f"{SOURCE}:{identifier}"


def version_of(identifier: int, history: object) -> tuple[int, int]:
    """Returns the id of a post's first version, and the revision of this one.

    `history` lists the ids of all versions.
    """
    if history is None:
        return identifier, 0
    if not isinstance(history, list) or not 0 < len(history) <= MAX_VERSIONS:
        refuse(LineFault.BAD_FIELD, f"the edit history is {short(history)}, it must list 1 to {MAX_VERSIONS} ids")
    versions = {id_of("an id of the edit history", version) for version in history}
    if identifier not in versions:
        refuse(LineFault.BAD_FIELD, f"the edit history does not name the post itself, {identifier}")
    return min(versions), sum(version < identifier for version in versions)


def position_at(timestamp: datetime) -> int:
    """Returns the position of a timestamp in the order of ids: no post up to this millisecond has a larger id."""
    milliseconds = to_epoch_milliseconds(timestamp) - _SNOWFLAKE_EPOCH_MS
    return min(2**63 - 1, max(0, (milliseconds + 1 << _SNOWFLAKE_SHIFT) - 1))


def timestamp_of_id(identifier: int) -> datetime | None:
    """Returns when the post with this id was made, to the millisecond; None for the oldest ids, which do not say."""
    if identifier < _FIRST_SNOWFLAKE:
        return None
    return from_epoch_milliseconds((identifier >> _SNOWFLAKE_SHIFT) + _SNOWFLAKE_EPOCH_MS)


def written_at(name: str, value: object) -> datetime:
    """Reads a date in X's form, or in that of archives that went through other hands."""
    timestamp = timestamp_of(value)
    if timestamp is None:
        refuse(LineFault.BAD_CREATED_AT, f"{name} is {short(value)}: {why_no_timestamp(value)}")
    return timestamp


def text_of(name: str, value: object) -> str:
    """Reads a text; refuses the line where it is none, or too long."""
    if not isinstance(value, str):
        refuse(LineFault.BAD_FIELD, f"{name} is {short(value)}, it must be a string")
    if len(value) > MAX_TEXT_LENGTH:
        refuse(LineFault.TEXT_TOO_LONG, f"{name} has {len(value):,} characters, the limit is {MAX_TEXT_LENGTH:,}")
    return clean_text(value)


def language_of(value: object) -> str | None:
    """Reads a language; returns None where there is none."""
    if value is None:
        return None
    if not isinstance(value, str):
        refuse(LineFault.BAD_FIELD, f"lang is {short(value)}, it must be a string")
    return language_tag(value)


def handle_of(value: object) -> str | None:
    """Reads a handle; returns None where it is none."""
    return value if isinstance(value, str) and _HANDLE.fullmatch(value) else None


def page_of(identifier: int, handle: str | None) -> str:
    """Returns the address of the post's page; X finds it by the id, whatever stands in the author's place."""
    return f"https://x.com/{handle or 'i'}/status/{identifier}"


def member(fields: Fields, name: str) -> Mapping[str, Any]:
    """Returns the object under this name; an empty one where there is none."""
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        refuse(LineFault.BAD_FIELD, f"{name} is {short(value)}, it must be an object")
    return value


def members(fields: Fields, name: str) -> Sequence[Mapping[str, Any]]:
    """Returns the objects in the list under this name; none where there is no list."""
    value = fields.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        refuse(LineFault.BAD_FIELD, f"{name} is {short(value)}, it must be a list of objects")
    return value


def hashtags_in(text: str, claims: Sequence[tuple[object, object, object]]) -> tuple[Hashtag, ...]:
    """Returns the hashtags that X names, each its text and its span; searches `text` where the spans do not fit.

    Archives went through many hands: some have lost characters beyond the first plane, so that every later span is off.
    Where no hashtag is named the text is searched as well, because not every archive has the field.
    """
    if not all(isinstance(name, str) for name, _, _ in claims):
        refuse(LineFault.BAD_FIELD, "a hashtag has no text")
    if not claims:
        return hashtags_of(text)[:MAX_HASHTAGS]
    named = ((clean_text(str(name)).lstrip("#＃").strip(), start, end) for name, start, end in claims)
    claimed = ((build(Hashtag, text=name).text, _offset(start), _offset(end)) for name, start, end in named if name)
    return hashtags_named(text, claimed)[:MAX_HASHTAGS]


def _offset(value: object) -> int | None:
    return value if type(value) is int else None


def links_in(post: Fields) -> tuple[Link, ...]:
    """Returns the whole addresses behind X's short ones in a text, each once, without those of its own images."""
    found: dict[str, Link] = {}
    for entity in islice(members(member(post, "entities"), "urls"), MAX_URLS):
        unwound = entity.get("unwound")
        page = unwound if isinstance(unwound, dict) else entity
        url = page.get("url") if page is unwound else entity.get("unwound_url") or entity.get("expanded_url")
        link = link_of(url, page.get("title"), page.get("description"))
        if link is not None and "media_key" not in entity:
            found.setdefault(link.url, link)
    return tuple(found.values())[:MAX_LINKS]


def media_named(described: Sequence[tuple[object, object, object, object, object]]) -> tuple[Media, ...]:
    """Returns the images and films, without those of unknown kinds.

    Each is described by kind, address, description, width and height.
    """
    known = (item for item in described if isinstance(item[0], str) and item[0] in _KINDS)
    return tuple(
        build(
            Media,
            kind=_KINDS[str(kind)],
            url=None if url is None else text_of("the address of a picture", url),
            alt=None if alt is None else text_of("the description of a picture", alt),
            width=_side(width),
            height=_side(height),
        )
        for kind, url, alt, width, height in islice(known, MAX_MEDIA)
    )


def _side(value: object) -> int | None:
    """Reads a side in pixels, which an account's own export writes as text; None for a length that no image has."""
    side = count_of(value)
    return side if side and side <= MAX_SIDE else None


def count_of(value: object) -> int | None:
    """Reads a small number, which an account's own export writes as text; None for a value that is none."""
    if isinstance(value, str) and _ID.fullmatch(value):
        return int(value)
    return value if type(value) is int else None


_REPOST = re.compile(r"RT @[A-Za-z0-9_]{1,50}: ")


def repost(
    sent: tuple[str, tuple[Hashtag, ...]], original: tuple[str, tuple[Hashtag, ...]]
) -> tuple[str, tuple[Hashtag, ...]]:
    """Returns text and hashtags of a repost. X cuts its own text of it at 140 characters; the original is whole."""
    beginning = _REPOST.match(sent[0])
    if beginning is None or len(beginning[0]) + len(original[0]) > MAX_TEXT_LENGTH:
        return sent
    return beginning[0] + original[0], tuple(_shifted(hashtag, beginning.end()) for hashtag in original[1])


def _shifted(hashtag: Hashtag, by: int) -> Hashtag:
    if hashtag.span is None:
        return hashtag
    start, end = hashtag.span
    return Hashtag(text=hashtag.text, start=start + by, end=end + by)
