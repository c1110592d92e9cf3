"""The entity index: what every implementation promises. `tests/contract/index_contract.py` holds each promise.

Owns the order of effects (registry, document, dead letters, cursor). Knows nothing of sources, models or Kafka.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from tagstream.posts import AccountStatus, DeadLetter, Deletion, EntityType, Erasure, TaggedPost


@dataclass(frozen=True, slots=True)
class Indexable:
    """A tagged post on its way into the index, with what only the registry keeps of it."""

    post: TaggedPost
    observed_at: datetime
    position: int = 0


Change = Indexable | Deletion | Erasure | AccountStatus | DeadLetter


@dataclass(frozen=True, slots=True)
class SourceCursor:
    """How far a source has been read; stored in the same transaction as the changes up to it."""

    source: str
    position: str


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What became of a batch; the fields sum to its length.

    `stored` posts are new or replaced an older version; `duplicate` ones repeat the stored version; `stale` ones are
    older than it; `deleted` ones meet a tombstone or an erasure; `tombstones` counts deletions and erasures applied;
    `statuses` the account statuses taken note of, newest or not; `dead` the dead letters kept. `news`, beside the sum,
    are the posts (id, revision) whose mentions are to be counted: a revision is stored that was not, which a new answer
    of a model to the stored one is not. A repeat of exactly what is stored is news again, because it may be the replay
    of a write whose mentions never got out. What a hidden author writes is no news.
    """

    stored: int = 0
    duplicate: int = 0
    stale: int = 0
    deleted: int = 0
    tombstones: int = 0
    statuses: int = 0
    dead: int = 0
    news: frozenset[tuple[str, int]] = field(default=frozenset(), compare=False)


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


class EntityIndex(Protocol):
    """Posts, their entities, and the registry that decides which version of each may be seen.

    The posts of an author who is hidden are kept, and no search, count or trend sees them, nor `get`.

    All methods are safe to call again with the same arguments. They raise `IndexUnavailable` when the store does not
    answer (try again) and `Fatal` when it is corrupt or newer than this code.
    """

    async def write(self, changes: Sequence[Change], cursor: SourceCursor | None = None) -> WriteReport:
        """Applies the changes in order, then the cursor. Durable on return and idempotent.

        One that raises may leave a part of the changes (never the cursor) where the store has no transactions; the
        same call again completes it.
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

    def dead_letters(self, cause: str | None = None) -> AsyncIterator[DeadLetter]: ...

    async def drop_dead_letters(self, origins: Sequence[str]) -> int: ...

    async def close(self) -> None: ...
