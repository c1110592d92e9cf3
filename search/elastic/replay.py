"""The visible posts of an Elasticsearch index in order of time, for a replay: bounded memory, a day after the other.

::

    posts-v2-2026.03.01 ─▶ posts-v2-2026.03.02 ─▶ …  ─┐
                                                      ├─▶ merged by time ─▶ those that may be seen, a page at a time
    posts-v2-old ─────────────────────────────────────┘

What may be seen is asked of the registry for each page, so nothing is in a page that was deleted before it was read.
The next page is read while a page is used.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial

from search.elastic.address import OLD
from search.elastic.client import ElasticClient
from search.elastic.detections.visibility import visible_entries
from search.elastic.documents import RegistryEntry, read_post
from search.elastic.queries import Json, moments, time_range
from search.elastic.reads import Hit, scan
from search.index import Indexable
from tagstream.posts import from_epoch_milliseconds

_STEP = 500
_ORDER = [{"time": "asc"}, {"id": "asc"}]


async def posts_by_time(
    client: ElasticClient, since: datetime | None, until: datetime | None
) -> AsyncGenerator[Indexable]:
    """Yields the visible posts of [since, until) in order of time."""
    reading: asyncio.Task[list[Indexable]] | None = None
    try:
        async with aclosing(_pages(client, since, until)) as pages:
            async for page in pages:
                before, reading = reading, asyncio.create_task(_visible(client, page))
                for post in [] if before is None else await before:
                    yield post
        for post in [] if reading is None else await reading:
            yield post
    finally:
        if reading is not None:
            reading.cancel()


async def _pages(
    client: ElasticClient, since: datetime | None, until: datetime | None
) -> AsyncGenerator[Sequence[Hit]]:
    query = time_range(since, until)
    days = await _days(client, since, until)
    page: list[Hit] = []
    async with aclosing(_merged(_of_days(client, [OLD], query), _of_days(client, days, query))) as ordered:
        async for hit in ordered:
            page.append(hit)
            if len(page) == _STEP:
                yield page
                page = []
    if page:
        yield page


async def _days(client: ElasticClient, since: datetime | None, until: datetime | None) -> Sequence[str]:
    """Returns the days that may hold posts of the range, in order, without the posts older than the retention."""
    names = client.names
    answer = await client.call(partial(client.raw.indices.get_settings, index=names.posts, name="index.uuid"))
    first, last = (_day(moment) for moment in moments(since, until))
    days = sorted(names.day_of(index) for index in answer)
    return [day for day in days if day != OLD and first <= day <= last]


def _day(milliseconds: int) -> str:
    return from_epoch_milliseconds(milliseconds).strftime("%Y.%m.%d")


async def _of_days(client: ElasticClient, days: Sequence[str], query: Json) -> AsyncGenerator[Hit]:
    """Yields the posts of one day after the other, each in order of time."""
    for day in days:
        posts = scan(client, client.names.of_day(day), query, _ORDER, fields=["document"])
        async for hit in posts:
            yield hit


async def _merged(first: AsyncGenerator[Hit], second: AsyncGenerator[Hit]) -> AsyncGenerator[Hit]:
    """Yields the posts of two ordered streams in one order."""
    async with aclosing(first), aclosing(second):
        one, other = await anext(first, None), await anext(second, None)
        while one is not None or other is not None:
            if other is None or (one is not None and one["sort"] <= other["sort"]):
                assert one is not None
                yield one
                one = await anext(first, None)
            else:
                yield other
                other = await anext(second, None)


async def _visible(client: ElasticClient, page: Sequence[Hit]) -> list[Indexable]:
    """Returns the posts of a page that may be seen, with what the registry says of them."""
    ids = [str(hit["sort"][1]) for hit in page]
    entries = await visible_entries(client, ids)
    seen = [(hit, entries[name]) for hit, name in zip(page, ids, strict=True) if name in entries]
    return await asyncio.to_thread(_indexables, seen)


def _indexables(seen: Sequence[tuple[Hit, RegistryEntry]]) -> list[Indexable]:
    return [
        Indexable(read_post(hit["_source"]), from_epoch_milliseconds(entry.record.observed_at), entry.record.position)
        for hit, entry in seen
    ]
