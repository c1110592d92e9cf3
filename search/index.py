"""The interface of an entity index: the contract between the pipeline and every kind of index.

::

    pipeline   write · rehearse · keep_thumbnails · discard_thumbnails · cursor ─▶ EntityIndex ◀─ search · get · counts
    repair     dead_letters · drop_dead_letters · everything · documents ───────────▶  ▲  ▲    ◀─ trending · companions
    detectors  write_detections · detector_state · clear_detections · posts_by_time ───┘  │    ◀─ events · stored_trends
                                                                                          └ compact · close: the command

Owns the data types that cross the interface, and for each method who calls it, when, and what holds when it returns.
Knows nothing of sources, models or Kafka. `search.testing.IndexContract` tests every promise made here; a plug-in of
the group `tagstream.indexes` runs the same tests (docs/reference/index-contract.md).
"""

from collections.abc import AsyncIterator, Callable, Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from search.registry import RegistryRecord
from tagstream.detections import DetectedEvent, TrendState
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
    """A small JPEG of a photo, and the SHA-256 of the photo that it was made from."""

    sha256: str
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Indexable:
    """A tagged post to be written, with what only the registry and the media store keep.

    Attributes:
        post: the post, whose media carry no bytes.
        observed_at: when the post was accepted.
        position: the place of the post in its source. Positions of one source grow; an erasure covers posts up to one.
        thumbnails: the thumbnails of those of its media that came with their bytes.
    """

    post: TaggedPost
    observed_at: datetime
    position: int = 0
    thumbnails: tuple[Thumbnail, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Remembered:
    """Everything an index keeps of one id: its record and, if visible, its post with the thumbnails.

    A backup consists of these. Writing one to another index keeps the post's time, and neither replaces what is newer
    there nor brings back what was deleted there.
    """

    record: RegistryRecord
    post: TaggedPost | None = None
    thumbnails: tuple[Thumbnail, ...] = field(default=(), repr=False)

    def indexable(self) -> Indexable | None:
        """Returns the post as a change for another index, None if there is no post."""
        if self.post is None:
            return None
        observed_at = from_epoch_milliseconds(self.record.observed_at)
        return Indexable(self.post, observed_at, self.record.position, self.thumbnails)


Change = Indexable | Deletion | Erasure | AccountStatus | DeadLetter
Writable = Change | Remembered


@dataclass(frozen=True, slots=True)
class SourceCursor:
    """The position up to which a source has been read; stored with the changes up to it."""

    source: str
    position: str


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A number of erased accounts whose names the index does not keep, so that no backup can hold them."""

    erasures: int


Detection = TrendState | DetectedEvent
Kept = AccountStatus | Erasure | Remembered | Detection | DeadLetter | SourceCursor | Unnamed


@dataclass(frozen=True, slots=True)
class WriteReport:
    """The counts of what became of a batch; the counts down to `dead` sum to its length.

    Attributes:
        stored: posts that are new or replaced an older version.
        duplicate: posts that repeat the stored version.
        stale: posts older than the stored version.
        deleted: posts and dead letters that a deletion or an erasure covers.
        tombstones: deletions and erasures applied, and ids without a post that a backup brings.
        statuses: account statuses applied, the newest of an account or not.
        dead: dead letters kept.
        new_revisions: the posts (id, revision) whose entity mentions are to be counted. A revision is new if it was
            not stored before; a new answer of a model to a stored revision is not. The exact repeat of what is stored
            is new again, because it may replay a write whose mentions never went out. Posts of hidden authors and
            posts from a backup are never new.
        erased: the ids of the posts that erasures of the batch removed. Empty where the batch is repeated.
        refused_thumbnails: thumbnails that the media store never takes; their posts are stored without them.
    """

    stored: int = 0
    duplicate: int = 0
    stale: int = 0
    deleted: int = 0
    tombstones: int = 0
    statuses: int = 0
    dead: int = 0
    new_revisions: frozenset[tuple[str, int]] = field(default=frozenset(), compare=False)
    erased: frozenset[str] = field(default=frozenset(), compare=False)
    refused_thumbnails: int = field(default=0, compare=False)


StateOf = Callable[[WriteReport], Mapping[str, bytes]]
"""What is to be stored of the detectors with a write, given its report."""


@dataclass(frozen=True, slots=True)
class Query:
    """A search: every given part must hold.

    Attributes:
        text: a query in the language of `search/query.py`; empty for every post.
        since: the earliest time of a post.
        until: the time before which a post must lie.
        source: the source of the posts.
        order: newest first, or best match first.
        size: the most posts a page holds.
        after: `Page.next` of the page before.
    """

    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    source: str | None = None
    order: Literal["relevance", "newest"] = "newest"
    size: int = 20
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of found posts.

    Attributes:
        posts: the posts.
        total: the number of posts of all pages.
        next: asks for the page after it; None at the end.
        ranked: of a search by relevance, the number of posts that were compared: all, or the newest where an index
            cannot compare all of them soon.
        times: where each post lies in the feed: the earlier of `created_at` and its acceptance.
    """

    posts: tuple[TaggedPost, ...]
    total: int
    next: str | None
    ranked: int | None = None
    times: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Bucket:
    """The posts that mention one entity in a stretch of time that begins at `start`, and their distinct authors."""

    start: datetime
    posts: int
    authors: int


@dataclass(frozen=True, slots=True)
class EntityCount:
    """The posts that mention an entity, and their distinct authors; `text` is the entity's commonest spelling."""

    key: str
    type: EntityType
    text: str
    posts: int
    authors: int


@dataclass(frozen=True, slots=True)
class Trend:
    """An entity that more authors mention in a window than its past explains.

    Attributes:
        entity: the entity, with its posts and authors in the window.
        expected: the authors that the past lets expect.
        score: the deviations by which the authors exceed that.
        series: the distinct authors window by window, oldest first; the last is the window itself.
    """

    entity: EntityCount
    expected: float
    score: float
    series: tuple[int, ...] = field(default=())


FacetKind = Literal["person", "place", "organisation", "other", "type", "source", "language", "hashtag"]


class FacetValue(NamedTuple):
    """A name, type, source, language or hashtag with the posts of a query that have it.

    `value` is what a query asks for: the key of a name, a folded hashtag, a tag such as `en-US`. `text` is how people
    write it.
    """

    value: str
    text: str
    posts: int


@dataclass(frozen=True, slots=True)
class Facets:
    """The values that posts of a query have in common: of each kind those of most posts, most posts first.

    Attributes:
        values: the values by kind; a kind without any is left out.
        total: the posts that match.
        counted: the posts that were counted: all of them, or the newest where there are too many.
    """

    values: Mapping[FacetKind, tuple[FacetValue, ...]]
    total: int
    counted: int


class Span(NamedTuple):
    """A stretch of time: from the minute of its first post to the end of the minute of its last one."""

    since: datetime
    until: datetime


BEGINNING = "0"
"""The position before everything that came into an index."""


class Arrivals(NamedTuple):
    """Posts that came into an index.

    Attributes:
        posts: the posts, in the order in which they came.
        ids: the ids to be known by the next call: those of the posts, and of others that it would read again.
        next: the position after them.
        more: whether the next call has posts that are there already.
    """

    posts: tuple[TaggedPost, ...]
    ids: frozenset[str]
    next: str
    more: bool


class Compacted(NamedTuple):
    """The bytes that an index took before it was compacted, and after."""

    before: int
    after: int


class EntityIndex(Protocol):
    """The posts, their entities, and the registry that decides which version of each post is visible.

    **Who opens it.** `search.open.open_index` opens an index, one for each process that needs one, and closes it. All
    calls come from the event loop that opened it.

    **Concurrency.** Reads may run beside each other and beside a write. The pipeline awaits one `write` before the
    next; an index that many processes write to must keep every promise whatever the others do meanwhile.

    **Idempotence.** Any call may be repeated with the same arguments, and must be after `IndexUnavailable`: the
    pipeline commits an offset only after `write` returned, and reads everything after the last commit again.

    **Visibility.** The newest revision of a post decides, whatever the order of arrival (`search/registry.py`).
    No search, count, trend or `get` sees a post of a hidden author; the posts are kept.

    **Errors.** Every method raises `IndexUnavailable` while the store does not answer (the caller tries again, without
    limit), and a `Fatal` error when the store is corrupt or newer than this code (the process stops).
    """

    async def write(
        self, changes: Sequence[Writable], cursor: SourceCursor | None = None, state: StateOf | None = None
    ) -> WriteReport:
        """Applies the changes in order, then saves the cursor.

        Called by the index stage of the pipeline with a batch, and by repairs. Durable on return and idempotent.
        `cursor`, the position of the source after the last change, is given by a process that reads the source itself;
        it is never saved before everything up to it is durable.

        `state` is called with the report, maybe in another thread and maybe more than once, and what it returns is
        stored by name as by `write_detections`: with the changes where the store has transactions, else after them and
        before the cursor. So detectors lose nothing of what was written (`search/detection/journal.py`).

        Of a post that the changes touch, exactly those thumbnails stay, of the stored ones and the brought ones, whose
        photos its visible document shows; and the ones kept ahead of a newer revision.

        A call that raises may leave a part of the changes (never the cursor) where the store has no transactions; the
        same call again completes them.

        Raises:
            Poison: the store never takes one of the changes. `rehearse` tells which.
        """
        ...

    async def rehearse(self, changes: Sequence[Writable]) -> dict[int, Exception]:
        """Applies each change by itself as `write` would, keeps nothing, and returns the errors by index of the change.

        Called when `write` raised an error that is nobody's outage, to find the changes that are to be dead-lettered.
        Refusals that a store makes only when it takes a document (a server's) may be missing.
        """
        ...

    async def keep_thumbnails(self, posts: Sequence[Indexable]) -> int:
        """Stores thumbnails ahead of their posts; returns how many the store refuses for good.

        Called by the tag stage before it hands posts on without their bytes. Durable on return and idempotent. Nobody
        sees the thumbnails until their post is written, and that `write` decides which of them stay. So `write`,
        `discard_thumbnails`, or this call with the same posts must follow.
        """
        ...

    async def discard_thumbnails(self, posts: Sequence[Indexable]) -> None:
        """Removes the thumbnails of these revisions, which are not going to be written.

        Called after `keep_thumbnails` when the posts are dead-lettered. Idempotent. Removes also a thumbnail that an
        older revision shows: a post without its picture is better than a picture that no deletion finds.
        """
        ...

    async def refresh(self) -> None:
        """Makes every earlier `write` visible to searches before it returns. Called after a run, and by tests."""
        ...

    async def cursor(self, source: str) -> str | None:
        """Returns the saved position of a source, None if there is none. Called before a source is read."""
        ...

    async def search(self, query: Query) -> Page:
        """Returns one page of the posts that match. Posts that arrive between two pages repeat and hide no other.

        Raises:
            BadSettings: the text is no query, `after` is of another order, or the size is out of bounds.
        """
        ...

    async def get(self, post_id: str) -> TaggedPost | None:
        """Returns the visible post of that id, as last written; None if there is none."""
        ...

    async def thumbnail(self, post_id: str, ordinal: int) -> bytes | None:
        """Returns the JPEG of the post's medium of that index, counted from 0.

        None if no thumbnail is kept, or the post is not visible.
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
        """Returns the entities that most authors mention in [since, until), most authors first."""
        ...

    async def counts(
        self, key: str, type: EntityType | None, *, since: datetime, until: datetime, bucket_seconds: int
    ) -> list[Bucket]:
        """Returns the posts that mention an entity over time: every bucket from `since` on, empty ones too.

        Raises:
            BadSettings: the range makes no series of 1 to `MAX_BUCKETS` buckets.
        """
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
        """Returns the entities that the same posts mention, most authors first."""
        ...

    async def trending(
        self, *, until: datetime | None = None, window_seconds: int = 3600, past_windows: int = 24, size: int = 20
    ) -> list[Trend]:
        """Returns the entities whose authors in the last window exceed what the windows before it explain.

        `until` defaults to the newest minute of the feed, because archives are years old.
        """
        ...

    async def write_detections(
        self,
        trends: Sequence[TrendState],
        events: Sequence[DetectedEvent],
        state: Mapping[str, bytes] | None = None,
    ) -> None:
        """Stores what the detectors say of any number of minutes, then the named snapshots of their state.

        Called by the detectors' stage when minutes are closed, by a rebuild, and by a restore. Durable on return and
        idempotent: a trend is stored once by (type, key, minute), an event once by (id, minute), and what is written
        last stays. The order of minutes does not matter: the newest state is that of the latest minute, so a late
        repeat of an older minute changes no newer one.

        A snapshot replaces the one of its name, never before everything else of the call is durable. A call that raises
        may leave a part of the detections, and never the snapshots without them, where the store has no transactions;
        the same call again completes them.

        A name that no post of the evidence or the reserve mentions is not stored, nor is a trend without evidence: no
        deletion would reach them. Neither is what only the detectors need: shingles, which are made of the words of
        posts, and the hashes of new authors and new posts.
        """
        ...

    async def detector_state(self, name: str) -> bytes | None:
        """Returns the snapshot that was last written under this name, None if there is none.

        Called when a detector starts. Sees every earlier write at once. A backup does not carry snapshots: a rebuild
        makes them from the posts.
        """
        ...

    async def clear_detections(self) -> None:
        """Removes all trends, events and snapshots; posts stay. Called before a rebuild. Durable, and idempotent."""
        ...

    async def events(
        self, *, since: datetime | None = None, until: datetime | None = None, live: bool = False, size: int = 20
    ) -> list[DetectedEvent]:
        """Returns the newest state of each event that lived at some time in [since, until), newest detected first.

        With `until` the answer is as of then: of each event its last state of a minute before `until`. `live` leaves
        out events that have ended in that state. An event that has become part of another one in that state is told in
        the other one; `event` says so. Sees a write after `refresh` at the latest.

        Evidence, here and in every method below, is what `get` would show: a post that is deleted, erased, unknown to
        the index, or of a hidden author is neither in `evidence` nor `typical`, from the moment its `write` returned,
        and whichever came first. Posts of an event's `reserve` take its place, as far as there are any; an answer has
        no reserve. The counts are lower by the posts left out, and names go that none of the posts mentions any more.
        An event or trend that no evidence is left of is not there, whatever it counted. An account that is
        shown again brings its evidence back.

        Raises:
            BadSettings: `size` is not between 1 and `MAX_PAGE`.
        """
        ...

    async def event(self, id: str) -> DetectedEvent | None:
        """Returns the newest state of that event, None if there is none."""
        ...

    async def event_ids(self, beginning: str, *, size: int) -> list[str]:
        """Returns the first ids, by code point, that begin so, of the events that `event` has a state of.

        Raises:
            BadSettings: `size` is not between 1 and `MAX_PAGE`.
        """
        ...

    async def event_history(self, id: str) -> list[DetectedEvent]:
        """Returns the states of that event by minute, oldest first; of a longer life the last `MAX_HISTORY`.

        None of an event whose newest state no evidence is left of.
        """
        ...

    async def stored_trends(
        self, *, since: datetime | None = None, until: datetime | None = None, size: int = 20, best: bool = False
    ) -> list[TrendState]:
        """Returns the newest state of each subject that trended in a minute of [since, until), highest score first.

        With `best` it is the state of the highest score, the newest of equal ones. Of the `MAX_SIZE` subjects that
        trended last in the range, or of the highest scores, if it has more. Evidence as in `events`.

        Raises:
            BadSettings: `size` is not between 1 and `MAX_PAGE`.
        """
        ...

    def posts_by_time(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[Indexable]:
        """Yields the visible posts of [since, until) in order of time, the earlier of `created_at` and `observed_at`.

        Called by a replay and a rebuild. Memory is bounded, however many posts there are. A post that is written
        meanwhile may be missing; none comes twice. They come without thumbnails.
        """
        ...

    async def post_counts(
        self, query: Query, *, since: datetime, until: datetime, bucket_seconds: int, with_authors: bool = True
    ) -> list[Bucket]:
        """Returns the posts that match a query over time, and their distinct authors: every bucket, empty ones too.

        The buckets begin at `since`. A post must lie in [since, until), and in the times of the query, which may begin
        and end within a bucket. `order`, `size` and `after` of the query say nothing here. To count posts alone takes
        a fraction of the time: without `with_authors` every bucket has 0 authors.

        Raises:
            BadSettings: the text is no query, or the range makes no series of 1 to `MAX_BUCKETS` buckets.
        """
        ...

    async def facets(self, query: Query, *, size: int = 10) -> Facets:
        """Returns what the posts of a query have in common: names, types, sources, languages, hashtags.

        Counted over the whole result, whatever `size` and `after` of the query say; over its newest posts where an
        index cannot count all of them soon. Of equal counts the lower value by code point comes first.

        Raises:
            BadSettings: the text is no query, or `size` is not between 1 and `MAX_FACET_VALUES`.
        """
        ...

    async def spellings(self, word: str) -> list[str]:
        """Returns words of posts that differ from a folded word by one letter or two swapped ones, commonest first.

        Called to make suggestions. A handful at most; not every such word need be there.
        """
        ...

    async def span(self, query: Query) -> Span | None:
        """Returns the time between the first and the last post that match, None if none does.

        Raises:
            BadSettings: the text is no query.
        """
        ...

    async def feed_span(self) -> Span | None:
        """Returns the time in which the feed lies; None without posts.

        Its ends are the outermost minutes within an hour of which several authors wrote, so that a stray date moves
        neither, nor does a post that claims to be from the future. Called by commands that choose a window.
        """
        ...

    async def arrivals(self, query: Query, after: str | None = None, known: Container[str] = ()) -> Arrivals:
        """Returns matching posts that became visible after the position `after`: those of new ids, not new revisions.

        Called again and again by whoever watches a query, with `Arrivals.next` of the call before and all `ids` of
        earlier ones in `known`. The call without `after` returns no post, and the present position; the one after
        `BEGINNING` returns the first of those that are kept. A post that comes
        in after the call that returned a position is in some later answer; exactly one if `known` holds the ids. The
        order is that of arrival, and nothing depends on the times of posts.

        However late a post comes after it was accepted, it is told. An index to which many processes write may miss
        posts of a writer whose clock differs by minutes, or whose write takes as long. The last million arrivals can be
        asked for, at least.

        Raises:
            BadSettings: the text is no query, or `after` is no position.
        """
        ...

    def documents(self, *, with_hidden: bool = False) -> AsyncIterator[TaggedPost]:
        """Yields every visible post, in order of id (by code point); `with_hidden` also those of hidden authors."""
        ...

    def account_statuses(self) -> AsyncIterator[AccountStatus]:
        """Yields the newest status of every account that ever had one, in order of source and author."""
        ...

    def everything(self) -> AsyncIterator[Kept]:
        """Yields everything the index keeps, as of one point in time, in an order that another index can take in.

        Called by a backup. Statuses and erasures come first, so that nothing hidden or erased is visible for a moment;
        the dead letters follow the deletions that decide about them; the cursors come last. Left out are thumbnails
        that wait for their posts, and snapshots of detectors, which a rebuild makes anew.
        """
        ...

    def dead_letters(self, cause: str | None = None, *, size: int | None = None) -> AsyncIterator[DeadLetter]:
        """Yields the dead letters, of one cause if given, in the order in which they first came; at most `size`."""
        ...

    async def dead_letter_counts(self) -> dict[str, int]:
        """Returns the number of dead letters of each cause, without reading their bytes. There are few causes."""
        ...

    async def drop_dead_letters(self, origins: Sequence[str]) -> int:
        """Removes dead letters by origin; returns how many were there. Called when a letter was requeued or is void."""
        ...

    async def kept(self, ids: Collection[str]) -> set[str]:
        """Returns those of these ids whose post is kept: not deleted and not erased, but maybe hidden.

        Called before the detectors' state is compacted. Sees every earlier write at once.
        """
        ...

    async def compact(self) -> Compacted:
        """Removes every trace of removed posts from what is stored, as far as the store can do so at once.

        Of trends and events stays what posts that are kept support. Snapshots of detectors are none of its business:
        `search/detection/compaction.py` does both.

        Raises:
            IndexUnavailable: somebody still reads what was removed; call again later.
        """
        ...

    async def close(self) -> None:
        """Ends running reads, waits for a running write, and frees what the index holds. May be called twice."""
        ...
