"""Counts of entity mentions in Elasticsearch: top entities, series, companions, trends.

The order is by distinct authors; posts are told beside them. An entity has no more authors than posts. So candidates
are chosen by posts, which is cheap, and only their authors are counted: to count those of every name would cost
kilobytes for each.
"""

from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from search.elastic import queries
from search.elastic.client import ElasticClient
from search.elastic.documents import read_mention
from search.elastic.hidden_authors import shown_filters
from search.elastic.reads import ask
from search.index import Bucket, EntityCount, Trend
from search.limits import bucket_count, check_size, check_windows
from search.trends import CLOCK_AUTHORS, MAX_CANDIDATES, MIN_AUTHORS, MIN_SCORE, significance
from tagstream.posts import EntityType, from_epoch_milliseconds

_FIRST_CANDIDATES = 500
_ENTITIES_A_REQUEST = 500
_BUCKETS_A_REQUEST = 5_000
_CLOCK_STEP = 5_000
_CLOCK_POSTS_READ = 200_000
_MINUTE = 60_000  # milliseconds
_MAX_CANDIDATES = 50_000  # below the 65,536 buckets that a server answers with by default

Filters = Sequence[queries.Json]
Counted = tuple[str, int, int]  # mention, posts, authors


async def top_entities(
    client: ElasticClient, *, since: datetime | None, until: datetime | None, type: EntityType | None, size: int
) -> list[EntityCount]:
    """Returns the entities that most authors mention in [since, until), most authors first."""
    check_size(size)
    filters = [*await shown_filters(client), *_times(since, until)]
    return await _entity_counts(client, await _most_authors(client, filters, size, type=type), filters)


async def companions(
    client: ElasticClient,
    key: str,
    type: EntityType | None,
    *,
    since: datetime | None,
    until: datetime | None,
    size: int,
) -> list[EntityCount]:
    """Returns the entities mentioned in the same posts as this one, most authors first."""
    check_size(size)
    filters = [*await shown_filters(client), *_times(since, until)]
    together = [*filters, {"terms": {"marks": queries.entity_marks(key, type)}}]
    best = await _most_authors(client, together, size, without=queries.named(key, type))
    return await _entity_counts(client, best, filters)


async def counts(
    client: ElasticClient,
    key: str,
    type: EntityType | None,
    *,
    since: datetime,
    until: datetime,
    bucket_seconds: int,
) -> list[Bucket]:
    """Returns the posts and distinct authors that mention the entity, for every bucket from `since` to `until`."""
    low, high = queries.moments(since, until)
    width = bucket_seconds * 1000
    buckets = bucket_count(low, high, bucket_seconds, since, until)
    shown = await shown_filters(client)
    answer = await ask(client, queries.counts_body(shown, queries.entity_marks(key, type), low, high, width))
    found = {
        (bucket["key"] - low) // width: (bucket["doc_count"], bucket["authors"]["value"])
        for bucket in answer["aggregations"]["buckets"]["buckets"]
    }
    start = from_epoch_milliseconds(low)
    return [Bucket(start + timedelta(seconds=bucket_seconds * at), *found.get(at, (0, 0))) for at in range(buckets)]


async def trending(
    client: ElasticClient, *, until: datetime | None, window_seconds: int, past_windows: int, size: int
) -> list[Trend]:
    """Returns the entities whose authors in the last window exceed what the windows before explain, best first."""
    check_size(size)
    check_windows(window_seconds, past_windows)
    width = window_seconds * 1000
    shown = await shown_filters(client)
    end = await _feed_clock(client, shown, width) if until is None else queries.moment(until, 0)
    if end is None:
        return []
    bounds = [end - width * back for back in range(past_windows + 1, -1, -1)]
    window = [*shown, queries.milliseconds(bounds[-2], end)]
    posts = {
        bucket["key"]: bucket["doc_count"]
        for bucket in await _by_posts(client, window, MAX_CANDIDATES, posts=MIN_AUTHORS)
    }
    heard = await _heard(client, shown, bounds, width)
    scored = []
    async for mention, series in _series(client, shown, list(posts), bounds, width):
        authors = series[-1]
        # Windows in which the feed itself was silent say nothing about its entities.
        past = [count for count, known in zip(series[:-1], heard[:-1], strict=True) if known]
        expected, score = significance(authors, past)
        if authors >= MIN_AUTHORS and (score >= MIN_SCORE or not past):
            scored.append((-score, -authors, mention, expected, series))
    best = sorted(scored)[:size]
    counted = [(mention, posts[mention], -authors) for _, authors, mention, _, _ in best]
    entities = await _entity_counts(client, counted, window)
    return [
        Trend(entity, expected, -score, tuple(series))
        for entity, (score, _, _, expected, series) in zip(entities, best, strict=True)
    ]


def _times(since: datetime | None, until: datetime | None) -> list[queries.Json]:
    return [queries.time_range(since, until)] if since is not None or until is not None else []


async def _by_posts(client: ElasticClient, filters: Filters, size: int, **options: Any) -> list[queries.Json]:
    answer = await ask(client, queries.by_posts_body(filters, size, **options))
    buckets: list[queries.Json] = answer["aggregations"]["mentions"]["buckets"]
    return buckets


async def _most_authors(
    client: ElasticClient, filters: Filters, size: int, *, type: EntityType | None = None, without: Sequence[str] = ()
) -> list[Counted]:
    authors: dict[str, int] = {}
    wanted = max(_FIRST_CANDIDATES, 2 * size)
    while True:
        posts = {
            one["key"]: one["doc_count"] for one in await _by_posts(client, filters, wanted, type=type, without=without)
        }
        for piece in _pieces([one for one in posts if one not in authors], _ENTITIES_A_REQUEST):
            answer = await ask(client, queries.authors_body(filters, piece))
            authors |= {one["key"]: one["authors"]["value"] for one in answer["aggregations"]["mentions"]["buckets"]}
        ranked = sorted(
            ((one, count, authors[one]) for one, count in posts.items() if one in authors),
            key=lambda one: (-one[2], -one[1], one[0]),
        )[:size]
        fewest = min(posts.values(), default=0)
        # Nobody who comes later by posts can have more authors than this.
        if len(posts) < wanted or wanted >= _MAX_CANDIDATES or (len(ranked) == size and fewest <= ranked[-1][2]):
            return ranked
        wanted = min(4 * wanted, _MAX_CANDIDATES)


async def _entity_counts(client: ElasticClient, counted: Sequence[Counted], filters: Filters) -> list[EntityCount]:
    """Returns the counts of entities; the text is the commonest spelling in the range."""
    texts: dict[str, str] = {}
    for piece in _pieces([mention for mention, _, _ in counted], _ENTITIES_A_REQUEST):
        answer = await ask(client, queries.spellings_body(filters, piece))
        for bucket in answer["aggregations"]["entities"]["mentions"]["buckets"]:
            spellings = bucket["text"]["buckets"]
            if spellings:
                texts[bucket["key"]] = spellings[0]["key"]
    found = []
    for mention, posts, authors in counted:
        type_, key = read_mention(mention)
        found.append(EntityCount(key, type_, texts.get(mention, key), posts, authors))
    return found


async def _heard(client: ElasticClient, shown: Filters, bounds: Sequence[int], width: int) -> list[bool]:
    answer = await ask(client, queries.heard_body(shown, bounds[0], bounds[-1], width))
    heard = {(one["key"] - bounds[0]) // width for one in answer["aggregations"]["buckets"]["buckets"]}
    return [window in heard for window in range(len(bounds) - 1)]


async def _series(
    client: ElasticClient, shown: Filters, mentions: Sequence[str], bounds: Sequence[int], width: int
) -> AsyncIterator[tuple[str, list[int]]]:
    """Yields each entity with the distinct authors who mention it, window by window."""
    windows = len(bounds) - 1
    for piece in _pieces(mentions, max(1, _BUCKETS_A_REQUEST // windows)):
        answer = await ask(client, queries.series_body(shown, piece, bounds[0], bounds[-1], width))
        for bucket in answer["aggregations"]["mentions"]["buckets"]:
            series = [0] * windows
            for one in bucket["buckets"]["buckets"]:
                series[(one["key"] - bounds[0]) // width] = one["authors"]["value"]
            yield bucket["key"], series


async def _feed_clock(client: ElasticClient, shown: Filters, width: int) -> int | None:
    """Returns the end of the newest minute of the feed, in milliseconds; None without mentions.

    A minute counts if several authors wrote in the window that ends with it: a stray date in the future moves
    nothing. Posts that claimed a time later than we saw them never count.
    """
    recent: deque[tuple[int, int]] = deque()
    newest: int | None = None
    async for time, author in _newest(client, shown):
        newest = time if newest is None else newest
        recent.append((time, author))
        while recent[0][0] - time > width:
            recent.popleft()
        if len({author for _, author in recent}) >= CLOCK_AUTHORS:
            newest = recent[0][0]
            break
    if newest is None:
        answer = await ask(client, queries.clock_body(shown, plausible=False, size=1, after=None))
        newest = next((hit["sort"][0] for hit in answer["hits"]["hits"]), None)
    return None if newest is None else (newest // _MINUTE + 1) * _MINUTE


async def _newest(client: ElasticClient, shown: Filters) -> AsyncIterator[tuple[int, int]]:
    """Yields (time, author) of the newest plausible posts that mention an entity."""
    after: list[Any] | None = None
    for _ in range(_CLOCK_POSTS_READ // _CLOCK_STEP):
        answer = await ask(client, queries.clock_body(shown, plausible=True, size=_CLOCK_STEP, after=after))
        hits = answer["hits"]["hits"]
        for hit in hits:
            yield hit["sort"][0], hit["fields"]["author"][0]
        if len(hits) < _CLOCK_STEP:
            return
        after = hits[-1]["sort"]


def _pieces(values: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (values[start : start + size] for start in range(0, len(values), size))
