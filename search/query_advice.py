"""Hints for a search that found nothing, which need no index."""

from collections.abc import Callable, Iterator, Sequence

from search.query import Named, NameWords, ParsedQuery
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
    for leaf, _, _ in query.leaves:
        if isinstance(leaf, Named | NameWords):
            field = _FIELDS.get(leaf.type if isinstance(leaf, Named) else leaf.kind, "")
            asked = leaf.asked.lstrip("#＃")
            key = fold_key(" ".join(segment(asked))) if asked.isalnum() else ""
            if field and key and key != fold_key(asked):
                yield f'names in hashtags are known by their words: {field}:"{key}"'
