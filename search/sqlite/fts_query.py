"""The FTS5 expression of a parsed query.

The FTS5 table holds the two columns of `search/terms.py`: `words` and `marks`. A whole query, negations and all, is a
single FTS5 expression over them, which walks the posts in order of time.
"""

from collections.abc import Sequence

from search.query import AllOf, AnyOf, Field, Leaf, Named, NameWords, ParsedQuery, Part, Without
from search.terms import EVERY_POST, hashtag_mark, mark, name_kinds, name_marks
from tagstream.posts import ENTITY_TYPES
from tagstream.text.analysis import Phrase

EVERYTHING = f'marks : "{EVERY_POST}"'
"""The expression that every post matches."""


def match_expression(query: ParsedQuery, source: str | None) -> str:
    """Returns the expression of a query, limited to `source` if given; each text in it is a quoted string of terms."""
    required = [] if source is None else [_mark("source", source.lower())]
    return _all(query.clauses, required)


def _all(parts: Sequence[Part], required: Sequence[str] = ()) -> str:
    """Returns the expression of parts that must all hold. NOT takes two sides in FTS5: it takes away from the left."""
    wanted = [*(_part(part) for part in parts if not isinstance(part, Without)), *required]
    unwanted = [_part(part.part) for part in parts if isinstance(part, Without)]
    expression = " AND ".join(wanted) if wanted else EVERYTHING
    return f"({expression}) NOT ({' OR '.join(unwanted)})" if unwanted else expression


def _part(part: Part) -> str:
    match part:
        case AnyOf(choices):
            return f"({' OR '.join(_part(choice) for choice in choices)})"
        case AllOf(parts):
            return f"({_all(parts)})"
        case Without():
            return f"({_all([part])})"
    return _leaf(part)


def _leaf(leaf: Leaf) -> str:
    match leaf:
        case Phrase(terms, prefix):
            return f"words : {_quoted(' '.join(terms))}{' *' if prefix else ''}"
        case Named(key, None):
            return f"({' OR '.join(_mark(type_, key) for type_ in ENTITY_TYPES)})"
        case Named(key, type_):
            return _mark(str(type_), key)
        case NameWords(words, kind, prefix):
            return f"({' OR '.join(_name(one, words, prefix) for one in name_kinds(kind))})"
        case Field("hashtag", value, prefix):
            return _term(hashtag_mark(value), prefix)
        case Field(name, value):
            return _mark(name, value)


def _name(kind: str, words: Sequence[str], prefix: bool) -> str:
    *whole, last = name_marks(kind, words)
    return f"({' AND '.join([*map(_term, whole), _term(last, prefix)])})"


def _mark(kind: str, value: str) -> str:
    return _term(mark(kind, value))


def _term(text: str, prefix: bool = False) -> str:
    return f"marks : {_quoted(text)}{' *' if prefix else ''}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
