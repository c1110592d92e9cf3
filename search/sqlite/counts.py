"""Counts of entity mentions in the SQLite index: top entities, series, companions, trends.

The order is by distinct authors, so that an author, however busy, counts once; posts are told beside them.
"""

import sqlite3
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from search.documents import IMPLAUSIBLE_TIME, TIME_SHIFT
from search.index import Bucket, EntityCount, Trend
from search.limits import bucket_count, check_size, check_windows
from search.sqlite.reads import first_number, number_range
from search.sqlite.schema import transaction
from search.terms import hash_key
from search.trends import CLOCK_AUTHORS, MAX_CANDIDATES, MIN_AUTHORS, MIN_SCORE, significance
from tagstream.posts import ENTITY_TYPES, EntityType, from_epoch_milliseconds

_SPELLINGS_READ = 1_000
_CLOCK_MENTIONS_READ = 200_000
_MINUTE = 60_000  # milliseconds


def top_entities(
    connection: sqlite3.Connection,
    *,
    since: datetime | None,
    until: datetime | None,
    type: EntityType | None,
    size: int,
) -> list[EntityCount]:
    """Returns the entities that most authors mention in [since, until), most authors first."""
    check_size(size)
    low, high = number_range(since, until)
    # Over all of time the table is read as it lies, by entity; over a part of it by time, and then sorted.
    everything = since is None and until is None
    rows = "mentions" if everything else "mentions WHERE number >= :low AND number < :high"
    with transaction(connection, write=False):
        by_posts = connection.execute(
            f"SELECT entity, posts FROM (SELECT entity, count(*) AS posts FROM {rows} GROUP BY entity) "
            "JOIN entities USING (entity) WHERE :type IS NULL OR type = :type ORDER BY posts DESC",
            {"low": low, "high": high, "type": type},
        )
        counted: list[tuple[int, int, int]] = []  # (authors, posts, entity) of the best so far
        for entity, posts in by_posts:
            # An entity has no more authors than posts: once that is too few, no later one can come in.
            if len(counted) >= size and posts < counted[-1][0]:
                break
            counted.append((_authors(connection, entity, low, high), posts, entity))
            counted.sort(key=lambda one: (-one[0], -one[1], one[2]))
            del counted[size:]
        return _entity_counts(connection, [(entity, posts, authors) for authors, posts, entity in counted], low, high)


def counts(
    connection: sqlite3.Connection,
    key: str,
    type: EntityType | None,
    *,
    since: datetime,
    until: datetime,
    bucket_seconds: int,
) -> list[Bucket]:
    """Returns the posts and distinct authors that mention the entity, for every bucket from `since` to `until`."""
    low, high = number_range(since, until)
    width = bucket_seconds * 1000 << TIME_SHIFT
    buckets = bucket_count(low >> TIME_SHIFT, high >> TIME_SHIFT, bucket_seconds, since, until)
    entities = _hashes(key, type)
    rows = connection.execute(
        "SELECT (number - ?) / ? AS bucket, count(DISTINCT number), count(DISTINCT author) FROM mentions "
        f"WHERE entity IN ({_places(entities)}) AND number >= ? AND number < ? GROUP BY bucket",
        (low, width, *entities, low, high),
    ).fetchall()
    found = {bucket: (posts, authors) for bucket, posts, authors in rows}
    start = from_epoch_milliseconds(low >> TIME_SHIFT)
    return [Bucket(start + timedelta(seconds=bucket_seconds * at), *found.get(at, (0, 0))) for at in range(buckets)]


def companions(
    connection: sqlite3.Connection,
    key: str,
    type: EntityType | None,
    *,
    since: datetime | None,
    until: datetime | None,
    size: int,
) -> list[EntityCount]:
    """Returns the entities mentioned in the same posts as this one, most authors first."""
    check_size(size)
    low, high = number_range(since, until)
    entities = _hashes(key, type)
    places = _places(entities)
    with transaction(connection, write=False):
        rows = connection.execute(
            "SELECT other.entity, count(DISTINCT other.number) AS posts, count(DISTINCT other.author) AS authors "
            "FROM mentions AS one CROSS JOIN mentions AS other ON other.number = one.number "
            f"WHERE one.entity IN ({places}) AND one.number >= ? AND one.number < ? "
            f"AND other.entity NOT IN ({places}) GROUP BY other.entity "
            "ORDER BY authors DESC, posts DESC, other.entity LIMIT ?",
            (*entities, low, high, *entities, size),
        ).fetchall()
        return _entity_counts(connection, rows, low, high)


def trending(
    connection: sqlite3.Connection, *, until: datetime | None, window_seconds: int, past_windows: int, size: int
) -> list[Trend]:
    """Returns the entities whose authors in the last window exceed what the windows before explain, best first."""
    check_size(size)
    check_windows(window_seconds, past_windows)
    width = window_seconds * 1000 << TIME_SHIFT
    with transaction(connection, write=False):
        end = _feed_clock(connection, width) if until is None else first_number(until, 0)
        if end is None:
            return []
        bounds = [end - width * back for back in range(past_windows + 1, -1, -1)]
        # Windows in which the feed itself was silent say nothing about its entities.
        heard = [_any_mention(connection, low, high) for low, high in pairwise(bounds)]
        scored = []
        for entity, posts, authors in _candidates(connection, bounds[-2], end):
            series = _series(connection, entity, bounds, width)
            past = [count for count, known in zip(series[:-1], heard[:-1], strict=True) if known]
            expected, score = significance(authors, past)
            if score >= MIN_SCORE or not past:
                scored.append((score, entity, posts, authors, expected, series))
        scored.sort(key=lambda one: (-one[0], -one[3], one[1]))
        best = scored[:size]
        entities = _entity_counts(connection, [(one[1], one[2], one[3]) for one in best], bounds[-2], end)
    return [
        Trend(entity, expected, score, tuple(series))
        for entity, (score, _, _, _, expected, series) in zip(entities, best, strict=True)
    ]


def _candidates(connection: sqlite3.Connection, low: int, high: int) -> Iterable[tuple[int, int, int]]:
    """Returns (entity, posts, authors) of those that enough authors mention in the window, most authors first."""
    return connection.execute(
        "SELECT entity, count(*), count(DISTINCT author) AS authors FROM mentions WHERE number >= ? AND number < ? "
        "GROUP BY entity HAVING authors >= ? ORDER BY authors DESC, entity LIMIT ?",
        (low, high, MIN_AUTHORS, MAX_CANDIDATES),
    ).fetchall()


def _feed_clock(connection: sqlite3.Connection, width: int) -> int | None:
    """Returns the end of the newest minute of the feed, as a number; None without mentions.

    A minute counts if several authors wrote in the window that ends with it: a stray date in the future moves
    nothing. Posts that claimed a time later than we saw them never count.
    """
    recent: deque[tuple[int, int]] = deque()
    newest = None
    for number, author in connection.execute(
        "SELECT number, author FROM mentions WHERE number & ? = 0 ORDER BY number DESC LIMIT ?",
        (IMPLAUSIBLE_TIME, _CLOCK_MENTIONS_READ),
    ):
        newest = number if newest is None else newest
        recent.append((number, author))
        while recent[0][0] - number > width:
            recent.popleft()
        if len({author for _, author in recent}) >= CLOCK_AUTHORS:
            newest = recent[0][0]
            break
    if newest is None:
        newest = connection.execute("SELECT max(number) FROM mentions").fetchone()[0]
    return None if newest is None else ((newest >> TIME_SHIFT) // _MINUTE + 1) * _MINUTE << TIME_SHIFT


def _series(connection: sqlite3.Connection, entity: int, bounds: Sequence[int], width: int) -> list[int]:
    """Returns the distinct authors who mention the entity, window by window."""
    rows = connection.execute(
        "SELECT (number - ?2) / ?4 AS window, count(DISTINCT author) FROM mentions "
        "WHERE entity = ?1 AND number >= ?2 AND number < ?3 GROUP BY window",
        (entity, bounds[0], bounds[-1], width),
    )
    found = dict(rows.fetchall())
    return [found.get(window, 0) for window in range(len(bounds) - 1)]


def _any_mention(connection: sqlite3.Connection, low: int, high: int) -> bool:
    found = connection.execute("SELECT 1 FROM mentions WHERE number >= ? AND number < ? LIMIT 1", (low, high))
    return found.fetchone() is not None


def _authors(connection: sqlite3.Connection, entity: int, low: int, high: int) -> int:
    count: int = connection.execute(
        "SELECT count(DISTINCT author) FROM mentions WHERE entity = ? AND number >= ? AND number < ?",
        (entity, low, high),
    ).fetchone()[0]
    return count


def _entity_counts(
    connection: sqlite3.Connection, rows: Iterable[tuple[int, int, int]], low: int, high: int
) -> list[EntityCount]:
    """Returns the counts of entities; the text is the commonest of the newest spellings in the range."""
    found = []
    for entity, posts, authors in rows:
        type_, key = connection.execute("SELECT type, key FROM entities WHERE entity = ?", (entity,)).fetchone()
        spelling = connection.execute(
            "SELECT spelling FROM (SELECT spelling FROM mentions WHERE entity = ? AND number >= ? AND number < ? "
            "ORDER BY number DESC LIMIT ?) GROUP BY spelling ORDER BY count(*) DESC, spelling LIMIT 1",
            (entity, low, high, _SPELLINGS_READ),
        ).fetchone()[0]
        found.append(EntityCount(key, type_, spelling, posts, authors))
    return found


def _hashes(key: str, type: EntityType | None) -> tuple[int, ...]:
    return tuple(hash_key(one, key) for one in (ENTITY_TYPES if type is None else (type,)))


def _places(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
