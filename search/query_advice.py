"""Hints for a search that found nothing."""

from collections.abc import Callable, Iterator, Sequence

from search.query import AnyOf, Named, ParsedQuery
from tagstream.text.entity_keys import fold_key

_FIELDS = {None: "entity", "PER": "person", "LOC": "place", "ORG": "organisation", "MISC": "other"}

Segment = Callable[[str], Sequence[str]]
"""The words of a hashtag."""


def advice(query: ParsedQuery, segment: Segment) -> Iterator[str]:
    """Yields hints about a query that found nothing; none if the query holds none of the usual traps.

    Args:
        query: the query.
        segment: splits a hashtag into its words.
    """
    if query.small:
        written = ", ".join(dict.fromkeys(query.small))
        yield f"operators are written in capitals (AND, OR, NOT); in small letters they are words: {written}"
    named = [clause for clause in query.clauses if isinstance(clause, Named)]
    choices = [choice for clause in query.clauses if isinstance(clause, AnyOf) for choice in clause.choices]
    for name in (*named, *(choice for choice in choices if isinstance(choice, Named))):
        key = _key_as_hashtag(name, segment)
        if key != name.key:
            yield f'names in hashtags are known by their words: {_FIELDS[name.type]}:"{key}"'
    if named:
        words = " ".join(f"{name.key} type:{name.type}" if name.type else f"{name.key} has:entity" for name in named)
        yield f"person:, place:, entity: and the like ask for a whole name; a part of one is found by its word: {words}"


def _key_as_hashtag(name: Named, segment: Segment) -> str:
    asked = name.asked.lstrip("#＃")
    return fold_key(" ".join(segment(asked))) if asked.isalnum() else name.key
