"""The memory of feeds between polls and over restarts: how to ask again, and which entries were read. Pure.

Entries are remembered as digests of 48 bits, those in the feed now first, so that a cursor stays small. A feed that
shows an entry again after it fell out of memory gives it again, and the index removes it by its id.
"""

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from tagstream.errors import CorruptState

REMEMBERED_ENTRIES = 1000
REMEMBERED_NAMES = 1000
_VERSION = 1
_MARK_LENGTH = 8


def mark(identifier: str, revision: int) -> str:
    """Returns the mark of one revision of one entry."""
    return base64.urlsafe_b64encode(hashlib.sha256(f"{revision} {identifier}".encode()).digest()[:6]).decode()


@dataclass(frozen=True, slots=True)
class FeedMemory:
    """The memory of one feed: the validators of its last answer (ETag, Last-Modified), and the marks of read entries.

    `repeated` are marks of the names, and of the stories under them, that several of its entries bore.
    """

    validators: tuple[str | None, str | None] = (None, None)
    marks: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()

    @property
    def was_read(self) -> bool:
        """Whether the feed was read before."""
        return bool(self.marks) or self.validators != (None, None)

    def after(
        self, validators: tuple[str | None, str | None], marks: Iterable[str], repeated: Iterable[str] = ()
    ) -> "FeedMemory":
        """Returns the memory after an answer with these validators, entries and repeated names was read whole."""
        kept, names = dict.fromkeys([*marks, *self.marks]), dict.fromkeys([*repeated, *self.repeated])
        return FeedMemory(validators, tuple(kept)[:REMEMBERED_ENTRIES], tuple(names)[:REMEMBERED_NAMES])


def to_cursor(memories: dict[str, FeedMemory]) -> str:
    """Writes the memories of feeds, by address, as a cursor."""
    feeds = {
        address: [*memory.validators, "".join(memory.marks), *(["".join(memory.repeated)] if memory.repeated else [])]
        for address, memory in memories.items()
    }
    return json.dumps({"version": _VERSION, "feeds": feeds}, separators=(",", ":"), sort_keys=True)


def from_cursor(cursor: str | None) -> dict[str, FeedMemory]:
    """Reads the memories of a cursor; none for None.

    Raises:
        CorruptState: it is none that `to_cursor` made.
    """
    if cursor is None:
        return {}
    try:
        fields = json.loads(cursor)
        if fields["version"] != _VERSION:
            raise ValueError("another version")
        return {address: _memory(*memory) for address, memory in fields["feeds"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorruptState(f"the saved cursor {cursor[:80]!r} is not one of feeds") from error


def _memory(etag: object, last_modified: object, marks: object, repeated: object = "") -> FeedMemory:
    if not isinstance(etag, str | None) or not isinstance(last_modified, str | None):
        raise TypeError
    return FeedMemory((etag, last_modified), _cut(marks), _cut(repeated))


def _cut(marks: object) -> tuple[str, ...]:
    if not isinstance(marks, str):
        raise TypeError
    return tuple(marks[start : start + _MARK_LENGTH] for start in range(0, len(marks), _MARK_LENGTH))
