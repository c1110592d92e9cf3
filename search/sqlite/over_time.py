"""Posts over time in the SQLite index: figures of a query, the span of the feed, and what is new.

Counts of one entity are in `counts.py`; these take any query, and read the posts that match.
"""

import sqlite3
from collections import deque
from collections.abc import Container, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from search.documents import IMPLAUSIBLE_TIME, TIME_SHIFT, read_document
from search.feed_span import beginning, oldest_read
from search.index import Arrivals, Bucket, Query, Span
from search.limits import bucket_count
from search.query import MalformedQuery
from search.sqlite.reads import SHOWN, Matching, count, matching, number_range
from search.sqlite.schema import transaction
from search.trends import CLOCK_AUTHORS
from tagstream.posts import from_epoch_milliseconds

ARRIVALS_KEPT = 1_000_000
_ARRIVALS_A_CALL = 2_000
_LOOKED_UP = 64
_POSTS_READ = 200_000
_BUCKETS_ASKED = 500
_HOUR = 3_600_000  # milliseconds
_MINUTE = 60_000  # milliseconds


def post_counts(
    connection: sqlite3.Connection,
    query: Query,
    *,
    since: datetime,
    until: datetime,
    bucket_seconds: int,
    with_authors: bool,
) -> list[Bucket]:
    """Returns the matching posts for every bucket from `since` to `until`, and their distinct authors if asked for."""
    low, high = number_range(since, until)
    buckets = bucket_count(low >> TIME_SHIFT, high >> TIME_SHIFT, bucket_seconds, since, until)
    width = bucket_seconds * 1000 << TIME_SHIFT
    asked = matching(query)
    asked = asked._replace(low=max(low, asked.low), high=min(high, asked.high))
    if with_authors or buckets > _BUCKETS_ASKED:
        found = _grouped(connection, asked, low, width, with_authors=with_authors)
    else:  # FTS5 goes to the beginning of a bucket, and counts there without handing out every post
        starts = [low + width * at for at in range(buckets + 1)]
        with transaction(connection, write=False):
            found = {
                at: (count(connection, asked._replace(low=max(one, asked.low), high=min(next_one, asked.high))), 0)
                for at, (one, next_one) in enumerate(pairwise(starts))
            }
    start = from_epoch_milliseconds(low >> TIME_SHIFT)
    return [Bucket(start + timedelta(seconds=bucket_seconds * at), *found.get(at, (0, 0))) for at in range(buckets)]


def _grouped(
    connection: sqlite3.Connection, asked: Matching, low: int, width: int, *, with_authors: bool
) -> dict[int, tuple[int, int]]:
    """Returns the posts, and the authors if asked for, by bucket."""
    if with_authors:
        columns, rows = "count(DISTINCT author)", "terms CROSS JOIN facets ON facets.number = terms.rowid"
    else:
        columns, rows = "0", "terms"
    found = connection.execute(
        f"SELECT (terms.rowid - ?) / ? AS bucket, count(*), {columns} FROM {rows} "
        "WHERE terms MATCH ? AND terms.rowid >= ? AND terms.rowid < ? GROUP BY bucket",
        (low, width, *asked),
    )
    return {bucket: (posts, authors) for bucket, posts, authors in found}


def span(connection: sqlite3.Connection, query: Query) -> Span | None:
    """Returns the minutes of the first and the last post that match, None if none does."""
    found = matching(query)
    ends = []
    for order in ("ASC", "DESC"):
        row = connection.execute(
            f"SELECT rowid FROM terms WHERE terms MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid {order} LIMIT 1",
            found,
        ).fetchone()
        if row is None:
            return None
        ends.append(row[0])
    return _minutes(*ends)


def feed_span(connection: sqlite3.Connection) -> Span | None:
    """Returns the minutes between which the feed lies, without posts of stray dates; None without posts."""
    plausible = f"FROM documents WHERE number & {IMPLAUSIBLE_TIME} = 0 AND {SHOWN}"
    # FTS5's own table of the lengths of posts: a few bytes for each post that may be seen.
    numbers = f"FROM terms_docsize WHERE id & {IMPLAUSIBLE_TIME} = 0"
    with transaction(connection, write=False):
        last = _newest(connection, plausible)
        posts = connection.execute("SELECT count(*) FROM terms_docsize").fetchone()[0]  # without a look at each
        rows = connection.execute(f"SELECT id {numbers} ORDER BY id LIMIT ?", (oldest_read(posts),))
        oldest = [number >> TIME_SHIFT for (number,) in rows]
    if last is None:
        return None
    first = beginning(oldest, last >> TIME_SHIFT)
    return _minutes(first << TIME_SHIFT, last)


def _newest(connection: sqlite3.Connection, plausible: str) -> int | None:
    """Returns the newest number within an hour before which several authors wrote."""
    recent: deque[tuple[int, int]] = deque()
    newest = None
    for number, author in connection.execute(
        f"SELECT number, coalesce(author, -number) {plausible} ORDER BY number DESC LIMIT ?", (_POSTS_READ,)
    ):
        newest = number if newest is None else newest
        recent.append((number, author))
        while recent[0][0] - number > _HOUR << TIME_SHIFT:
            recent.popleft()
        if len({author for _, author in recent}) >= CLOCK_AUTHORS:
            return recent[0][0]
    return newest


def _minutes(first: int, last: int) -> Span:
    low, high = ((number >> TIME_SHIFT) // _MINUTE for number in (first, last))
    return Span(from_epoch_milliseconds(low * _MINUTE), from_epoch_milliseconds((high + 1) * _MINUTE))


def arrivals(connection: sqlite3.Connection, query: Query, after: str | None, known: Container[str]) -> Arrivals:
    """Returns the matching posts that came in after the position `after`, in order of arrival."""
    expression, low, high = matching(query)
    with transaction(connection, write=False):
        if after is None:
            newest = connection.execute("SELECT max(entry) FROM arrivals").fetchone()[0]
            return Arrivals((), frozenset(), str(newest or 0), False)
        rows = connection.execute(
            "SELECT entry, number FROM arrivals WHERE entry > ? ORDER BY entry LIMIT ?",
            (_position(after), _ARRIVALS_A_CALL + 1),
        ).fetchall()
        more, rows = len(rows) > _ARRIVALS_A_CALL, rows[:_ARRIVALS_A_CALL]
        numbers = [number for _, number in rows if low <= number < high]
        found = [
            (post_id, document)
            for number in _in_order(numbers, _matching_among(connection, expression, numbers))
            for post_id, document in connection.execute(
                "SELECT id, document FROM registry JOIN documents USING (number) WHERE number = ?", (number,)
            )
        ]
    posts = tuple(read_document(document) for post_id, document in found if post_id not in known)
    return Arrivals(posts, frozenset(post_id for post_id, _ in found), str(rows[-1][0]) if rows else after, more)


def note_arrivals(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Notes that these posts were not visible before, and forgets what came in long ago. Called by a write."""
    if not numbers:
        return
    connection.executemany("INSERT INTO arrivals (number) VALUES (?)", [(number,) for number in numbers])
    connection.execute(
        "DELETE FROM arrivals WHERE entry <= (SELECT max(entry) FROM arrivals) - ?",
        (ARRIVALS_KEPT,),
    )


def _matching_among(connection: sqlite3.Connection, expression: str, numbers: Sequence[int]) -> set[int]:
    """Returns which of the posts match: a few are looked up, of many the stretch of time in which they lie is read."""
    if len(numbers) <= _LOOKED_UP:
        one = "SELECT 1 FROM terms WHERE terms MATCH ? AND rowid = ?"
        return {number for number in numbers if connection.execute(one, (expression, number)).fetchone()}
    rows = connection.execute(
        "SELECT rowid FROM terms WHERE terms MATCH ? AND rowid >= ? AND rowid <= ?",
        (expression, min(numbers), max(numbers)),
    )
    return {number for (number,) in rows}.intersection(numbers)


def _in_order(numbers: Sequence[int], wanted: set[int]) -> list[int]:
    return [number for number in dict.fromkeys(numbers) if number in wanted]


def _position(after: str) -> int:
    try:
        position = int(after)
        if not 0 <= position < 2**63:
            raise ValueError
    except ValueError:
        raise MalformedQuery(f"{after[:80]!r} is no position of this index. Pass on the `next` of before.") from None
    return position
