"""A source, a tagger and an index that live in memory and do as the test tells them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

from search.index import Change, Indexable, SourceCursor, WriteReport
from tagstream.errors import IndexUnavailable, RejectedDocument
from tagstream.posts import (
    DELETED_FOR_EVER,
    AccountStatus,
    DeadLetter,
    Deletion,
    Event,
    Post,
    TaggedPost,
    deletion_version,
    stored_version,
)
from tagstream.source import Received

CREATED = datetime(2024, 5, 1, 12, tzinfo=UTC)


def post(number: int | str, text: str = "Angela Merkel in Paris", **fields: object) -> Post:
    """A post of the source `jsonl`."""
    return Post(id=f"jsonl:{number}", source="jsonl", created_at=CREATED, text=text, **fields)  # type: ignore[arg-type]


class ListSource:
    """Yields its events; the cursor is how many were given. After them it ends, or waits for ever if `live`."""

    def __init__(self, events: Sequence[Event], *, live: bool = False) -> None:
        self.name = "jsonl:list"
        self.given = 0
        self.opened_at: str | None = "never"
        self.closed = False
        self.counted: dict[str, int] = {}
        self.failure: Exception | None = None
        self._events = events
        self._live = live

    async def open(self, cursor: str | None) -> None:
        self.opened_at = cursor
        self.given = int(cursor or 0)

    async def next_batch(self, limit: int) -> Sequence[Received]:
        await asyncio.sleep(0)
        end = min(self.given + limit, len(self._events))
        batch = [Received(self._events[i], str(i + 1)) for i in range(self.given, end)]
        if not batch and self.failure is not None:
            raise self.failure
        if not batch and self._live:
            await asyncio.Event().wait()
        self.given = end
        return batch

    def counts(self) -> Mapping[str, int]:
        return dict(self.counted)

    async def close(self) -> None:
        self.closed = True


class MemoryIndex:
    """What an index promises, in dictionaries. `down` makes every call fail; `refused` ids are rejected."""

    def __init__(self) -> None:
        self.posts: dict[str, TaggedPost] = {}
        self.versions: dict[str, int] = {}
        self.letters: dict[str, DeadLetter] = {}
        self.statuses: list[AccountStatus] = []
        self.cursors: dict[str, str] = {}
        self.changes: list[Change] = []
        self.saved_cursors: list[str] = []
        self.down = False
        self.refused: set[str] = set()
        self.write_seconds = 0.0

    async def write(self, changes: Sequence[Change], cursor: SourceCursor | None = None) -> WriteReport:
        await asyncio.sleep(self.write_seconds)
        if self.down:
            raise IndexUnavailable("the index is locked by a test")
        for change in changes:
            if isinstance(change, Indexable) and change.post.id in self.refused:
                raise RejectedDocument(f"{change.post.id} is refused by a test")
        counts = Counter(self._apply(change) for change in changes)
        self.changes += changes
        if cursor is not None:
            self.cursors[cursor.source] = cursor.position
            self.saved_cursors.append(cursor.position)
        return WriteReport(**counts)

    async def rehearse(self, changes: Sequence[Change]) -> dict[int, Exception]:
        return {
            place: RejectedDocument(f"{change.post.id} is refused by a test")
            for place, change in enumerate(changes)
            if isinstance(change, Indexable) and change.post.id in self.refused
        }

    def _apply(self, change: Change) -> str:
        if isinstance(change, DeadLetter):
            self.letters[change.origin] = change
            return "dead"
        if isinstance(change, Deletion):
            self.versions[change.id] = deletion_version(change)
            self.posts.pop(change.id, None)
            return "tombstones"
        if isinstance(change, AccountStatus):
            self.statuses.append(change)
            return "statuses"
        if not isinstance(change, Indexable):
            self.posts = {id: one for id, one in self.posts.items() if not one.author or one.author.id != change.author}
            return "tombstones"
        tagged = change.post
        known = self.versions.get(tagged.id, -1)
        version = stored_version(tagged.revision, tagged.generation)
        if version <= known:
            return "deleted" if known == DELETED_FOR_EVER else "duplicate" if version == known else "stale"
        self.versions[tagged.id] = version
        self.posts[tagged.id] = tagged
        return "stored"

    async def cursor(self, source: str) -> str | None:
        if self.down:
            raise IndexUnavailable("the index is locked by a test")
        return self.cursors.get(source)

    async def drop_dead_letters(self, origins: Sequence[str]) -> int:
        if self.down:
            raise IndexUnavailable("the index is locked by a test")
        return sum(self.letters.pop(origin, None) is not None for origin in origins)

    async def documents(self) -> AsyncIterator[TaggedPost]:
        for _, tagged in sorted(self.posts.items()):
            yield tagged
