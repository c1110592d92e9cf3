"""Facets of a query in the SQLite index, and the spellings that its vocabulary offers for a word.

Names come from `mentions`, the rest from `facets`, which both are read by number. The numbers of the posts that match
are kept in a temporary table meanwhile; of a large result those of its newest posts.
"""

import sqlite3
from itertools import islice

from search.index import FacetKind, Facets, FacetValue, Query
from search.limits import check_facets
from search.query import parse
from search.spelling import edits
from search.sqlite.fts_query import match_expression
from search.sqlite.reads import number_range
from search.sqlite.schema import transaction
from tagstream.posts import ENTITY_TYPES

MAX_COUNTED_POSTS = 20_000
_MOST_SPELLINGS = 5
_SPELLINGS_READ = 100
_PROPERTY_KINDS: tuple[FacetKind, ...] = ("source", "language", "hashtag")
_NAME_KINDS: dict[str, FacetKind] = {"PER": "person", "LOC": "place", "ORG": "organisation", "MISC": "other"}


def facets(connection: sqlite3.Connection, query: Query, *, size: int) -> Facets:
    """Returns what the matching posts have in common; counted over the newest `MAX_COUNTED_POSTS` of them."""
    check_facets(size)
    parsed = parse(query.text)
    low, high = number_range(query.since, query.until)
    parsed_low, parsed_high = number_range(parsed.since, parsed.until)
    matching = (match_expression(parsed, query.source), max(low, parsed_low), min(high, parsed_high))
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS matched (number INTEGER PRIMARY KEY)")
    with transaction(connection, write=False):
        connection.execute("DELETE FROM temp.matched")
        where = "FROM terms WHERE terms MATCH ? AND rowid >= ? AND rowid < ?"
        total = connection.execute(f"SELECT count(*) {where}", matching).fetchone()[0]
        newest = f"SELECT rowid {where} ORDER BY rowid DESC LIMIT ?"
        connection.execute(f"INSERT INTO temp.matched {newest}", (*matching, MAX_COUNTED_POSTS))
        values = _names(connection, size) | _properties(connection, size)
        if types := _types(connection):
            values["type"] = types
        connection.execute("DELETE FROM temp.matched")
    return Facets(values, total, min(total, MAX_COUNTED_POSTS))


def _names(connection: sqlite3.Connection, size: int) -> dict[FacetKind, tuple[FacetValue, ...]]:
    rows = connection.execute(
        "SELECT entity, type, key, posts FROM (SELECT entity, type, key, posts, "
        "row_number() OVER (PARTITION BY type ORDER BY posts DESC, key) AS place FROM ("
        "SELECT entity, count(*) AS posts FROM temp.matched "
        "CROSS JOIN mentions INDEXED BY mentions_by_time ON mentions.number = matched.number GROUP BY entity) "
        "JOIN entities USING (entity)) WHERE place <= ? ORDER BY type, place",
        (size,),
    ).fetchall()
    found: dict[FacetKind, list[FacetValue]] = {}
    for entity, type_, key, posts in rows:
        found.setdefault(_NAME_KINDS[type_], []).append(FacetValue(key, _spelling(connection, entity), posts))
    return {kind: tuple(values) for kind, values in found.items()}


def _spelling(connection: sqlite3.Connection, entity: int) -> str:
    """Returns the commonest of the newest spellings of an entity."""
    row = connection.execute(
        "SELECT spelling FROM (SELECT spelling FROM mentions WHERE entity = ? ORDER BY number DESC LIMIT ?) "
        "GROUP BY spelling ORDER BY count(*) DESC, spelling LIMIT 1",
        (entity, _SPELLINGS_READ),
    ).fetchone()
    return str(row[0])


def _types(connection: sqlite3.Connection) -> tuple[FacetValue, ...]:
    rows = connection.execute(
        "SELECT type, count(DISTINCT mentions.number) AS posts FROM temp.matched "
        "CROSS JOIN mentions INDEXED BY mentions_by_time ON mentions.number = matched.number "
        "CROSS JOIN entities USING (entity) GROUP BY type ORDER BY posts DESC, type",
    ).fetchall()
    return tuple(FacetValue(type_, type_, posts) for type_, posts in rows if type_ in ENTITY_TYPES)


def _properties(connection: sqlite3.Connection, size: int) -> dict[FacetKind, tuple[FacetValue, ...]]:
    rows = connection.execute(
        "SELECT kind, value, posts FROM (SELECT kind, value, posts, "
        "row_number() OVER (PARTITION BY kind ORDER BY posts DESC, value) AS place FROM ("
        "SELECT kind, value, count(*) AS posts FROM temp.matched "
        "CROSS JOIN facets ON facets.number = matched.number GROUP BY kind, value)) "
        "WHERE place <= ? ORDER BY kind, place",
        (size,),
    ).fetchall()
    found: dict[FacetKind, tuple[FacetValue, ...]] = {}
    for kind in _PROPERTY_KINDS:
        sign = "#" if kind == "hashtag" else ""
        values = tuple(FacetValue(value, f"{sign}{value}", posts) for one, value, posts in rows if one == kind)
        if values:
            found[kind] = values
    return found


def spellings(connection: sqlite3.Connection, word: str) -> list[str]:
    """Returns the commonest words of posts that differ from a word by one letter, or two swapped ones."""
    connection.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary USING fts5vocab (main, terms, row)")
    found = []
    with transaction(connection, write=False):
        for candidate in edits(word):
            row = connection.execute("SELECT doc FROM temp.vocabulary WHERE term = ?", (candidate,)).fetchone()
            if row is not None:
                found.append((-row[0], candidate))
    return [candidate for _, candidate in islice(sorted(found), _MOST_SPELLINGS)]
