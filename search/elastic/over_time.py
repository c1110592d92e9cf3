"""Posts over time in Elasticsearch: figures of a query, the span of the feed, and what is new.

Counts of one entity are in `counts.py`; these take any query.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable, Container
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from search.elastic import queries
from search.elastic.client import ElasticClient
from search.elastic.documents import read_post
from search.elastic.hidden_authors import shown_filters
from search.elastic.reads import ask
from search.feed_span import beginning, oldest_read
from search.index import Arrivals, Bucket, Query, Span
from search.limits import bucket_count
from search.query import MalformedQuery
from search.trends import CLOCK_AUTHORS
from tagstream.posts import from_epoch_milliseconds

LATE_MILLISECONDS = 5 * 60_000
"""The most by which clocks of writers may differ, and a write may take: a post may be seen so much after its time."""
LONG_FEED = 50_000
"""Posts of a feed whose beginning is not read at every question."""
_BEGINNING_SECONDS = 60.0
_PAGE = 1_000
_STEP = 1_000
_POSTS_READ = 200_000
_HOUR = 3_600_000  # milliseconds
_MINUTE = 60_000  # milliseconds


async def post_counts(
    client: ElasticClient,
    query: Query,
    *,
    since: datetime,
    until: datetime,
    bucket_seconds: int,
    with_authors: bool,
) -> list[Bucket]:
    """Returns the matching posts for every bucket from `since` to `until`, and their distinct authors if asked for."""
    low, high = queries.moments(since, until)
    buckets = bucket_count(low, high, bucket_seconds, since, until)
    width = bucket_seconds * 1000
    body = queries.post_counts_body(query, await shown_filters(client), low, high, width, with_authors=with_authors)
    answer = await ask(client, body)
    found = {
        (bucket["key"] - low) // width: (bucket["doc_count"], bucket["authors"]["value"] if with_authors else 0)
        for bucket in answer["aggregations"]["buckets"]["buckets"]
    }
    start = from_epoch_milliseconds(low)
    return [Bucket(start + timedelta(seconds=bucket_seconds * at), *found.get(at, (0, 0))) for at in range(buckets)]


async def span(client: ElasticClient, query: Query) -> Span | None:
    """Returns the minutes of the first and the last post that match, None if none does."""
    answer = await ask(client, queries.span_body(query, await shown_filters(client)))
    first, last = (answer["aggregations"][name]["value"] for name in ("first", "last"))
    return None if first is None else _minutes(int(first), int(last))


class FeedSpans:
    """The time in which the feed of one index lies.

    Where a feed is long, its beginning is read anew once a minute: thousands of the oldest posts tell it, which takes
    half a second, and each page asks for it.
    """

    def __init__(self, client: ElasticClient, clock: Callable[[], float] = monotonic) -> None:
        self._client = client
        self._clock = clock
        self._first: int | None = None
        self._read_at = 0.0

    async def span(self) -> Span | None:
        """Returns the minutes between which the feed lies, without posts of stray dates; None without posts."""
        shown = await shown_filters(self._client)
        last = await _newest(self._client, shown)
        answer = await ask(self._client, queries.plausible_count_body(shown))
        posts = answer["hits"]["total"]["value"]
        if last is None or not posts:
            return None
        is_known = posts >= LONG_FEED and self._clock() - self._read_at < _BEGINNING_SECONDS
        if self._first is None or not is_known:
            answer = await ask(self._client, queries.edge_body(shown, "asc", size=oldest_read(posts), after=None))
            self._first = beginning([hit["sort"][0] for hit in answer["hits"]["hits"]], last)
            self._read_at = self._clock()
        return _minutes(min(self._first, last), last)


async def _newest(client: ElasticClient, shown: queries.Filters) -> int | None:
    """Returns the newest time within an hour before which several authors wrote."""
    recent: deque[tuple[int, int]] = deque()
    newest: int | None = None
    after: list[Any] | None = None
    for _ in range(_POSTS_READ // _STEP):
        answer = await ask(client, queries.edge_body(shown, "desc", size=_STEP, after=after))
        hits = answer["hits"]["hits"]
        for hit in hits:
            time, author = hit["sort"][0], hit["fields"]["author"][0]
            newest = time if newest is None else newest
            recent.append((time, author))
            while recent[0][0] - time > _HOUR:
                recent.popleft()
            if len({author for _, author in recent}) >= CLOCK_AUTHORS:
                return recent[0][0]
        if len(hits) < _STEP:
            break
        after = hits[-1]["sort"]
    return newest


def _minutes(first: int, last: int) -> Span:
    return Span(
        from_epoch_milliseconds(first // _MINUTE * _MINUTE), from_epoch_milliseconds((last // _MINUTE + 1) * _MINUTE)
    )


async def arrivals(client: ElasticClient, query: Query, after: str | None, known: Container[str]) -> Arrivals:
    """Returns the matching posts that came in after the position `after`, in that order.

    A position is the time at which the newest post was written. Workers run beside each other, so a post may be seen
    after one that was written later: each call looks back `LATE_MILLISECONDS`, and reads the ids of what is known
    again. How late a post comes after it was accepted is the same.
    """
    shown = await shown_filters(client)
    newest = int((await ask(client, queries.newest_arrival_body()))["aggregations"]["newest"]["value"] or 0)
    position = newest if after is None else max(newest, _position(after))
    since = newest if after is None else _position(after)
    unknown: list[str] = []
    async for post_id in _came_in(client, query, shown, since - LATE_MILLISECONDS):
        if post_id not in known:
            unknown.append(post_id)
        if len(unknown) > _PAGE and after is not None:
            break
    if after is None:
        return Arrivals((), frozenset(unknown), str(position), False)
    more, unknown = len(unknown) > _PAGE, unknown[:_PAGE]
    found = await ask(client, queries.by_id_body(query, shown, unknown)) if unknown else {"hits": {"hits": []}}
    posts = tuple(read_post(hit["_source"]) for hit in found["hits"]["hits"])
    return Arrivals(posts, frozenset(unknown), after if more else str(position), more)


async def _came_in(client: ElasticClient, query: Query, shown: queries.Filters, since: int) -> AsyncIterator[str]:
    """Yields the ids of the matching posts that came in from `since` on, in that order."""
    last: list[Any] | None = None
    while True:
        answer = await ask(client, queries.arrivals_body(query, shown, since, size=_PAGE, after=last))
        hits = answer["hits"]["hits"]
        for hit in hits:
            yield hit["sort"][1]
        if len(hits) < _PAGE:
            return
        last = hits[-1]["sort"]


def _position(after: str) -> int:
    try:
        position = int(after)
        if not 0 <= position < 2**53:
            raise ValueError
    except ValueError:
        raise MalformedQuery(f"{after[:80]!r} is no position of this index. Pass on the `next` of before.") from None
    return position
