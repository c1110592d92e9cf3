"""The thumbnails in Elasticsearch: where they lie, and which of a post's stay. Pure: needs no server.

::

    newsroom-media-2026.03.01   m:<post id>/<sha256>   {"jpeg": base64}      version: the post's revision

A thumbnail lies in the index of its post's day, so that both are dropped together. A writer that stores it ahead of its
post may not know that day yet, and takes the day that the post alone would have. So a post's entry of the registry
lists every *place* (`<day>/<sha256>`) where a thumbnail may lie, and whether the visible document shows that photo. The
list only grows, up to `MAX_PLACES`: deletions do not clear it, so that a repeated deletion removes again what the first
may have left. A removal carries the revision it is about, and spares what was stored ahead of a newer revision.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from search.batch import Offer
from search.documents import post_number
from search.elastic.address import Names
from search.elastic.bulk import Action
from search.elastic.documents import RegistryEntry, day_of, document_id, to_json
from search.index import Indexable
from search.registry import OfferOutcome
from search.thumbnails import photos_of
from tagstream.errors import CorruptState
from tagstream.posts import TaggedPost

MAX_PLACES = 32

Place = str


def place(day: str, photo: str) -> Place:
    """Returns the place of the thumbnail of a photo on a day."""
    return f"{day}/{photo}"


def photo_of(where: Place) -> str:
    """Returns the SHA-256 of the photo whose thumbnail lies there."""
    return where.rpartition("/")[2]


def day_alone(post: TaggedPost, observed_at: datetime, retention_days: int) -> str:
    """Returns the day of a post that the registry does not know yet."""
    return day_of(post_number(post.created_at, observed_at), observed_at, retention_days)


def places_of(change: Indexable, day: str | None, retention_days: int) -> set[Place]:
    """Returns every place where thumbnails may have been stored ahead of the post; `day` as in the registry."""
    photos = photos_of(change.post)
    if not photos:
        return set()
    days = {day, day_alone(change.post, change.observed_at, retention_days)}
    return {place(one, photo) for one in days if one is not None for photo in photos}


def note_photos(entry: RegistryEntry, offer: Offer, retention_days: int) -> set[Place]:
    """Enters into the entry's list what an offered post shows; returns the places off the list, which must be empty."""
    places = places_of(offer.change, entry.day, retention_days)
    if not places and not entry.photos:
        return set()
    before = entry.photos
    if offer.outcome is OfferOutcome.STORED:
        photos = photos_of(offer.change.post)
        entry.photos = {one: photo_of(one) in photos for one in before} | dict.fromkeys(sorted(places), True)
    elif offer.is_visible:
        shown = {photo_of(one) for one, is_shown in before.items() if is_shown}
        entry.photos = before | {one: True for one in sorted(places) if photo_of(one) in shown}
    for one in _surplus(entry):
        del entry.photos[one]
    return (places | before.keys()) - entry.photos.keys()


def _surplus(entry: RegistryEntry) -> list[Place]:
    """Returns the places that a too long list loses: photos that are not shown first, then other days than the post's.

    Without this bound a feed that repeats a post, each time with another date, would make its entry grow for ever.
    """
    ordered = sorted(entry.photos, key=lambda one: (entry.photos[one], one.partition("/")[0] == entry.day))
    return ordered[: max(0, len(ordered) - MAX_PLACES)]


def shown_places(entry: RegistryEntry) -> set[Place]:
    """Returns the places of the thumbnails that the visible document shows."""
    return {one for one, is_shown in entry.photos.items() if is_shown} if entry.record.visible else set()


def removals(names: Names, entry: RegistryEntry, strays: Iterable[Place], expired_before: str) -> list[Action]:
    """Returns the actions that empty every place of a photo that the visible document does not show.

    Days before `expired_before` are left alone: their indices are dropped.
    """
    gone = (entry.photos.keys() | set(strays)) - shown_places(entry)
    return [removal(names, entry.record.id, one, entry.record.decided_revision) for one in _kept(gone, expired_before)]


def additions(names: Names, entry: RegistryEntry, brought: Mapping[str, bytes], expired_before: str) -> list[Action]:
    """Returns the actions that store the thumbnails that came with the changes and are shown."""
    if entry.day is None or entry.day < expired_before:
        return []
    shown = {photo_of(one) for one in shown_places(entry)}
    revision = entry.record.decided_revision
    return [
        addition(names, entry.record.id, place(entry.day, photo), jpeg, revision)
        for photo, jpeg in brought.items()
        if photo in shown
    ]


def ahead(names: Names, change: Indexable, day: str | None, retention_days: int, expired_before: str) -> list[Action]:
    """Returns the actions that store the thumbnails of a post to come; `day` as in the registry, None if unknown."""
    where = day or day_alone(change.post, change.observed_at, retention_days)
    if where < expired_before:
        return []
    return [
        addition(names, change.post.id, place(where, one.sha256), one.jpeg, change.post.revision)
        for one in change.thumbnails
    ]


def addition(names: Names, post_id: str, where: Place, jpeg: bytes, revision: int) -> Action:
    """Returns the action that stores a thumbnail for a revision, unless a newer revision stored one there."""
    source = to_json({"jpeg": base64.b64encode(jpeg).decode()})
    index, identifier = address(names, post_id, where)
    return Action("index", index, identifier, source, version=revision, may_be_refused=True)


def removal(names: Names, post_id: str, where: Place, revision: int) -> Action:
    """Returns the action that removes what was stored there for a revision or an older one."""
    index, identifier = address(names, post_id, where)
    return Action("delete", index, identifier, version=revision)


def address(names: Names, post_id: str, where: Place) -> tuple[str, str]:
    """Returns the index and the document id of a place."""
    day, _, photo = where.rpartition("/")
    return names.media_of_day(day), document_id("m", f"{post_id}/{photo}")


def read_jpeg(hit: Mapping[str, Any]) -> bytes:
    """Returns the thumbnail that a document holds.

    Raises:
        CorruptState: the document holds no thumbnail.
    """
    try:
        return base64.b64decode(hit["_source"]["jpeg"], validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        raise CorruptState(f"The stored thumbnail {hit['_id']!r} cannot be read: {error}.") from error


def _kept(places: Iterable[Place], expired_before: str) -> list[Place]:
    return sorted(one for one in places if one.partition("/")[0] >= expired_before)
