"""Saved queries that tell when their posts reach a count within a time, by the feed's clock."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from search.index import EntityIndex, Query
from tagstream.errors import BadSettings
from tagstream.settings.detection import SavedQuery, seconds_of

_VERSION = 1


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
        if stored:
            version, over = json.loads(stored)
            self._over = set(over) if version == _VERSION else set()

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

    async def look(self, index: EntityIndex, minute: datetime) -> list[ReachedCount]:
        """Returns the queries that have reached their count at the end of this minute.

        Raises:
            IndexUnavailable: the index does not answer; the next look makes up for it.
        """
        until = minute + timedelta(minutes=1)
        reached: list[ReachedCount] = []
        over = set(self._over)
        for query in self._queries:
            since = until - timedelta(seconds=seconds_of(query.per))
            page = await index.search(Query(query.query, since=since, until=until, size=1))
            name = identity(query)
            if page.total < query.count:
                over.discard(name)
            elif name not in over:
                over.add(name)
                reached.append(ReachedCount(query, since, until, page.total))
        self._over = over
        return reached

    def encoded(self) -> bytes:
        """Returns which queries are over their count, as bytes."""
        return json.dumps([_VERSION, sorted(self._over)]).encode()
