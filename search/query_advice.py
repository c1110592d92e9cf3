"""What to say to whoever found nothing."""

from collections.abc import Callable, Iterator, Sequence

from search.query import AnyOf, Named, ParsedQuery
from tagstream.text.entity_keys import fold_key

_FIELDS = {None: "entity", "PER": "person", "LOC": "place", "ORG": "organisation", "MISC": "other"}

Segment = Callable[[str], Sequence[str]]
"""The words of a hashtag."""


def advice(query: ParsedQuery, segment: Segment) -> Iterator[str]:
    """What to say to whoever asked this and found nothing; nothing of a query that holds neither trap."""
    if query.small:
        written = ", ".join(dict.fromkeys(query.small))
        yield f"operators are written in capitals (AND, OR, NOT); in small letters they are words: {written}"
    named = [one for one in query.clauses if isinstance(one, Named)]
    choices = [one for clause in query.clauses if isinstance(clause, AnyOf) for one in clause.choices]
    for one in (*named, *(choice for choice in choices if isinstance(choice, Named))):
        key = _key_as_hashtag(one, segment)
        if key != one.key:
            yield f'names in hashtags are known by their words: {_FIELDS[one.type]}:"{key}"'
    if named:
        words = " ".join(f"{one.key} type:{one.type}" if one.type else f"{one.key} has:entity" for one in named)
        yield f"person:, place:, entity: and the like ask for a whole name; a part of one is found by its word: {words}"


def _key_as_hashtag(name: Named, segment: Segment) -> str:
    asked = name.asked.lstrip("#＃")
    return fold_key(" ".join(segment(asked))) if asked.isalnum() else name.key
