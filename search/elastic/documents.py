"""The documents in Elasticsearch of posts, dead letters, statuses and records: pure functions to JSON and back.

The document of a post carries the post as it was written (`document`, which no query sees), its terms
(`search/terms.py`), what is counted, and flat fields for people and dashboards.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from pydantic import ValidationError

from search.documents import IMPLAUSIBLE_TIME, TIME_SHIFT, read_document, with_zone
from search.elastic.address import OLD
from search.registry import AccountVisibility, RegistryRecord
from search.terms import MAX_ENTITY_MARKS, author_key, hash_key, hashtags_of, marks_column, words_column
from tagstream.errors import CorruptState
from tagstream.posts import (
    ENTITY_TYPES,
    AccountStatus,
    DeadLetter,
    Entity,
    EntityType,
    TaggedPost,
    from_epoch_milliseconds,
    stored_version,
    to_epoch_milliseconds,
)

MAX_ID_BYTES = 512  # what Elasticsearch takes as the id of a document
MAX_KEYWORD_LENGTH = 1_024
TIMING_FIELDS = ("arrived_at", "indexed_at", "processing_seconds", "lag_seconds")
FLAT_FIELDS: dict[EntityType, str] = {"PER": "person", "LOC": "place", "ORG": "organisation", "MISC": "other"}
_RECORD_FIELDS = tuple(one.name for one in fields(RegistryRecord))


@dataclass(slots=True)
class RegistryEntry:
    """A document of the registry: a record, and what only this kind of index keeps beside it.

    Attributes:
        record: the record.
        day: the day whose index holds the post's document, None while only a deletion was met.
        author: the key of the author of the document that was last stored.
        seen: the sequence number and the primary term of the state that was read, None if there is none yet.
        version: the version of the state that was read, 0 if there is none yet.
        photos: the places where thumbnails may lie, and whether the document shows them (`thumbnails.py`).
        arrived_at: when a document of it was first written, or again after it was gone, in milliseconds since 1970;
            None of one that an older tagstream wrote.
    """

    record: RegistryRecord
    day: str | None = None
    author: int | None = None
    seen: tuple[int, int] | None = None
    version: int = 0
    photos: dict[str, bool] = field(default_factory=dict)
    arrived_at: int | None = None

    def state(self) -> tuple[object, ...]:
        """Returns everything that is stored of the entry, to compare states."""
        record = (getattr(self.record, name) for name in _RECORD_FIELDS)
        return (*record, self.day, self.author, self.arrived_at, *self.photos.items())

    def source(self) -> bytes:
        """Returns the entry as it is stored."""
        record = {name: getattr(self.record, name) for name in _RECORD_FIELDS}
        photos = {"photos": list(self.photos.items())} if self.photos else {}
        arrived = {} if self.arrived_at is None else {"arrived_at": self.arrived_at}
        return to_json({**record, "day": self.day, "author": self.author, **arrived, **photos})


def to_json(value: Mapping[str, Any]) -> bytes:
    """Returns the value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def document_id(kind: str, name: str) -> str:
    """Returns a document id of at most 512 bytes for a name of any length."""
    plain = f"{kind}:{name}"
    if len(plain.encode("utf-8", "surrogatepass")) <= MAX_ID_BYTES:
        return plain
    return f"{kind}:sha-{blake2b(name.encode('utf-8', 'surrogatepass'), digest_size=32).hexdigest()}"


def post_id(name: str) -> str:
    """Returns the document id of a post's record and of its document."""
    return document_id("p", name)


def account_id(source: str, author: str) -> str:
    """Returns the document id of an account's erasure and of its newest status; it names nobody."""
    account = f"{source}\0{author}".encode()
    return f"a:{blake2b(account, digest_size=16).hexdigest()}"


def status_document(source: str, author: str, visibility: AccountVisibility) -> dict[str, Any]:
    """Returns the document of an account that has a status."""
    key = author_key(source, author)
    return {"source": source, "author_id": author, "author": key, **visibility._asdict()}


def read_status(source: Mapping[str, Any]) -> AccountStatus:
    """Returns the status that a document holds.

    Raises:
        CorruptState: the document holds no status.
    """
    try:
        account = {"source": source["source"], "author": source["author_id"]}
        return AccountStatus(**account, position=source["position"], hidden=source["hidden"])
    except (KeyError, ValidationError) as error:
        raise CorruptState(f"A stored status of an account cannot be read: {error}.") from error


def read_entry(hit: Mapping[str, Any]) -> RegistryEntry:
    """Returns the entry that a hit of the registry holds.

    Raises:
        CorruptState: the hit holds no entry.
    """
    stored = dict(hit["_source"])
    try:
        day, author, photos = stored.pop("day"), stored.pop("author"), dict(stored.pop("photos", ()))
        arrived_at, seen = stored.pop("arrived_at", None), (hit["_seq_no"], hit["_primary_term"])
        return RegistryEntry(RegistryRecord(**stored), day, author, seen, hit["_version"], photos, arrived_at)
    except (TypeError, KeyError, ValueError) as error:
        raise CorruptState(f"The record {hit['_id']!r} of the registry cannot be read: {error}.") from error


def day_of(number: int, observed_at: datetime, retention_days: int) -> str:
    """Returns the day whose index holds the post, or `old`.

    The age is measured at `observed_at`, so that a replay agrees.
    """
    time = from_epoch_milliseconds(number >> TIME_SHIFT)
    if with_zone(observed_at) - time > timedelta(days=retention_days):
        return OLD
    return time.strftime("%Y.%m.%d")


def timing(post: TaggedPost, record: RegistryRecord, now: int, *, first: bool) -> dict[str, Any]:
    """Returns the fields of a document that tell when it is written: at `now`, in milliseconds since 1970.

    Only the first document of a post tells how late it is: a new answer of a model or an edit comes when it comes.
    """
    found: dict[str, Any] = {"indexed_at": now}
    if first:
        found["processing_seconds"] = max(0, now - record.observed_at) / 1_000
        if not record.number & IMPLAUSIBLE_TIME:
            found["lag_seconds"] = max(0, now - to_epoch_milliseconds(with_zone(post.created_at))) / 1_000
    return found


def post_document(
    post: TaggedPost, written: str, record: RegistryRecord, timing: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Returns the document of a post; `written` is its `post_json`, the record tells its time."""
    mentions = distinct(post.entities)
    document: dict[str, Any] = {
        "id": post.id,
        "version": stored_version(post.revision, post.generation),
        "time": record.number >> TIME_SHIFT,
        "implausible": bool(record.number & IMPLAUSIBLE_TIME),
        "author": hash_key("post", post.id) if post.author is None else author_key(post.source, post.author.id),
        "words": words_column(post),
        "marks": sorted(marks_column(post).split()),
        "mentions": list(mentions),
        "entities": [
            {
                "mention": mention,
                "type": entity.type,
                "key": entity.key,
                "text": entity.text,
                "score": entity.score,
                "in_hashtag": entity.in_hashtag,
            }
            for mention, entity in mentions.items()
        ],
        "document": written,
        "created_at": post.created_at.isoformat(),
        "observed_at": record.observed_at,
        **(timing or {}),
        "source": post.source,
        "author_id": post.author and post.author.id,
        "author_handle": post.author and post.author.handle,
        "lang": post.lang,
        "langs": list(post.langs),
        "text": post.text,
        "url": post.url,
        "links": [link.model_dump() for link in post.links],
        "hashtags": hashtags_of(post),
        "media_kinds": sorted({one.kind for one in post.media}),
        "image_labels": list(post.image_labels[:MAX_ENTITY_MARKS]),
        "model": post.model,
        "generation": post.generation,
        "degraded": list(post.degraded),
        "untagged": post.untagged,
    }
    for entity in mentions.values():
        field = FLAT_FIELDS[entity.type]
        document.setdefault(field, []).append(shown_name(entity.text))
        document.setdefault(f"{field}_key", []).append(entity.key)
    return {name: value for name, value in document.items() if value not in (None, [])}


def shown_name(text: str) -> str:
    """Returns a name as people and dashboards see it: as it was written, on one line."""
    return " ".join(text.split())


def mention_of(type: EntityType, key: str) -> str:
    """Returns the keyword under which an entity is counted."""
    return f"{type}:{key}"


_TYPES: dict[str, EntityType] = {type: type for type in ENTITY_TYPES}


def read_mention(mention: str) -> tuple[EntityType, str]:
    """Returns the type and the key that a keyword stands for."""
    type_, _, key = mention.partition(":")
    return _TYPES[type_], key


def distinct(entities: tuple[Entity, ...]) -> dict[str, Entity]:
    """Returns the first mention of each entity of a post; of a hostile post the thousandth name is not counted."""
    found: dict[str, Entity] = {}
    for entity in entities[:MAX_ENTITY_MARKS]:
        if len(entity.key) + 5 <= MAX_KEYWORD_LENGTH:
            found.setdefault(mention_of(entity.type, entity.key), entity)
    return found


def read_post(source: Mapping[str, Any]) -> TaggedPost:
    """Returns the post that a document holds.

    Raises:
        CorruptState: the document holds no post.
    """
    return read_document(source.get("document") or "{}")


def letter_document(letter: DeadLetter, kept_at: int) -> dict[str, Any]:
    """Returns the document of a cleaned dead letter; keys are hashes, because names may be of any length."""
    whole = letter.model_dump() | {"body": base64.b64encode(letter.body).decode()}
    document = {
        "letter": whole,
        "kept_at": kept_at,
        "origin_key": hash_key("origin", letter.origin),
        "cause_key": hash_key("cause", letter.cause),
        "post_key": None if letter.post_id is None else hash_key("letter", letter.post_id),
        "author_key": None if letter.author is None else author_key(letter.source, letter.author),
        "position": letter.position,
        "source": letter.source,
        "cause": letter.cause,
        "message": letter.message,
    }
    return {name: value for name, value in document.items() if value is not None}


def read_letter(source: Mapping[str, Any]) -> DeadLetter:
    """Returns the dead letter that a document holds.

    Raises:
        CorruptState: the document holds no dead letter.
    """
    try:
        whole = dict(source["letter"])
        return DeadLetter.model_validate(whole | {"body": base64.b64decode(whole["body"])})
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise CorruptState(f"A stored dead letter cannot be read: {error}.") from error
