"""The questions of the search benchmark: a fixed list of kinds, each asked with several words in turn.

The words are those of `search_feed.py`: of its made-up vocabulary by rank, and of the lists of the simulator. A kind
takes its words in turn, so that no answer is simply the one of before.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from ops.bench.search_feed import DAYS, START, word_of
from search.index import EntityIndex, Query
from search.web.questions import histogram

Ask = Callable[[EntityIndex, Query], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class SearchQuestion:
    """A kind of question: its name, the queries that it asks in turn, and how it asks them."""

    name: str
    queries: Sequence[Query]
    ask: Ask


async def _search(index: EntityIndex, query: Query) -> object:
    return await index.search(query)


async def _later_page(index: EntityIndex, query: Query) -> object:
    """Asks for the second page; a part of the time is that of the first, which names it."""
    return await index.search(replace(query, after=(await index.search(query)).next))


async def _facets(index: EntityIndex, query: Query) -> object:
    return await index.facets(query)


async def _histogram(index: EntityIndex, query: Query) -> object:
    return await histogram(index, query)


async def _counts(index: EntityIndex, query: Query) -> object:
    return await histogram(index, query, with_authors=True)


def _words(*ranks: int) -> list[str]:
    return [word_of(rank) for rank in ranks]


_COMMON, _USUAL, _RARE = _words(1, 2, 3), _words(20, 35, 50, 65, 80), _words(20_000, 31_000, 42_000, 53_000)
_PEOPLE = ("merkel", "obama", "swift", "messi", "williams")
_PLACES = ("berlin", "tokyo", "york", "lagos", "paris")


def _queries(*texts: str) -> list[Query]:
    return [Query(text) for text in texts]


def _by_relevance(*texts: str) -> list[Query]:
    return [Query(text, order="relevance") for text in texts]


def _times(hours: int, text: str = "") -> list[Query]:
    """Returns queries of stretches of time all over the feed."""
    starts = [START + timedelta(days=day) for day in range(1, DAYS - 1, 4)]
    return [Query(text, since=start, until=start + timedelta(hours=hours)) for start in starts]


QUESTIONS: tuple[SearchQuestion, ...] = (
    SearchQuestion("every post", _queries(""), _search),
    SearchQuestion("a common word", _queries(*_COMMON), _search),
    SearchQuestion("a word", _queries(*_USUAL), _search),
    SearchQuestion("a rare word", _queries(*_RARE), _search),
    SearchQuestion(
        "a phrase", _queries('"trade deal"', '"joint venture"', '"food shortages"', '"running again"'), _search
    ),
    SearchQuestion("the beginning of a word", _queries("earthq*", "resig*", "cancel*", "shortag*"), _search),
    SearchQuestion("person:word", _queries(*(f"person:{name}" for name in _PEOPLE)), _search),
    SearchQuestion("person:whole name", _queries('person:"Angela Merkel"', 'person:"Taylor Swift"'), _search),
    SearchQuestion("place:word", _queries(*(f"place:{name}" for name in _PLACES)), _search),
    SearchQuestion("#tag*", _queries("#new*", "#lond*", "#berl*", "#mon*"), _search),
    SearchQuestion("AND", _queries(*(f"{first} {second}" for first in _COMMON for second in _USUAL)), _search),
    SearchQuestion("OR", _queries(*(f"{first} OR {second}" for first in _PEOPLE for second in _PLACES)), _search),
    SearchQuestion("NOT", _queries(*(f"{first} -{second}" for first in _USUAL for second in _PLACES)), _search),
    SearchQuestion(
        "several fields",
        _queries(*(f"person:{name} (place:london OR place:paris) lang:en -has:photo" for name in _PEOPLE)),
        _search,
    ),
    SearchQuestion("an hour", _times(1), _search),
    SearchQuestion("a word in a day", _times(24, _USUAL[0]), _search),
    SearchQuestion("best match, a common word", _by_relevance(*_COMMON), _search),
    SearchQuestion("best match, a word", _by_relevance(*_USUAL), _search),
    SearchQuestion("best match, two words", _by_relevance(*(f"{word} {_COMMON[0]}" for word in _USUAL)), _search),
    SearchQuestion("second page, a word", _queries(*_USUAL), _later_page),
    SearchQuestion("facets of every post", _queries(""), _facets),
    SearchQuestion("facets of a common word", _queries(*_COMMON), _facets),
    SearchQuestion("facets of a word", _queries(*_USUAL), _facets),
    SearchQuestion("facets of a person", _queries(*(f"person:{name}" for name in _PEOPLE)), _facets),
    SearchQuestion("histogram of every post", _queries(""), _histogram),
    SearchQuestion("histogram of a common word", _queries(*_COMMON), _histogram),
    SearchQuestion("histogram of a word", _queries(*_USUAL), _histogram),
    SearchQuestion("histogram of a word, with authors", _queries(*_USUAL), _counts),
)

PAGES: tuple[tuple[str, Sequence[str]], ...] = (
    ("page Now", ("/",)),
    ("page Search, a common word", tuple(f"/search?q={word}" for word in _COMMON)),
    ("page Search, a word", tuple(f"/search?q={word}" for word in _USUAL)),
    ("page Search, a person", tuple(f"/search?q=person:{name}" for name in _PEOPLE)),
    ("page Name", tuple(f"/name?key={name}&type=LOC" for name in ("berlin", "tokyo", "paris", "lagos"))),
    ("page System", ("/system",)),
)
