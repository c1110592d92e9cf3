"""The entity index in Elasticsearch: many writers and readers, a day an index.

Owns the client and the order of the writes of one process. `writes.py` and, without a server, `effects.py` hold what a
write does; `reads.py` and `counts.py` what a read does, with bodies from `queries.py`; `schema.py` and `documents.py`
what is stored. Keeps invariants 3, 4 and 5 in the distributed shape: a write that is cut off anywhere is completed by
writing the same changes again.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Container, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Self

from search.elastic import backup, compaction, counts, facets, over_time, reads, replay
from search.elastic.address import OLD, Address, parse_address
from search.elastic.client import ElasticClient
from search.elastic.detections import expiry, snapshots
from search.elastic.detections import reads as detections
from search.elastic.detections import writes as detection_writes
from search.elastic.detections.visibility import kept_entries
from search.elastic.schema import prepare
from search.elastic.shown_posts import ShownPosts
from search.elastic.upgrade import analyse_anew, move_earlier_posts
from search.elastic.writes import ElasticWriter
from search.index import (
    Arrivals,
    Bucket,
    Compacted,
    EntityCount,
    Facets,
    Indexable,
    Kept,
    Page,
    Query,
    SourceCursor,
    Span,
    StateOf,
    Trend,
    Writable,
    WriteReport,
)
from tagstream.detections import DetectedEvent, TrendState
from tagstream.errors import IndexUnavailable, ServiceUnavailable, TagstreamError
from tagstream.posts import AccountStatus, DeadLetter, EntityType, TaggedPost
from tagstream.settings import Settings

_EXPIRY_INTERVAL = timedelta(hours=1)


class ElasticIndex:
    """An `EntityIndex` under one prefix of one server. Make it with `open`; close it once, from the loop that used it.

    Searches see a write within the refresh interval (250 ms), or after `refresh`; `get`, `cursor` and other writes see
    it at once. A search may see a part of a batch that is being written.
    """

    def __init__(self, client: ElasticClient, settings: Settings) -> None:
        self.client = client
        self.writer = ElasticWriter(client, settings.elasticsearch_retention_days)
        self._shown = ShownPosts(client)
        self._spans = over_time.FeedSpans(client)
        self._retention = timedelta(days=settings.elasticsearch_retention_days)
        self._newest_seen = datetime.min.replace(tzinfo=UTC)
        self._next_expiry = datetime.min.replace(tzinfo=UTC)
        self._turn = asyncio.Lock()
        self._closed = False

    @property
    def address(self) -> Address:
        """The address of the index; its text holds no credentials."""
        return self.client.address

    @classmethod
    async def open(cls, url: str, settings: Settings, *, create: bool = True) -> Self:
        """Opens the index; with `create`, makes it if nothing is there, and upgrades an older one.

        Raises:
            BadSettings: the URL names no server, or the server refuses our credentials.
            ServiceUnavailable: the server does not answer.
            UnreadableInput: there is no index, and `create` is false.
            CorruptState: an index there contradicts ours.
            NewerVersion: a newer tagstream made it.
        """
        client = ElasticClient(parse_address(url), settings)
        try:
            index = cls(client, settings)
            await index._prepare(settings.elasticsearch_replicas, create)
            return index
        except IndexUnavailable as error:
            await client.close()
            raise ServiceUnavailable(str(error)) from error
        except BaseException:
            await client.close()
            raise

    async def _prepare(self, replicas: int, create: bool) -> None:
        older_analysis = await prepare(self.client, replicas=replicas, create=create)
        if create:
            await move_earlier_posts(self.client)
        if older_analysis:
            await analyse_anew(self.client)
            await prepare(self.client, replicas=replicas, create=create)

    async def write(
        self, changes: Sequence[Writable], cursor: SourceCursor | None = None, state: StateOf | None = None
    ) -> WriteReport:
        """Applies the changes in order, stores the state, then saves the cursor. Durable on return and idempotent.

        What cuts it off leaves a part of the changes, never the cursor without them; the same call makes it whole.
        """
        async with self._turn:
            self._check_open()
            await self._expire(changes)
            self._shown.note(changes)
            if state is None:
                report = await self.writer.write(changes, cursor)
                await self._shown.keep_current()
                return report
            report = await self.writer.write(changes)
            await self._shown.keep_current()
            if stored := state(report):
                await self.write_detections((), (), stored)
            if cursor is not None:
                await self.writer.write((), cursor)
            return report

    async def rehearse(self, changes: Sequence[Writable]) -> dict[int, Exception]:
        """Makes what would be sent for each change; the server is not asked."""
        self._check_open()
        return await asyncio.to_thread(self.writer.rehearse, changes)

    async def keep_thumbnails(self, posts: Sequence[Indexable]) -> int:
        """Stores thumbnails ahead of their posts; returns how many the server refuses for good. Durable on return."""
        self._check_open()
        return await self.writer.keep_thumbnails(posts)

    async def discard_thumbnails(self, posts: Sequence[Indexable]) -> None:
        """Removes the thumbnails of revisions that are not going to be written."""
        self._check_open()
        await self.writer.discard_thumbnails(posts)

    async def refresh(self) -> None:
        """Makes every earlier `write` visible to searches before it returns."""
        self._check_open()
        names = self.client.names
        searched = [names.posts, names.dead, names.accounts]
        await self.client.call(partial(self.client.raw.indices.refresh, index=searched))
        detected = [names.trends, names.events, names.event_states]  # which an index of an older version lacks
        await self.client.call(partial(self.client.raw.indices.refresh, index=detected, ignore_unavailable=True))

    async def cursor(self, source: str) -> str | None:
        """Returns the saved position of a source."""
        self._check_open()
        return await reads.cursor(self.client, source)

    async def search(self, query: Query) -> Page:
        """Returns one page of the posts that match."""
        self._check_open()
        return await reads.search(self.client, query)

    async def get(self, post_id: str) -> TaggedPost | None:
        """Returns the visible post of that id."""
        self._check_open()
        return await reads.get(self.client, post_id)

    async def thumbnail(self, post_id: str, ordinal: int) -> bytes | None:
        """Returns the JPEG of the visible post's medium of that index, counted from 0."""
        self._check_open()
        return await reads.thumbnail(self.client, post_id, ordinal)

    async def top_entities(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        type: EntityType | None = None,
        size: int = 20,
    ) -> list[EntityCount]:
        """Returns the entities that most authors mention, most authors first."""
        self._check_open()
        return await counts.top_entities(self.client, since=since, until=until, type=type, size=size)

    async def counts(
        self, key: str, type: EntityType | None, *, since: datetime, until: datetime, bucket_seconds: int
    ) -> list[Bucket]:
        """Returns the posts that mention an entity over time; the buckets begin at `since`."""
        self._check_open()
        return await counts.counts(self.client, key, type, since=since, until=until, bucket_seconds=bucket_seconds)

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
        self._check_open()
        return await counts.companions(self.client, key, type, since=since, until=until, size=size)

    async def trending(
        self, *, until: datetime | None = None, window_seconds: int = 3600, past_windows: int = 24, size: int = 20
    ) -> list[Trend]:
        """Returns the entities whose authors in the last window exceed what the windows before it explain."""
        self._check_open()
        return await counts.trending(
            self.client, until=until, window_seconds=window_seconds, past_windows=past_windows, size=size
        )

    async def facets(self, query: Query, *, size: int = 10) -> Facets:
        """Returns what the posts of a query have in common, counted over all of them."""
        self._check_open()
        return await facets.facets(self.client, query, size=size)

    async def spellings(self, word: str) -> list[str]:
        """Returns words of posts that differ from a folded word by one letter or two swapped ones, commonest first."""
        self._check_open()
        return await facets.spellings(self.client, word)

    async def post_counts(
        self, query: Query, *, since: datetime, until: datetime, bucket_seconds: int, with_authors: bool = True
    ) -> list[Bucket]:
        """Returns the posts that match a query over time, and their distinct authors; the buckets begin at `since`."""
        self._check_open()
        return await over_time.post_counts(
            self.client,
            query,
            since=since,
            until=until,
            bucket_seconds=bucket_seconds,
            with_authors=with_authors,
        )

    async def span(self, query: Query) -> Span | None:
        """Returns the time between the first and the last post that match."""
        self._check_open()
        return await over_time.span(self.client, query)

    async def feed_span(self) -> Span | None:
        """Returns the time in which the feed lies."""
        self._check_open()
        return await self._spans.span()

    async def arrivals(self, query: Query, after: str | None = None, known: Container[str] = ()) -> Arrivals:
        """Returns matching posts that came in after the position `after`."""
        self._check_open()
        return await over_time.arrivals(self.client, query, after, known)

    async def write_detections(
        self,
        trends: Sequence[TrendState],
        events: Sequence[DetectedEvent],
        state: Mapping[str, bytes] | None = None,
    ) -> None:
        """Stores trends and events, then the snapshots. Durable on return; the same call completes one cut off."""
        self._check_open()
        await self._expire_detections()
        await detection_writes.write(self.client, trends, events)
        await snapshots.write(self.client, state or {})

    async def detector_state(self, name: str) -> bytes | None:
        """Returns the snapshot that was last written under this name."""
        self._check_open()
        return await snapshots.read(self.client, name)

    async def clear_detections(self) -> None:
        """Removes all trends, events and snapshots; the same call completes one that was cut off."""
        self._check_open()
        await detection_writes.clear(self.client)

    async def events(
        self, *, since: datetime | None = None, until: datetime | None = None, live: bool = False, size: int = 20
    ) -> list[DetectedEvent]:
        """Returns the newest state of each event that lived in the range, newest detected first."""
        self._check_open()
        return await detections.events(self.client, since=since, until=until, live=live, size=size)

    async def event(self, id: str) -> DetectedEvent | None:
        """Returns the newest state of that event."""
        self._check_open()
        return await detections.event(self.client, id)

    async def event_ids(self, beginning: str, *, size: int) -> list[str]:
        """Returns the first ids that begin so."""
        self._check_open()
        return await detections.event_ids(self.client, beginning, size=size)

    async def event_history(self, id: str) -> list[DetectedEvent]:
        """Returns the last states of that event by minute, oldest first."""
        self._check_open()
        return await detections.event_history(self.client, id)

    async def stored_trends(
        self, *, since: datetime | None = None, until: datetime | None = None, size: int = 20, best: bool = False
    ) -> list[TrendState]:
        """Returns the newest or the best state of each subject in the range, highest score first."""
        self._check_open()
        return await detections.stored_trends(self.client, since=since, until=until, size=size, best=best)

    async def posts_by_time(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[Indexable]:
        """Yields the visible posts of the range in order of time, as of the call but for what is deleted meanwhile."""
        self._check_open()
        async with aclosing(replay.posts_by_time(self.client, since, until)) as posts:
            async for post in posts:
                yield post

    async def documents(self, *, with_hidden: bool = False) -> AsyncIterator[TaggedPost]:
        """Yields every visible post, in order of id, as of the call; `with_hidden` also those of hidden authors."""
        self._check_open()
        async for post in reads.documents(self.client, with_hidden=with_hidden):
            yield post

    async def account_statuses(self) -> AsyncIterator[AccountStatus]:
        """Yields the newest status of every account that ever had one, in order of source and author."""
        self._check_open()
        async for status in reads.account_statuses(self.client):
            yield status

    async def everything(self) -> AsyncIterator[Kept]:
        """Yields everything the index keeps, as of one point in time, in an order that another index can take in."""
        self._check_open()
        async for kept in backup.everything(self.client):
            yield kept

    async def dead_letters(self, cause: str | None = None, *, size: int | None = None) -> AsyncIterator[DeadLetter]:
        """Yields the dead letters, in the order in which they first came; at most `size`."""
        self._check_open()
        async for letter in reads.dead_letters(self.client, cause, size):
            yield letter

    async def dead_letter_counts(self) -> dict[str, int]:
        """Returns the number of dead letters of each cause."""
        self._check_open()
        return await reads.dead_letter_counts(self.client)

    async def drop_dead_letters(self, origins: Sequence[str]) -> int:
        """Removes dead letters by origin; returns how many were there."""
        self._check_open()
        return await self.writer.drop_letters(origins)

    async def drop_days(self, before: datetime) -> list[str]:
        """Drops the indices of whole days before that day; returns their names. The registry keeps its records.

        The thumbnails of a day go with its posts.
        """
        names = self.client.names
        limit = before.strftime("%Y.%m.%d")
        self.writer.expired_before = max(limit, self.writer.expired_before)
        settings = self.client.raw.indices.get_settings
        answer = await self.client.call(partial(settings, index=[names.posts, names.media], name="index.uuid"))
        days = {index: names.day_of(index) for index in answer}
        gone = sorted(index for index, day in days.items() if day != OLD and day < limit)
        if gone:
            await self.client.call(partial(self.client.raw.indices.delete, index=gone, ignore_unavailable=True))
        return gone

    async def kept(self, ids: Collection[str]) -> set[str]:
        """Returns those of these ids whose post is kept, hidden or not."""
        self._check_open()
        return set(await kept_entries(self.client, ids))

    async def compact(self) -> Compacted:
        """Takes what is gone out of trends and events, and merges the segments that hold removed documents.

        Lucene keeps those removed just now for a while.
        """
        self._check_open()
        await detection_writes.forget_removed(self.client)
        return await compaction.compact(self.client)

    async def close(self) -> None:
        """Waits for the running write and closes the connections. May be called twice."""
        if self._closed:
            return
        self._closed = True
        async with self._turn:
            with suppress(TagstreamError):  # the next process repairs it
                await self._shown.finish()
            await self.client.close()

    async def _expire(self, changes: Iterable[Writable]) -> None:
        """Drops the days that are over, once a day of the feed. Neither a clock nor a post alone ends a day early."""
        seen = [one.observed_at for one in changes if isinstance(one, Indexable)]
        newest = max(seen, default=self._newest_seen)
        newest = min(newest if newest.tzinfo else newest.replace(tzinfo=UTC), datetime.now(UTC))
        if newest.date() > self._newest_seen.date():
            self._newest_seen = newest
            await self.drop_days(newest - self._retention)

    async def _expire_detections(self) -> None:
        """Removes some of the states of trends and events that are older than the retention, once an hour."""
        now = datetime.now(UTC)
        if now >= self._next_expiry:
            self._next_expiry = now + _EXPIRY_INTERVAL
            await expiry.drop_expired(self.client, now - self._retention)

    def _check_open(self) -> None:
        if self._closed:
            raise IndexUnavailable(f"The index {self.address} is closed in this process. Open it again.")


async def open_elasticsearch(address: str, settings: Settings, *, create: bool) -> ElasticIndex:
    """Opens the index that `elasticsearch:ADDRESS` names.

    Raises:
        TagstreamError: as `ElasticIndex.open`.
    """
    return await ElasticIndex.open(address, settings, create=create)
