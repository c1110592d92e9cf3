"""Facets of a query in Elasticsearch, and the spellings that its vocabulary offers for a word."""

from collections.abc import Sequence
from typing import Any

from search.elastic import queries
from search.elastic.client import ElasticClient
from search.elastic.documents import FLAT_FIELDS, mention_of
from search.elastic.hidden_authors import shown_filters
from search.elastic.reads import ask
from search.index import FacetKind, Facets, FacetValue, Query
from search.limits import check_facets
from search.spelling import edits

_MOST_SPELLINGS = 5
_KINDS: tuple[FacetKind, ...] = ("person", "place", "organisation", "other", "source", "language", "hashtag")
_TYPE_OF = {field: type_ for type_, field in FLAT_FIELDS.items()}


async def facets(client: ElasticClient, query: Query, *, size: int) -> Facets:
    """Returns what the matching posts have in common, counted over all of them."""
    check_facets(size)
    shown = await shown_filters(client)
    answer = await ask(client, queries.facets_body(query, shown, size))
    counted = answer["aggregations"]
    rows = {kind: [(one["key"], one["doc_count"]) for one in counted[kind]["buckets"] if one["key"]] for kind in _KINDS}
    mentions = [mention_of(_TYPE_OF[kind], key) for kind in _KINDS if kind in _TYPE_OF for key, _ in rows[kind]]
    spelled = await _spellings(client, shown, mentions) if mentions else {}
    values: dict[FacetKind, tuple[FacetValue, ...]] = {}
    for kind in _KINDS:
        if rows[kind]:
            values[kind] = tuple(FacetValue(key, _text(kind, key, spelled), posts) for key, posts in rows[kind])
    types = [(-one["doc_count"], type_) for type_, one in counted["type"]["buckets"].items() if one["doc_count"]]
    if types:
        values["type"] = tuple(FacetValue(type_, type_, -posts) for posts, type_ in sorted(types))
    total = answer["hits"]["total"]["value"]
    return Facets(values, total, total)


def _text(kind: FacetKind, key: str, spelled: dict[str, str]) -> str:
    if kind in _TYPE_OF:
        return spelled.get(mention_of(_TYPE_OF[kind], key), key)
    return f"#{key}" if kind == "hashtag" else key


async def _spellings(client: ElasticClient, shown: Sequence[queries.Json], mentions: Sequence[str]) -> dict[str, str]:
    """Returns the commonest spelling of each name."""
    answer = await ask(client, queries.spellings_body(shown, mentions))
    buckets: list[Any] = answer["aggregations"]["entities"]["mentions"]["buckets"]
    return {one["key"]: one["text"]["buckets"][0]["key"] for one in buckets if one["text"]["buckets"]}


async def spellings(client: ElasticClient, word: str) -> list[str]:
    """Returns the commonest words of posts that differ from a word by one letter, or two swapped ones."""
    answer = await ask(client, queries.spellings_of_word_body(word))
    options = [one for entry in answer["suggest"]["spellings"] for one in entry["options"]]
    near = set(edits(word))
    return [one["text"] for one in options if one["text"] in near][:_MOST_SPELLINGS]
