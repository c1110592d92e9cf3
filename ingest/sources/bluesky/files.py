"""Posts of Bluesky in files, as its API and its repositories write them: views, timelines, records, events. Pure.

A file does not say at which revision a post was, so the copy never replaces a post that was read live. Its position in
the life of its account is that of its record key, which a clock made.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from ingest.sources.bluesky.frame import FrameReader
from ingest.sources.bluesky.identifiers import (
    POSTS,
    SOURCE,
    author_id,
    did_of,
    handle_of,
    post_id,
    record_key_of,
    revision_of,
)
from ingest.sources.bluesky.links import links_of
from ingest.sources.bluesky.record import created_at, hashtags, languages_of, media_of, replied_to
from ingest.sources.formats.json_fields import Fields, LineFault, MalformedLine, build, refuse, short
from ingest.sources.formats.timestamps import timestamp_of
from ingest.sources.jsonl.reading import PassedOverDocument
from tagstream.posts import MAX_TEXT_LENGTH, Author, Event, Post, clean_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_entry(entry: Fields) -> Post | PassedOverDocument:
    """Reads the post of an entry of a timeline, its own or a repeated one.

    Raises (as the others here):
        MalformedLine: a field is missing, or has a value that makes no sense.
    """
    return read_view(_object(entry, "post"))


def read_view(view: Fields) -> Post | PassedOverDocument:
    """Reads a post as the API shows it, with its author."""
    author = _object(view, "author")
    return _post(view, _object(view, "record"), author)


def read_record(record: Fields) -> Post | PassedOverDocument:
    """Reads a record of a repository with its address."""
    return _post(record, _object(record, "value"), {})


def read_frame(frame: Fields) -> Event | PassedOverDocument:
    """Reads an event of a Jetstream server."""
    return FrameReader().read(json.dumps(frame).encode()).event or PassedOverDocument.OTHER_RECORD


def identity_of(fields: Fields) -> Mapping[str, Any]:
    """Returns post, author and position of a refused document, as far as they can be read: so deletions reach it."""
    author = fields.get("author")
    with suppress(MalformedLine):
        did, key = _named(fields.get("uri"), author if isinstance(author, dict) else {})
        return {"post_id": post_id(did, key), "author": author_id(did), "position": revision_of(key) or 0}
    return {}


def identity_of_entry(fields: Fields) -> Mapping[str, Any]:
    """Returns the same for an entry of a timeline."""
    post = fields.get("post")
    return identity_of(post) if isinstance(post, dict) else {}


def _object(fields: Fields, name: str) -> Fields:
    value = fields.get(name)
    if not isinstance(value, dict):
        refuse(LineFault.BAD_FIELD, f"{name} is {short(value)}, it must be an object")
    return value


def _named(uri: object, author: Fields) -> tuple[str, str]:
    """Returns account and record key; an address may name the account by its handle, which does not last."""
    parts = uri.removeprefix("at://").split("/") if isinstance(uri, str) and len(uri) <= 4096 else []
    if len(parts) == 3 and parts[1] == POSTS and record_key_of(parts[2]):
        did = did_of(parts[0]) or did_of(author.get("did"))
        if did is not None:
            return did, parts[2]
    return refuse(LineFault.BAD_ID, f"uri is {short(uri)}, it must be at://DID/{POSTS}/KEY")


def _post(fields: Fields, record: Fields, author: Fields) -> Post | PassedOverDocument:
    if record.get("$type") not in (None, POSTS):
        return PassedOverDocument.OTHER_RECORD
    did, key = _named(fields.get("uri"), author)
    text = record.get("text")
    if not isinstance(text, str):
        refuse(LineFault.BAD_FIELD, f"text is {short(text)}, it must be a string")
    if len(text) > MAX_TEXT_LENGTH:
        refuse(LineFault.TEXT_TOO_LONG, f"text has {len(text):,} characters, the limit is {MAX_TEXT_LENGTH:,}")
    text = clean_text(text)
    made_us = revision_of(key)
    seen = timestamp_of(fields.get("indexedAt")) or timestamp_of(record.get("createdAt"))
    if seen is None and made_us is None:
        refuse(LineFault.BAD_CREATED_AT, f"createdAt is {short(record.get('createdAt'))}, it must be a date")
    timestamp = created_at(record, seen or _EPOCH + timedelta(microseconds=made_us or 0))
    languages = languages_of(record)
    return build(
        Post,
        id=post_id(did, key),
        source=SOURCE,
        author=Author(id=author_id(did), handle=handle_of(author.get("handle"))),
        created_at=timestamp,
        text=text,
        url=f"https://bsky.app/profile/{did}/post/{key}"[:4096],
        langs=languages,
        links=links_of(record),
        media=media_of(record, did),
        reply_to=replied_to(record),
        position=made_us or max(0, (timestamp - _EPOCH) // timedelta(microseconds=1)),
        hashtags=hashtags(record, text),
    )
