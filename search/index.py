"""The entity index: what every implementation promises. `search/testing/index_contract.py` holds each promise.

Owns the order of effects (registry, document, dead letters, cursor). Knows nothing of sources, models or Kafka.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from search.registry import RegistryRecord
from tagstream.posts import (
    AccountStatus,
    DeadLetter,
    Deletion,
    EntityType,
    Erasure,
    TaggedPost,
    from_epoch_milliseconds,
)


class Thumbnail(NamedTuple):
    """The small JPEG of a photo, and the SHA-256 of the photo that it was made from."""

    sha256: str
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Indexable:
    """A tagged post on its way into the index, with what only the registry and the media store keep of it.

    `thumbnails` are those of its media that came with their bytes; the post itself carries none.
    """

    post: TaggedPost
    observed_at: datetime
    position: int = 0
    thumbnails: tuple[Thumbnail, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Remembered:
    """All that an index knows of one id: its record and, where it may be seen, its post with the thumbnails.

    What a backup is made of. Written to another index it has its moment there, and takes back nothing that is newer or
    was deleted there.
    """

    record: RegistryRecord
    post: TaggedPost | None = None
    thumbnails: tuple[Thumbnail, ...] = field(default=(), repr=False)

    def indexable(self) -> Indexable | None:
        """The post on its way into another index, None where there is none."""
        if self.post is None:
            return None
        observed_at = from_epoch_milliseconds(self.record.observed_at)
        return Indexable(self.post, observed_at, self.record.position, self.thumbnails)


Change = Indexable | Deletion | Erasure | AccountStatus | DeadLetter
Writable = Change | Remembered


@dataclass(frozen=True, slots=True)
class SourceCursor:
    """How far a source has been read; stored in the same transaction as the changes up to it."""

    source: str
    position: str


@dataclass(frozen=True, slots=True)
class Unnamed:
    """So many erasures of accounts of which an index keeps no names: no backup can hold them."""

    erasures: int


Kept = AccountStatus | Erasure | Remembered | DeadLetter | SourceCursor | Unnamed


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What became of a batch; the fields sum to its length.

    `stored` posts are new or replaced an older version; `duplicate` ones repeat the stored version; `stale` ones are
    older than it; `deleted` ones meet a tombstone or an erasure; `tombstones` counts deletions and erasures applied,
    and what a backup brings of ids without a post; `statuses` the account statuses taken note of, newest or not; `dead`
    the dead letters kept. `news`, beside the sum, are the posts (id, revision) whose mentions are to be counted: a
    revision is stored that was not, which a new answer of a model to the stored one is not. A repeat of exactly what is
    stored is news again, because it may be the replay of a write whose mentions never got out. Neither what a hidden
    author writes is news, nor what a backup brings. `refused_thumbnails`, beside the sum too, are those that the media
    store never takes; their posts are stored without them.
    """

    stored: int = 0
    duplicate: int = 0
    stale: int = 0
    deleted: int = 0
    tombstones: int = 0
    statuses: int = 0
    dead: int = 0
    new_revisions: frozenset[tuple[str, int]] = field(default=frozenset(), compare=False)
    refused_thumbnails: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Query:
    """A question: every given part must hold. `text` is the user's query language (search/query.py)."""

    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    source: str | None = None
    order: Literal["relevance", "newest"] = "newest"
    size: int = 20
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of answers; `total` counts all of them; `next` continues, None at the end."""

    posts: tuple[TaggedPost, ...]
    total: int
    next: str | None


@dataclass(frozen=True, slots=True)
class Bucket:
    """Mentions of one entity in one stretch of time that begins at `start`: posts and distinct authors."""

    start: datetime
    posts: int
    authors: int


@dataclass(frozen=True, slots=True)
class EntityCount:
    """How often an entity is mentioned: posts and distinct authors. `text` is its commonest spelling."""

    key: str
    type: EntityType
    text: str
    posts: int
    authors: int


@dataclass(frozen=True, slots=True)
class Trend:
    """An entity mentioned by more authors in the window than its past explains; `series` is its recent counts."""

    entity: EntityCount
    expected: float
    score: float
    series: tuple[int, ...] = field(default=())


class Compacted(NamedTuple):
    """How many bytes an index took before it was compacted, and after."""

    before: int
    after: int


class EntityIndex(Protocol):
    """Posts, their entities, and the registry that decides which version of each may be seen.

    The posts of an author who is hidden are kept, and no search, count or trend sees them, nor `get`.

    All methods are safe to call again with the same arguments. They raise `IndexUnavailable` when the store does not
    answer (try again) and `Fatal` when it is corrupt or newer than this code.
    """

    async def write(self, changes: Sequence[Writable], cursor: SourceCursor | None = None) -> WriteReport:
        """Applies the changes in order, then the cursor. Durable on return and idempotent.

        Of each post that the changes touch exactly those thumbnails stay, of the ones that they bring and the ones that
        are there, whose photos its visible document shows; and those that were kept ahead for a newer revision.

        One that raises may leave a part of the changes (never the cursor) where the store has no transactions; the
        same call again completes it.
        """
        ...

    async def rehearse(self, changes: Sequence[Writable]) -> dict[int, Exception]:
        """Does with each change alone what `write` would, keeps nothing, and says by its place which one fails.

        What only shows where a store takes a document (a server's refusal) is not found.
        """
        ...

    async def keep_thumbnails(self, posts: Sequence[Indexable]) -> int:
        """Keeps thumbnails ahead of posts that are handed on without them; says how many the store refused for good.

        Durable on return and idempotent. Nobody sees them until their post is written, and that `write` decides which
        of them stay: so it must follow, or `discard_thumbnails`, or the same posts again.
        """
        ...

    async def discard_thumbnails(self, posts: Sequence[Indexable]) -> None:
        """Removes the thumbnails of these revisions, which are not going to be written after all.

        A thumbnail that an older revision shares goes with them: better a post without its picture than a picture
        that no deletion finds.
        """
        ...

    async def refresh(self) -> None:
        """After it returns, every earlier `write` is visible to searches."""
        ...

    async def cursor(self, source: str) -> str | None:
        """The saved position of a source, None if it was never read."""
        ...

    async def search(self, query: Query) -> Page: ...

    async def get(self, post_id: str) -> TaggedPost | None: ...

    async def thumbnail(self, post_id: str, ordinal: int) -> bytes | None:
        """The JPEG of the post's medium of that number, counted from 0.

        None if none is kept, or the post is not visible.
        """
        ...

    async def top_entities(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        type: EntityType | None = None,
        size: int = 20,
    ) -> list[EntityCount]:
        """The entities most authors mention, most first."""
        ...

    async def counts(
        self, key: str, type: EntityType | None, *, since: datetime, until: datetime, bucket_seconds: int
    ) -> list[Bucket]:
        """Mentions of one entity over time; every bucket of the range is there, empty ones too."""
        ...

    async def companions(
        self,
        key: str,
        type: EntityType | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        size: int = 20,
    ) -> list[EntityCount]:
        """The entities mentioned in the same posts, most authors first."""
        ...

    async def trending(
        self, *, until: datetime | None = None, window_seconds: int = 3600, past_windows: int = 24, size: int = 20
    ) -> list[Trend]:
        """The entities whose distinct authors in the last window exceed what the windows before it explain.

        `until` defaults to the newest minute of the feed: archives are years old.
        """
        ...

    def documents(self, *, with_hidden: bool = False) -> AsyncIterator[TaggedPost]:
        """Every visible post, in order of id (by code point); `with_hidden` also those of hidden authors."""
        ...

    def account_statuses(self) -> AsyncIterator[AccountStatus]:
        """The newest status of every account that ever had one, in order of source and author (by code point)."""
        ...

    def everything(self) -> AsyncIterator[Kept]:
        """All that the index keeps, as of one moment, in the order in which another index may take it in.

        Statuses and erasures come first, so that nobody sees for a moment what is hidden or gone; the dead letters
        after the deletions that decide about them; the cursors last. Thumbnails that wait for their posts are left out.
        """
        ...

    def dead_letters(self, cause: str | None = None) -> AsyncIterator[DeadLetter]: ...

    async def drop_dead_letters(self, origins: Sequence[str]) -> int: ...

    async def compact(self) -> Compacted:
        """Leaves no trace of what was removed in what is stored, as far as the store can do so at once.

        Raises:
            IndexUnavailable: somebody still reads what was removed; to be done again.
        """
        ...

    async def close(self) -> None: ...
