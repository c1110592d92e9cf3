"""Saved queries that tell when their posts reach a count within a time, by the feed's clock."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import accumulate
from typing import NamedTuple

from search.events.minutes import MINUTE
from search.index import EntityIndex, Query
from search.limits import MAX_BUCKETS
from tagstream.errors import BadSettings
from tagstream.settings.detection import SavedQuery, seconds_of

_VERSION = 2
_LONG_BUCKET = timedelta(hours=1)
# Windows of more minutes than this are counted by the hour.
_LONG = timedelta(days=2)
# A feed may date its posts as it likes, and an index can count those of these times.
_EARLIEST = datetime(1970, 1, 9, tzinfo=UTC)
_LATEST = datetime(2109, 1, 1, tzinfo=UTC)
# A long time is counted by spans, and of that at least so many parts each by itself.
_PARTS = 16


class ReachedCount(NamedTuple):
    """A saved query whose posts have reached its count: the window [since, until) and the posts in it."""

    query: SavedQuery
    since: datetime
    until: datetime
    posts: int

    @property
    def key(self) -> str:
        """The same for the same query and window."""
        return f"count:{identity(self.query)}:{self.until:%Y%m%dT%H%MZ}"


def identity(query: SavedQuery) -> str:
    """Returns what tells a saved query from others: its text, count and time."""
    return blake2b(f"{query.query}\0{query.count}\0{query.per}".encode(), digest_size=8).hexdigest()


class AlertWatch:
    """The saved queries, and which of them are at or over their count. One is told once, until it has been below."""

    def __init__(self, queries: Sequence[SavedQuery], stored: bytes | None = None) -> None:
        self._queries = queries
        self._over: set[str] = set()
        self._looked: datetime | None = None
        if stored:
            version, *state = json.loads(stored)
            if version == _VERSION:
                over, looked = state
                self._over = set(over)
                self._looked = None if looked is None else datetime.fromisoformat(looked)

    async def check(self, index: EntityIndex) -> None:
        """Asks each query once, so that one that is none is refused at the start.

        Raises:
            BadSettings: the index does not understand a query.
        """
        for query in self._queries:
            try:
                await index.search(Query(query.query, size=1))
            except BadSettings as error:
                raise BadSettings(f"alerts: the query {query.query!r}: {error}") from error

    async def look(self, index: EntityIndex, first: datetime, last: datetime) -> list[ReachedCount]:
        """Returns the counts that were reached at the end of one of the minutes from `first`, or the last look, on.

        Every minute counts, however many a fast feed closes at once: a count may be reached and left between two looks.

        Raises:
            IndexUnavailable: the index does not answer; the next look makes up for it.
        """
        if self._looked is not None:
            first = self._looked + MINUTE
        reached: list[ReachedCount] = []
        over = set(self._over)
        queries = self._queries if first <= last else ()
        if queries:
            await index.refresh()  # no minute is looked at again, so its posts must be seen now
        for query in queries:
            async for until, posts in _window_counts(index, query, first, last):
                name = identity(query)
                if posts < query.count:
                    over.discard(name)
                elif name not in over:
                    over.add(name)
                    since = until - timedelta(seconds=seconds_of(query.per))
                    reached.append(ReachedCount(query, since, until, posts))
        self._over = over
        self._looked = max(last, self._looked or last)
        return reached

    def encoded(self) -> bytes:
        """Returns which queries are over their count, and up to which minute that is known, as bytes."""
        looked = None if self._looked is None else self._looked.isoformat()
        return json.dumps([_VERSION, sorted(self._over), looked]).encode()


async def _window_counts(
    index: EntityIndex, query: SavedQuery, first: datetime, last: datetime
) -> AsyncIterator[tuple[datetime, int]]:
    """Yields the end of each window that ends with one of the minutes, and the posts in it.

    Windows of days move by the hour, and the last one ends with the last minute all the same. Of windows in a row that
    cannot reach the count the end of the last one is yielded, and as many posts as each of them has at most.
    """
    length = timedelta(seconds=seconds_of(query.per))
    step = MINUTE if length <= _LONG else _LONG_BUCKET
    first, last = max(first, _EARLIEST), min(last, _LATEST)
    if first > last:
        return
    end = last + MINUTE
    begin = end - ((end - first + step - MINUTE) // step) * step  # the first window's end, less a step
    async for one in _counts_between(index, query, begin, end, step):
        yield one


async def _counts_between(
    index: EntityIndex, query: SavedQuery, begin: datetime, end: datetime, step: timedelta
) -> AsyncIterator[tuple[datetime, int]]:
    """Yields what `_window_counts` does of the windows that end after `begin`, and not after `end`.

    Of a long time the posts are counted by spans first: a window reaches over two of them at most, and only where two
    have posts enough its windows are counted. So a gap of years costs a few questions.
    """
    window = timedelta(seconds=seconds_of(query.per)) // step
    length = window * step
    if (end - begin) // step + window <= MAX_BUCKETS:
        sums = list(accumulate(await _counts(index, query, begin + step - length, end, step), initial=0))
        for place in range(window, len(sums)):
            yield begin + (place - window + 1) * step, sums[place] - sums[place - window]
        return
    span = max(length, -(-(end - begin) // ((MAX_BUCKETS - 1) * step)) * step)
    counts = await _counts(index, query, begin - span, end, span)
    most = -(-len(counts) // _PARTS)
    place = 1
    while place < len(counts):
        many = counts[place - 1] + counts[place] >= query.count
        following = place + 1
        while (
            following < len(counts)
            and (counts[following - 1] + counts[following] >= query.count) == many
            and not (many and following - place >= most)
        ):
            following += 1
        since, until = begin + (place - 1) * span, min(end, begin + (following - 1) * span)
        if many:
            async for one in _counts_between(index, query, since, until, step):
                yield one
        else:
            yield until, max(counts[at - 1] + counts[at] for at in range(place, following))
        place = following


async def _counts(
    index: EntityIndex, query: SavedQuery, since: datetime, until: datetime, bucket: timedelta
) -> list[int]:
    buckets = await index.post_counts(
        Query(query.query), since=since, until=until, bucket_seconds=int(bucket.total_seconds())
    )
    return [one.posts for one in buckets]
