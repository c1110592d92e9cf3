"""Reads of posts and dead letters from the SQLite index: functions over a reader's own connection.

A page continues after the last post of the page before, never at an offset: posts that arrive between two pages repeat
and hide no other.
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from search.documents import TIME_SHIFT, read_document, time_of_number, with_zone
from search.index import Indexable, Page, Query
from search.limits import MAX_MOMENT, check_page
from search.query import MalformedQuery, parse
from search.sqlite.fts_query import EVERYTHING, match_expression
from search.sqlite.schema import DEAD_LETTER_COLUMNS, transaction
from tagstream.posts import AccountStatus, DeadLetter, TaggedPost, from_epoch_milliseconds, to_epoch_milliseconds

MAX_RANKED_POSTS = 10_000
_STREAM_STEP = 200
_REPLAY_STEP = 500
_ALL_OF_TIME = (0, 2**63 - 1)
# The condition that a document may be seen.
SHOWN = "(author IS NULL OR author NOT IN (SELECT author FROM hidden_authors))"


def first_number(timestamp: datetime | None, default: int) -> int:
    """Returns the lowest number that a post of that time can have; `default` without a time."""
    if timestamp is None:
        return default
    return min(max(to_epoch_milliseconds(with_zone(timestamp)), 0), MAX_MOMENT + 1) << TIME_SHIFT


def number_range(since: datetime | None, until: datetime | None) -> tuple[int, int]:
    """Returns the range of the numbers of the posts in [since, until)."""
    first, last = _ALL_OF_TIME
    return first_number(since, first), first_number(until, last)


class Matching(NamedTuple):
    """The condition of a query: an expression of FTS5, the lowest number of a post, and the number after the last."""

    expression: str
    low: int
    high: int


def matching(query: Query) -> Matching:
    """Returns what the posts of a query match.

    Raises:
        MalformedQuery: the text is not a query.
    """
    parsed = parse(query.text)
    (low, high), (parsed_low, parsed_high) = (
        number_range(query.since, query.until),
        number_range(parsed.since, parsed.until),
    )
    return Matching(match_expression(parsed, query.source), max(low, parsed_low), min(high, parsed_high))


def count(connection: sqlite3.Connection, found: Matching) -> int:
    """Returns the number of matching posts. FTS5 walks ten million of them a second."""
    sql, values = (
        "SELECT count(*) FROM terms WHERE terms MATCH ? AND rowid >= ? AND rowid < ?",
        tuple[object, ...](found),
    )
    if found.expression == EVERYTHING:  # FTS5's own table of the lengths of posts has a row for each
        sql, values = "SELECT count(*) FROM terms_docsize", ()
        if (found.low, found.high) != _ALL_OF_TIME:
            sql, values = f"{sql} WHERE id >= ? AND id < ?", (found.low, found.high)
    number: int = connection.execute(sql, values).fetchone()[0]
    return number


def search(connection: sqlite3.Connection, query: Query) -> Page:
    """Returns one page of the posts that match.

    Raises:
        MalformedQuery: the text is not a query, or `after` is not the end of a page in this order.
        BadSettings: a page size that is not between 1 and `MAX_PAGE`.
    """
    check_page(query.size)
    found = matching(query)
    with transaction(connection, write=False):
        total = count(connection, found)
        if query.order == "newest":
            numbers, following = _newest(connection, found, query)
        else:
            numbers, following = _most_relevant(connection, found, query, total)
        documents = [
            connection.execute("SELECT document FROM documents WHERE number = ?", (number,)).fetchone()
            for number in numbers
        ]
    ranked = None if query.order == "newest" else min(total, MAX_RANKED_POSTS)
    posts = tuple(read_document(document) for (document,) in documents)
    return Page(posts, total, following, ranked, tuple(map(time_of_number, numbers)))


def _newest(connection: sqlite3.Connection, found: Matching, query: Query) -> tuple[list[int], str | None]:
    expression, low, high = found
    if query.after is not None:
        high = min(high, _after_newest(query.after))
    rows = connection.execute(
        "SELECT rowid FROM terms WHERE terms MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid DESC LIMIT ?",
        (expression, low, high, query.size + 1),
    ).fetchall()
    numbers = [row[0] for row in rows[: query.size]]
    return numbers, f"newest.{numbers[-1]}" if len(rows) > query.size else None


def _most_relevant(
    connection: sqlite3.Connection, found: Matching, query: Query, total: int
) -> tuple[list[int], str | None]:
    """Returns a page by BM25 over the words, of the newest `MAX_RANKED_POSTS` that match.

    All scores shift a little as posts arrive. So a page continues after the *post* last shown, at its present score;
    its former score serves only if the post is gone. It also continues among the posts of the first page and newer
    ones, so that none of them is lost.
    """
    expression, low, high = found
    last, last_score = 2**63 - 1, float("-inf")
    scored = "SELECT rowid, bm25(terms, 1.0, 0.0) AS score FROM terms WHERE terms MATCH ?"
    if query.after is not None:
        last, last_score, oldest = _after_relevant(query.after)
        low = max(low, oldest)
        now = connection.execute(f"{scored} AND rowid = ?", (expression, last)).fetchone()
        last_score = last_score if now is None else now[1]
    elif total > MAX_RANKED_POSTS:
        low = connection.execute(
            "SELECT rowid FROM terms WHERE terms MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid DESC "
            "LIMIT 1 OFFSET ?",
            (*found, MAX_RANKED_POSTS - 1),
        ).fetchone()[0]
    rows = connection.execute(
        f"SELECT rowid, score FROM ({scored} AND rowid >= ? AND rowid < ?) "
        "WHERE score > ? OR (score = ? AND rowid < ?) ORDER BY score, rowid DESC LIMIT ?",
        (expression, low, high, last_score, last_score, last, query.size + 1),
    ).fetchall()
    shown = rows[: query.size]
    following = f"relevance.{shown[-1][0]}.{low}.{shown[-1][1].hex()}" if len(rows) > query.size else None
    return [number for number, _ in shown], following


def _after_newest(text: str) -> int:
    """Returns the number that a page of the newest ended with."""
    order, _, number = text.partition(".")
    try:
        if order != "newest":
            raise ValueError
        return _number(number)
    except ValueError:
        raise _no_page(text, "newest") from None


def _after_relevant(text: str) -> tuple[int, float, int]:
    """Returns the number and the score that a page of the most relevant ended with, and its lowest number."""
    try:
        order, number, oldest, score = text.split(".", 3)
        if order != "relevance":
            raise ValueError
        return _number(number), float.fromhex(score), _number(oldest)
    except (ValueError, OverflowError):
        raise _no_page(text, "relevance") from None


def _number(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**63:
        raise ValueError(text)
    return number


def _no_page(text: str, order: str) -> MalformedQuery:
    return MalformedQuery(
        f"{text[:80]!r} does not continue a search by {order}. Pass on the `next` of the page before."
    )


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


def dead_letter_counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Returns the number of dead letters of each cause. The column lies before the bodies, which are not read."""
    return dict(connection.execute("SELECT cause, count(*) FROM dead_letters GROUP BY cause"))


def dead_letters_after(
    connection: sqlite3.Connection, entry: int, cause: str | None, size: int | None = None
) -> list[tuple[int, DeadLetter]]:
    """Returns the next few hundred dead letters in the order in which they first came, at most `size`."""
    rows: Sequence[tuple[object, ...]] = connection.execute(
        f"SELECT entry, {', '.join(DEAD_LETTER_COLUMNS)} FROM dead_letters "
        "WHERE entry > ?1 AND (?2 IS NULL OR cause = ?2) ORDER BY entry LIMIT ?3",
        (entry, cause, _STREAM_STEP if size is None else min(size, _STREAM_STEP)),
    ).fetchall()
    letters = []
    for number, *values in rows:
        assert isinstance(number, int)
        letters.append((number, DeadLetter.model_validate(dict(zip(DEAD_LETTER_COLUMNS, values, strict=True)))))
    return letters
