"""Suggestions for a query that found nothing: other queries, each of which finds something.

What is tried, in this order: whole names that hold the words of one that was asked for; a name of another type; other
spellings; words anywhere in place of words side by side; and the query without one of its parts. Every suggestion is
asked before it is made, so none leads to nothing. The number of questions is bounded.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from search.index import EntityIndex, FacetKind, Query
from search.query import Field, MalformedQuery, Named, NameWords, ParsedQuery, Placed, parse
from search.spelling import may_be_misspelt
from tagstream.text.analysis import Phrase, terms

MOST = 5
_MOST_QUESTIONS = 30
_MOST_SPELLED_WORDS = 6
_NAMES_LISTED = 3
_FIELDS: dict[str | None, str] = {
    None: "entity", "PER": "person", "LOC": "place", "ORG": "organisation", "MISC": "other", "LABEL": "label",
}  # fmt: skip
_KINDS: tuple[FacetKind, ...] = ("person", "place", "organisation", "other")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Another query and the posts that it finds."""

    text: str
    posts: int


async def suggestions(index: EntityIndex, query: Query) -> list[Suggestion]:
    """Returns queries like one that found nothing, at most `MOST`, each of which finds posts.

    Raises:
        BadSettings: the text is no query.
    """
    parsed = parse(query.text)
    found: dict[str, Suggestion] = {}
    questions = 0
    async for text in _candidates(index, query, parsed):
        if text in found or questions >= _MOST_QUESTIONS or len(found) >= MOST:
            continue
        questions += 1
        if posts := await _total(index, query, text):
            found[text] = Suggestion(text, posts)
    return list(found.values())


async def _total(index: EntityIndex, query: Query, text: str) -> int:
    try:
        page = await index.search(replace(query, text=text, size=1, after=None, order="newest"))
    except MalformedQuery:  # a part that was needed is gone, or a name holds what is a sign here
        return 0
    return page.total


async def _candidates(index: EntityIndex, query: Query, parsed: ParsedQuery) -> AsyncIterator[str]:
    wanted = [placed for placed in parsed.leaves if parsed.text[placed.start] != "-"]
    for placed in wanted:
        for other in _other_names(placed):
            loosened = _replaced(parsed, placed, other)
            async for text in _whole_names(index, query, parsed, placed, loosened):
                yield text
            yield loosened
    spelled = 0
    for placed in wanted:
        for word in _words_of(placed):
            if may_be_misspelt(word) and spelled < _MOST_SPELLED_WORDS:
                spelled += 1
                for spelling in await index.spellings(word):
                    yield _replaced(parsed, placed, _respelled(placed, word, spelling))
    for placed in wanted:
        if isinstance(placed.part, Phrase) and len(placed.part.terms) > 1:
            yield _replaced(parsed, placed, parsed.text[placed.start : placed.end].replace('"', " ").rstrip("*"))
    for text in _without_one(parsed):
        yield text


def _other_names(placed: Placed) -> Iterator[str]:
    """Yields looser ways to ask for a name: by its words, then of any type."""
    part = placed.part
    if isinstance(part, Named):
        words = part.asked.replace('"', " ").split()
        if words:
            yield f"{_FIELDS[part.type]}:{'-'.join(words)}"
            if part.type is not None:
                yield f'entity:"{" ".join(words)}"'
                yield f"entity:{'-'.join(words)}"
    elif isinstance(part, NameWords):
        words = part.asked.replace('"', " ").split()
        if part.kind is not None and part.kind != "LABEL":
            yield f"entity:{'-'.join(words)}"
        if len(words) == 1 and not part.prefix:
            yield f"{_FIELDS[part.kind]}:{words[0]}*"
            if part.kind is not None and part.kind != "LABEL":
                yield f"entity:{words[0]}*"
    elif isinstance(part, Field) and part.name == "label":
        yield f"label:{'-'.join(part.value.split())}"


async def _whole_names(
    index: EntityIndex, query: Query, parsed: ParsedQuery, placed: Placed, loosened: str
) -> AsyncIterator[str]:
    """Yields the query with whole names that hold the words, as they are most written."""
    words = set(_words_of(placed))
    if not words:
        return
    try:
        facets = await index.facets(replace(query, text=loosened, after=None), size=50)
    except MalformedQuery:
        return
    for kind in _KINDS:
        holding = (one for one in facets.values.get(kind, ()) if words <= set(terms(one.value)))
        for name in islice(holding, _NAMES_LISTED):
            yield _replaced(parsed, placed, f'{kind}:"{name.text.replace(chr(34), " ")}"')


def _words_of(placed: Placed) -> tuple[str, ...]:
    match placed.part:
        case Phrase(words, _) | NameWords(words, _, _):
            return words
        case Named(key, _):
            return tuple(terms(key))
    return ()


def _respelled(placed: Placed, word: str, spelling: str) -> str:
    """Returns the part with another word in place of one of its own."""
    words = [spelling if one == word else one for one in _words_of(placed)]
    match placed.part:
        case NameWords(_, kind, prefix):
            return f"{_FIELDS[kind]}:{'-'.join(words)}{'*' if prefix else ''}"
        case Named(_, type_):
            return f'{_FIELDS[type_]}:"{" ".join(words)}"'
    star = "*" if isinstance(placed.part, Phrase) and placed.part.prefix else ""
    return f'"{" ".join(words)}"{star}' if len(words) > 1 else f"{words[0]}{star}"


def _replaced(parsed: ParsedQuery, placed: Placed, text: str) -> str:
    return f"{parsed.text[: placed.start]}{text}{parsed.text[placed.end :]}".strip()


def _without_one(parsed: ParsedQuery) -> Iterator[str]:
    """Yields the query without each of the parts that must all hold, and without each of its times."""
    places = [(start, end) for _, start, end in parsed.placed]
    if len(places) > 1 or parsed.times:
        for start, end in (*parsed.times, *(places if len(places) > 1 else ())):
            words = f"{parsed.text[:start]} {parsed.text[end:]}".split()
            # What stood between two parts stands beside one now; in quotation marks it may be a word.
            yield " ".join(words if '"' in parsed.text else (one for one in words if one not in ("AND", "&&")))
