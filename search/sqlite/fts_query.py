"""The FTS5 expression of a parsed query.

The FTS5 table holds the two columns of `search/terms.py`: `words` and `marks`. A whole query, negations and all, is a
single FTS5 expression over them, which walks the posts in order of time.
"""

from search.query import AnyOf, Clause, Field, Leaf, Named, ParsedQuery, Without
from search.terms import EVERY_POST, mark
from tagstream.posts import ENTITY_TYPES
from tagstream.text.analysis import Phrase


def match_expression(query: ParsedQuery, source: str | None) -> str:
    """Returns the expression of a query, limited to `source` if given; each text in it is a quoted string of terms."""
    wanted = [_clause(clause) for clause in query.clauses if not isinstance(clause, Without)]
    unwanted = [_leaf(clause.leaf) for clause in query.clauses if isinstance(clause, Without)]
    if source is not None:
        wanted.append(_mark("source", source.lower()))
    expression = " AND ".join(wanted) if wanted else f'marks : "{EVERY_POST}"'
    return f"({expression}) NOT ({' OR '.join(unwanted)})" if unwanted else expression


def _clause(clause: Clause) -> str:
    if isinstance(clause, AnyOf):
        return f"({' OR '.join(_leaf(leaf) for leaf in clause.choices)})"
    assert not isinstance(clause, Without)
    return _leaf(clause)


def _leaf(leaf: Leaf) -> str:
    match leaf:
        case Phrase(terms, prefix):
            return f"words : {_quoted(' '.join(terms))}{' *' if prefix else ''}"
        case Named(key, None):
            return f"({' OR '.join(_mark(type_, key) for type_ in ENTITY_TYPES)})"
        case Named(key, type_):
            return _mark(str(type_), key)
        case Field(name, value):
            return _mark(name, value)


def _mark(kind: str, value: str) -> str:
    return f"marks : {_quoted(mark(kind, value))}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
