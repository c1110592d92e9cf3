"""The journal of one process: what the detectors were given since their last snapshot, stored with the posts.

::

    write(posts, cursor, state: the entry) ─▶ one transaction ─▶ the detectors
    restart: snapshot (of everything up to entry n) ─▶ entries n+1, n+2, … in order

Entries lie in a ring of names, so they take bounded room and none has to be removed: an entry may replace one that a
snapshot holds. Pure, but for `entries_after`, which reads.
"""

import zlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from search.events.snapshots import pack, unpack
from search.index import EntityIndex
from tagstream.detections import PostMentions
from tagstream.errors import CorruptState

SNAPSHOT = "detectors"
"""The name of the snapshot."""
SLOTS = 512
"""The most entries since a snapshot."""
MISSING = "missing"
"""The name of the mark of an index that holds posts which no detector was given."""
POSTS_ARE_MISSING: Mapping[str, bytes] = {MISSING: b"posts"}
NONE_IS_MISSING: Mapping[str, bytes] = {MISSING: b""}

_KIND, _VERSION = "detectors of one process", 1
_NUMBER_BYTES = 8
_LEVEL = 1

JournalItem = PostMentions | str
"""The mentions of a post, or the id of a deleted one."""

_ITEMS: TypeAdapter[tuple[JournalItem, ...]] = TypeAdapter(tuple[JournalItem, ...])


class JournalEntry(NamedTuple):
    """The posts and deletions that the detectors were given with one write. Numbers grow by one."""

    number: int
    items: Sequence[JournalItem]


def stored_entry(entry: JournalEntry) -> Mapping[str, bytes]:
    """Returns the entry as the index is to store it."""
    body = zlib.compress(_ITEMS.dump_json(tuple(entry.items)), _LEVEL)
    return {_name(entry.number): entry.number.to_bytes(_NUMBER_BYTES) + body}


async def entries_after(index: EntityIndex, number: int) -> AsyncIterator[JournalEntry]:
    """Yields the stored entries after this number, in order.

    Raises:
        CorruptState: an entry cannot be read.
    """
    while True:
        number += 1
        stored = await index.detector_state(_name(number))
        if not stored or int.from_bytes(stored[:_NUMBER_BYTES]) != number:
            return
        try:
            yield JournalEntry(number, _ITEMS.validate_json(zlib.decompress(stored[_NUMBER_BYTES:])))
        except (zlib.error, ValidationError) as error:
            raise CorruptState(
                f"entry {number} of the detectors' journal cannot be read: `tagstream events --rebuild` begins anew"
            ) from error


async def stored_journal(index: EntityIndex, number: int) -> Mapping[str, bytes]:
    """Returns the journal as it is to be stored without the words of posts that are gone: its entries after a number.

    Their posts stay, without subjects, so that the feed comes as far as it came; entries up to the number are emptied.

    Raises:
        CorruptState: an entry cannot be read.
    """
    stored: dict[str, bytes] = {}
    for slot in range(SLOTS):
        if await index.detector_state(_name(slot)):
            stored[_name(slot)] = b""
    async for entry in entries_after(index, number):
        ids = {item.post_id for item in entry.items if not isinstance(item, str)}
        gone = ids.difference(await index.kept(ids))
        stored |= stored_entry(JournalEntry(entry.number, [_without_words(item, gone) for item in entry.items]))
    return stored


def _without_words(item: JournalItem, gone: Collection[str]) -> JournalItem:
    if isinstance(item, str) or item.post_id not in gone:
        return item
    return item.model_copy(update={"subjects": (), "shingles": ()})


async def newest_number(index: EntityIndex) -> int:
    """Returns the number of the newest stored entry, 0 if there is none."""
    stored = [await index.detector_state(_name(slot)) for slot in range(SLOTS)]
    return max(int.from_bytes((entry or b"")[:_NUMBER_BYTES]) for entry in stored)


def stored_snapshot(number: int, snapshot: bytes) -> Mapping[str, bytes]:
    """Returns a snapshot of everything up to an entry, as the index is to store it."""
    return {SNAPSHOT: pack(_KIND, _VERSION, [number, snapshot])}


def read_snapshot(stored: bytes) -> tuple[int, bytes]:
    """Returns the number of the last entry in a stored snapshot, and the snapshot.

    Raises:
        CorruptState: it is none.
    """
    number, snapshot = unpack(_KIND, _VERSION, stored, lambda state: (int(state[0]), bytes(state[1])))
    return number, snapshot


def _name(number: int) -> str:
    return f"journal/{number % SLOTS}"
