"""Facets of a query in the SQLite index, and the spellings that its vocabulary offers for a word.

What is counted of a post stands in one row of `facets`. The rows of the matching posts are joined into one text and
read at once: to count by `GROUP BY` would sort every value of every post. Of a large result the newest posts are
counted.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from heapq import nsmallest
from itertools import islice

from search.index import FacetKind, Facets, FacetValue, Query
from search.limits import check_facets
from search.spelling import edits
from search.sqlite.reads import count, matching
from search.sqlite.schema import transaction
from search.terms import hash_key
from tagstream.errors import CorruptState

MAX_COUNTED_POSTS = 5_000
_MOST_SPELLINGS = 5
_SPELLINGS_READ = 100
# In the order in which they are shown; what the rows of `facets` begin with.
_KINDS: dict[str, FacetKind] = {
    "PER": "person", "LOC": "place", "ORG": "organisation", "MISC": "other", "type": "type", "source": "source",
    "language": "language", "hashtag": "hashtag",
}  # fmt: skip
_DAMAGED = (
    "The index is damaged: what it counts of its posts is none that was written. Restore a backup (tagstream restore) "
    "into another file, or name another."
)
_NAMES = ("PER", "LOC", "ORG", "MISC")


def facets(connection: sqlite3.Connection, query: Query, *, size: int) -> Facets:
    """Returns what the matching posts have in common; counted over the newest `MAX_COUNTED_POSTS` of them."""
    check_facets(size)
    found = matching(query)
    with transaction(connection, write=False):
        total = count(connection, found)
        held = connection.execute(
            "SELECT group_concat(held) FROM (SELECT held FROM terms CROSS JOIN facets ON facets.number = terms.rowid "
            "WHERE terms MATCH ? AND terms.rowid >= ? AND terms.rowid < ? ORDER BY terms.rowid DESC LIMIT ?)",
            (*found, MAX_COUNTED_POSTS),
        ).fetchone()[0]
        by_kind = _counted(_values_of(held or ""))
        values = {
            _KINDS[kind]: tuple(
                FacetValue(value, _text(connection, kind, value), posts)
                for value, posts in nsmallest(size, by_kind[kind], key=lambda one: (-one[1], one[0]))
            )
            for kind in _KINDS
            if kind in by_kind
        }
    return Facets(values, total, min(total, MAX_COUNTED_POSTS))


def _values_of(held: str) -> list[str]:
    """Returns the values that joined rows of `facets` hold.

    Raises:
        CorruptState: they are none that were written.
    """
    try:
        found = json.loads(f"[{held}]")
    except (ValueError, RecursionError) as error:
        raise CorruptState(_DAMAGED) from error
    if not all(isinstance(value, str) for value in found):
        raise CorruptState(_DAMAGED)
    return list(found)


def _counted(held: Iterable[str]) -> dict[str, list[tuple[str, int]]]:
    """Returns the values of each kind with their posts."""
    by_kind: dict[str, list[tuple[str, int]]] = {}
    for one, posts in Counter(held).items():
        kind, _, value = one.partition(":")
        by_kind.setdefault(kind, []).append((value, posts))
    return by_kind


def _text(connection: sqlite3.Connection, kind: str, value: str) -> str:
    """Returns how people write a value: of a name the commonest of its newest spellings."""
    if kind not in _NAMES:
        return f"#{value}" if kind == "hashtag" else value
    row = connection.execute(
        "SELECT spelling FROM (SELECT spelling FROM mentions WHERE entity = ? ORDER BY number DESC LIMIT ?) "
        "GROUP BY spelling ORDER BY count(*) DESC, spelling LIMIT 1",
        (hash_key(kind, value), _SPELLINGS_READ),
    ).fetchone()
    if row is None:
        raise CorruptState(_DAMAGED)
    return str(row[0])


def spellings(connection: sqlite3.Connection, word: str) -> list[str]:
    """Returns the commonest words of posts that differ from a word by one letter, or two swapped ones."""
    found = []
    with transaction(connection, write=False):
        for candidate in edits(word):
            row = connection.execute("SELECT doc FROM temp.vocabulary WHERE term = ?", (candidate,)).fetchone()
            if row is not None:
                found.append((-row[0], candidate))
    return [candidate for _, candidate in islice(sorted(found), _MOST_SPELLINGS)]
