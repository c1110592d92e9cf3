"""Recognition of posts of X of which few columns are left. Pure.

A post that lost most of its fields is told by a field that only X has (a `user` with a `screen_name`, an `author_id`),
or by an id that was made at the very time that the post names. Taken for a line of ours, it would be stored under
another id than the live post, and no deletion would reach it. A document that says itself that it is a line of ours is
no post of X, whatever else it has.
"""

import re
from datetime import timedelta

from ingest.sources.formats.json_fields import Fields
from ingest.sources.formats.timestamps import timestamp_of
from ingest.sources.x.archive_fields import is_id, timestamp_of_id
from tagstream.bounds import SOURCE_NAME_PATTERN

# Fields that only lines of our own have: beside one of them, an id is its writer's and not taken for one of X.
_OWN = ("hashtags", "media", "reply_to", "revision", "sequence", "url", "user")
_OWN_ALONE = ("reply_to", "revision", "sequence")
_OWN_SOURCES = frozenset({"csv", "jsonl", "mastodon", "bluesky", "rss", "simulate"})
_SOURCE_NAME = re.compile(SOURCE_NAME_PATTERN)
_CLOCKS_DIFFER = timedelta(seconds=2)
# All ids of the years since 2010 are larger; ids that others count from 1 are not.
_LARGE_ID = 10**15
_CLIENTS = ("<a href=", "Twitter for ", "Twitter Web ")


def is_dated_by_its_id(fields: Fields) -> bool:
    """Says whether X made the id at the time that the post names: no other number fits, except by chance."""
    identifier, text = fields.get("id"), fields.get("text")
    if not is_id(identifier) or not isinstance(text, str) or _may_be_our_own(fields):
        return False
    return _id_fits_date(identifier, fields)


def is_thin_classic(fields: Fields) -> bool:
    """Says whether it is a post of API 1.1: by its user, its `id_str`, its `full_text`, or the form of its entities."""
    identifier = next((fields[name] for name in ("id_str", "id", "_id") if fields.get(name) is not None), None)
    if not _may_be_an_id(identifier) or {"text", "full_text"}.isdisjoint(fields):
        return False
    if _is_our_own(fields, identifier):
        return False
    if _names_classic_user(fields, identifier):
        return True
    if fields.get("created_at") is None or any(fields.get(name) is not None for name in ("author", "author_id")):
        return False
    if _is_text_id(fields.get("id_str")) and _is_large(identifier):
        # Beside another id it is a column of the writer's own.
        return isinstance(fields.get("id"), float | None) or str(fields["id"]) == fields["id_str"]
    return isinstance(fields.get("full_text"), str) or (_is_large(identifier) and _has_classic_entities(fields))


def is_thin_modern(fields: Fields) -> bool:
    """Says whether it is a post of API v2: by its `author_id`, its metrics, or the client that wrote it."""
    identifier, author = fields.get("id"), fields.get("author")
    if not _may_be_an_id(identifier) or "text" not in fields or _is_our_own(fields, identifier):
        return False
    names_user = isinstance(author, dict) and isinstance(author.get("username"), str)
    has_metrics = isinstance(fields.get("public_metrics"), dict)
    if not is_id(fields.get("author_id")):
        source = fields.get("source")
        is_client = isinstance(source, str) and (
            source.startswith(_CLIENTS) or (names_user and _SOURCE_NAME.fullmatch(source) is None)
        )
        return (is_client or has_metrics) and _is_large(identifier)
    return names_user or has_metrics or _is_large(identifier)


def _id_fits_date(identifier: object, fields: Fields) -> bool:
    made_at, named_date = (
        timestamp_of_id(int(str(identifier))) if is_id(identifier) else None,
        timestamp_of(fields.get("created_at")),
    )
    return made_at is not None and named_date is not None and abs(made_at - named_date) < _CLOCKS_DIFFER


def _names_classic_user(fields: Fields, identifier: object) -> bool:
    user = fields.get("user")
    if not isinstance(user, dict):
        return False
    users = next((user[name] for name in ("id_str", "id") if user.get(name) is not None), None)
    if users is not None and not _may_be_an_id(users):
        return False
    names = isinstance(user.get("screen_name"), str) or _is_text_id(user.get("id_str"))
    return names or (users is not None and _id_fits_date(identifier, fields))


def _may_be_our_own(fields: Fields) -> bool:
    """Says whether a field makes it one of our lines.

    X has a `source`, too (a client, such as `Twitter Web App`), and an `author` (with a `username`).
    """
    source = fields.get("source")
    names_source = isinstance(source, str) and _SOURCE_NAME.fullmatch(source) is not None
    return names_source or _has_own_author(fields) or any(fields.get(name) is not None for name in _OWN)


def _is_our_own(fields: Fields, identifier: object) -> bool:
    """Says the same beside a field that X alone has, because some clients have names of sources (`web`, `dlvr.it`)."""
    source = fields.get("source")
    names_source = isinstance(source, str) and _SOURCE_NAME.fullmatch(source) is not None
    if names_source and (":" in str(source) or source in _OWN_SOURCES or not _is_large(identifier)):
        return True
    return _has_own_author(fields) or any(fields.get(name) is not None for name in _OWN_ALONE)


def _has_own_author(fields: Fields) -> bool:
    author = fields.get("author")
    return author is not None and not (isinstance(author, dict) and "username" in author)


def _may_be_an_id(value: object) -> bool:
    """Says whether the value is an id, or was one: a number with a fraction, which the reader of the post refuses."""
    return is_id(value) or isinstance(value, float)


def _is_large(value: object) -> bool:
    return isinstance(value, float) or (is_id(value) and int(str(value)) >= _LARGE_ID)


def _is_text_id(value: object) -> bool:
    return isinstance(value, str) and is_id(value)


def _has_classic_entities(fields: Fields) -> bool:
    """Says whether entities have offsets as `indices`; those of API v2 have a `start` and an `end`."""
    entities = fields.get("entities")
    if not isinstance(entities, dict):
        return False
    return any(
        isinstance(group, list) and group and isinstance(group[0], dict) and "indices" in group[0]
        for group in entities.values()
    )
