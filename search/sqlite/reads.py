"""Reads of posts and dead letters from the SQLite index: functions over a reader's own connection.

A page continues after the last post of the page before, never at an offset: posts that arrive between two pages repeat
and hide no other.
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from search.documents import TIME_SHIFT, read_document, with_zone
from search.index import Indexable, Page, Query
from search.limits import MAX_MOMENT, check_page
from search.query import MalformedQuery, parse
from search.sqlite.fts_query import match_expression
from search.sqlite.schema import DEAD_LETTER_COLUMNS, transaction
from tagstream.posts import AccountStatus, DeadLetter, TaggedPost, from_epoch_milliseconds, to_epoch_milliseconds

_STREAM_STEP = 200
_REPLAY_STEP = 500
# The condition that a document may be seen.
SHOWN = "(author IS NULL OR author NOT IN (SELECT author FROM hidden_authors))"


def first_number(timestamp: datetime | None, default: int) -> int:
    """Returns the lowest number that a post of that time can have; `default` without a time."""
    if timestamp is None:
        return default
    return min(max(to_epoch_milliseconds(with_zone(timestamp)), 0), MAX_MOMENT + 1) << TIME_SHIFT


def number_range(since: datetime | None, until: datetime | None) -> tuple[int, int]:
    """Returns the range of the numbers of the posts in [since, until)."""
    return first_number(since, 0), first_number(until, 2**63 - 1)


def search(connection: sqlite3.Connection, query: Query) -> Page:
    """Returns one page of the posts that match.

    Raises:
        MalformedQuery: the text is not a query, or `after` is not the end of a page in this order.
        BadSettings: a page size that is not between 1 and `MAX_PAGE`.
    """
    check_page(query.size)
    parsed = parse(query.text)
    expression = match_expression(parsed, query.source)
    low, high = number_range(query.since, query.until)
    parsed_low, parsed_high = number_range(parsed.since, parsed.until)
    bounds = (max(low, parsed_low), min(high, parsed_high))
    page = _newest if query.order == "newest" else _most_relevant
    with transaction(connection, write=False):
        total = connection.execute(
            "SELECT count(*) FROM terms WHERE terms MATCH ? AND rowid >= ? AND rowid < ?", (expression, *bounds)
        ).fetchone()[0]
        numbers, following = page(connection, expression, bounds, query)
        documents = [
            connection.execute("SELECT document FROM documents WHERE number = ?", (number,)).fetchone()
            for number in numbers
        ]
    return Page(tuple(read_document(document) for (document,) in documents), total, following)


def _newest(
    connection: sqlite3.Connection, expression: str, bounds: tuple[int, int], query: Query
) -> tuple[list[int], str | None]:
    low, high = bounds
    if query.after is not None:
        high = min(high, _after("newest", query.after)[0])
    rows = connection.execute(
        "SELECT rowid FROM terms WHERE terms MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid DESC LIMIT ?",
        (expression, low, high, query.size + 1),
    ).fetchall()
    numbers = [row[0] for row in rows[: query.size]]
    return numbers, f"newest.{numbers[-1]}" if len(rows) > query.size else None


def _most_relevant(
    connection: sqlite3.Connection, expression: str, bounds: tuple[int, int], query: Query
) -> tuple[list[int], str | None]:
    """Returns a page by BM25 over the words.

    All scores shift a little as posts arrive. So a page continues after the *post* last shown, at its present score;
    its former score serves only if the post is gone.
    """
    scored = "SELECT rowid, bm25(terms, 1.0, 0.0) AS score FROM terms WHERE terms MATCH ?"
    last, last_score = 2**63 - 1, float("-inf")
    if query.after is not None:
        last, last_score = _after("relevance", query.after)
        now = connection.execute(f"{scored} AND rowid = ?", (expression, last)).fetchone()
        last_score = last_score if now is None else now[1]
    rows = connection.execute(
        f"SELECT rowid, score FROM ({scored} AND rowid >= ? AND rowid < ?) "
        "WHERE score > ? OR (score = ? AND rowid < ?) ORDER BY score, rowid DESC LIMIT ?",
        (expression, *bounds, last_score, last_score, last, query.size + 1),
    ).fetchall()
    shown = rows[: query.size]
    following = f"relevance.{shown[-1][0]}.{shown[-1][1].hex()}" if len(rows) > query.size else None
    return [number for number, _ in shown], following


def _after(order: str, text: str) -> tuple[int, float]:
    """Returns the number, and for relevance the score, that a page ended with."""
    named, _, rest = text.partition(".")
    number, _, score = rest.partition(".")
    try:
        if named != order:
            raise ValueError
        position, value = int(number), float.fromhex(score) if order == "relevance" else 0.0
        if not 0 <= position < 2**63:
            raise ValueError
    except (ValueError, OverflowError):
        message = f"{text[:80]!r} does not continue a search by {order}. Pass on the `next` of the page before."
        raise MalformedQuery(message) from None
    return position, value


def get(connection: sqlite3.Connection, post_id: str) -> TaggedPost | None:
    """Returns the visible post of that id, None if there is none."""
    row = connection.execute(
        f"SELECT document FROM registry JOIN documents USING (number) WHERE id = ? AND {SHOWN}", (post_id,)
    ).fetchone()
    return None if row is None else read_document(row[0])


def cursor(connection: sqlite3.Connection, source: str) -> str | None:
    """Returns the saved position of a source, None if there is none."""
    row = connection.execute("SELECT position FROM cursors WHERE source = ?", (source,)).fetchone()
    return None if row is None else row[0]


def documents_after(connection: sqlite3.Connection, post_id: str, *, with_hidden: bool) -> list[tuple[str, TaggedPost]]:
    """Returns the next few hundred visible posts in order of id; `with_hidden` also those of hidden authors."""
    rows = connection.execute(
        "SELECT id, document FROM registry JOIN documents USING (number) "
        f"WHERE id > ? AND (? OR {SHOWN}) ORDER BY id LIMIT ?",
        (post_id, with_hidden, _STREAM_STEP),
    ).fetchall()
    return [(post_id, read_document(document)) for post_id, document in rows]


def posts_after(connection: sqlite3.Connection, number: int, end: int) -> list[tuple[int, Indexable]]:
    """Returns the next few hundred visible posts in order of time, with the number of each; numbers lie below `end`."""
    rows = connection.execute(
        "SELECT number, document, observed_at, position FROM documents JOIN registry USING (number) "
        f"WHERE number > ? AND number < ? AND {SHOWN} ORDER BY number LIMIT ?",
        (number, end, _REPLAY_STEP),
    ).fetchall()
    return [
        (number, Indexable(read_document(document), from_epoch_milliseconds(observed_at), position))
        for number, document, observed_at, position in rows
    ]


def account_statuses_after(connection: sqlite3.Connection, account: tuple[str, str]) -> list[AccountStatus]:
    """Returns the newest statuses of the next few hundred accounts, in order of source and author."""
    rows = connection.execute(
        "SELECT source, author, position, hidden FROM account_statuses WHERE (source, author) > (?, ?) "
        "ORDER BY source, author LIMIT ?",
        (*account, _STREAM_STEP),
    ).fetchall()
    return [
        AccountStatus(source=source, author=author, position=position, hidden=bool(hidden))
        for source, author, position, hidden in rows
    ]


def dead_letters_after(connection: sqlite3.Connection, entry: int, cause: str | None) -> list[tuple[int, DeadLetter]]:
    """Returns the next few hundred dead letters in the order in which they first came."""
    rows: Sequence[tuple[object, ...]] = connection.execute(
        f"SELECT entry, {', '.join(DEAD_LETTER_COLUMNS)} FROM dead_letters "
        "WHERE entry > ?1 AND (?2 IS NULL OR cause = ?2) ORDER BY entry LIMIT ?3",
        (entry, cause, _STREAM_STEP),
    ).fetchall()
    letters = []
    for number, *values in rows:
        assert isinstance(number, int)
        letters.append((number, DeadLetter.model_validate(dict(zip(DEAD_LETTER_COLUMNS, values, strict=True)))))
    return letters
