"""The lines of a dump that are no posts, and the events that they mean to a run over it. Pure.

`tagstream restore` puts a dump back as it was. A run over a dump tags its posts anew instead, and must not bring back
deleted posts: so a record with a deletion deletes, an erasure erases, and a dead letter is one again. The other lines
(beginning and end, thumbnails, cursors, trends, events, records of posts that are there) mean nothing to a feed.
"""

import base64
import binascii
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from ingest.sources.formats.json_fields import MalformedLine, read_object
from tagstream.posts import DELETED_FOR_EVER, DeadLetter, Deletion, Erasure, Event

_BEGINNING = b'{"kind":"'  # exactly as a dump writes it: a feed's own field of that name is left alone
_SAID_BY_NO_FEED = frozenset({"dump", "end", "thumbnail", "cursor", "trend", "event"})
_GENERATION_BITS = 12


def read_dump_line(body: bytes) -> list[Event] | None:
    """Returns the events of such a line; None for any other line."""
    if not body.startswith(_BEGINNING):
        return None
    with suppress(MalformedLine, KeyError, TypeError, ValidationError, binascii.Error):
        return _events(dict(read_object(body)))
    return None


def _events(fields: dict[str, Any]) -> list[Event] | None:
    kind = fields.pop("kind")
    if kind in _SAID_BY_NO_FEED:
        return []
    match kind:
        case "record":
            return [_deletion(fields)] if fields["deleted"] >= 0 else []
        case "erasure":
            return [Erasure(**fields)]
        case "dead_letter":
            return [DeadLetter(**{**fields, "body": base64.b64decode(fields["body"], validate=True)})]
    return None


def _deletion(record: dict[str, Any]) -> Deletion:
    deleted = record["deleted"]
    return Deletion(
        id=record["id"],
        source=record["id"].partition(":")[0],
        revision=None if deleted == DELETED_FOR_EVER else deleted >> _GENERATION_BITS,
        position=max(record["deleted_position"], 0),
    )
