"""The bodies of searches in Elasticsearch: pure functions from a question to JSON, tested by golden files.

A body asks for ready terms and for marks (`search/terms.py`), so nothing in a user's query or in a hostile post is ever
syntax. A clause that only filters costs no score.
"""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from search.documents import with_zone
from search.elastic.documents import FLAT_FIELDS, mention_of
from search.index import Query
from search.limits import MAX_MOMENT, check_page
from search.query import AllOf, AnyOf, Field, Leaf, MalformedQuery, Named, NameWords, Part, Without, parse
from search.terms import hashtag_mark, mark, name_kinds, name_marks
from tagstream.posts import ENTITY_TYPES, EntityType, to_epoch_milliseconds
from tagstream.text.analysis import Phrase
from tagstream.text.languages import UNDETERMINED

MAX_PREFIX_EXPANSIONS = 4_096
EXACT_UP_TO = 3_000  # distinct authors; above, the count is within a few percent
_ANY_FREQUENCY = 1_000_000_000
FACET_FIELDS = {
    "person": "person_key",
    "place": "place_key",
    "organisation": "organisation_key",
    "other": "other_key",
    "source": "source",
    "language": "langs",
    "hashtag": "hashtags",
}
_TERMS_A_CLAUSE = 50_000  # a server takes 65,536 by default
NEWEST_FIRST = [{"time": "desc"}, {"id": "desc"}]

Json = dict[str, Any]
Filters = Sequence[Json]


def search_body(query: Query, shown: Sequence[Json] = ()) -> Json:
    """Returns the search for one page, and one post more that tells whether another page follows.

    Args:
        query: the query.
        shown: the filters that leave out hidden authors, made by `hidden_left_out`.

    Raises:
        MalformedQuery: the text is not a query, or `after` is not the end of a page in this order.
        BadSettings: a page size that is not between 1 and `MAX_PAGE`.
    """
    check_page(query.size)
    relevance = query.order == "relevance"
    body: Json = {
        "query": {"bool": _parts(query, shown, scored=relevance)},
        "sort": [{"_score": "desc"}, *NEWEST_FIRST] if relevance else NEWEST_FIRST,
        "size": query.size + 1,
        "track_total_hits": True,
        "_source": ["document"],
    }
    if query.after is not None:
        body["search_after"] = read_token(query.order, query.after)
    return body


def score_body(query: Query, post_id: str, shown: Sequence[Json] = ()) -> Json:
    """Returns the search for the present score of one post."""
    parts = _parts(query, shown, scored=True)
    parts["filter"] = [*parts.get("filter", []), {"term": {"id": post_id}}]
    return {"query": {"bool": parts}, "size": 1, "_source": False}


def hidden_left_out(authors: Sequence[int]) -> list[Json]:
    """Returns the filters that leave out the posts of the authors of these keys; none without authors."""
    pieces = [authors[start : start + _TERMS_A_CLAUSE] for start in range(0, len(authors), _TERMS_A_CLAUSE)]
    return [{"bool": {"must_not": [{"terms": {"author": list(piece)}} for piece in pieces]}}] if pieces else []


def _parts(query: Query, shown: Sequence[Json], *, scored: bool) -> Json:
    parsed = parse(query.text)
    filters: list[Json] = []
    if query.source is not None:
        filters.append(_mark("source", query.source.lower()))
    for since, until in ((query.since, query.until), (parsed.since, parsed.until)):
        if since is not None or until is not None:
            filters.append(time_range(since, until))
    return _all(parsed.clauses, shown, filters, scored=scored)


def _all(parts: Sequence[Part], first: Filters = (), last: Filters = (), *, scored: bool) -> Json:
    """Returns the clauses of a boolean query of parts that must all hold; what holds no words only filters."""
    words: list[Json] = []
    filters: list[Json] = [*first]
    for part in parts:
        if not isinstance(part, Without):
            (words if scored and _has_words(part) else filters).append(_part(part, scored=scored))
    without = [_part(part.part, scored=False) for part in parts if isinstance(part, Without)]
    clauses = {"must": words, "filter": [*filters, *last], "must_not": without}
    return {name: found for name, found in clauses.items() if found}


def _has_words(part: Part) -> bool:
    match part:
        case AnyOf(inner) | AllOf(inner):
            return any(_has_words(one) for one in inner)
    return isinstance(part, Phrase)


def _part(part: Part, *, scored: bool) -> Json:
    match part:
        case AnyOf(choices):
            return {"bool": {"should": [_part(one, scored=scored) for one in choices], "minimum_should_match": 1}}
        case AllOf(parts):
            return {"bool": _all(parts, scored=scored)}
        case Without():
            return {"bool": _all([part], scored=scored)}
    return _leaf(part)


def _leaf(leaf: Leaf) -> Json:
    match leaf:
        case Phrase(terms, prefix):
            return _phrase(terms, prefix)
        case Named(key, None):
            return {"terms": {"marks": entity_marks(key, None), "boost": 0}}
        case Named(key, type_):
            return _mark(str(type_), key)
        case NameWords(words, kind, prefix):
            choices = [_name(one, words, prefix) for one in name_kinds(kind)]
            return choices[0] if len(choices) == 1 else {"bool": {"should": choices, "minimum_should_match": 1}}
        case Field("hashtag", value, prefix):
            return _term(hashtag_mark(value), prefix)
        case Field(name, value):
            return _mark(name, value)


def _name(kind: str, words: Sequence[str], prefix: bool) -> Json:
    *whole, last = name_marks(kind, words)
    terms = [*map(_term, whole), _term(last, prefix)]
    return terms[0] if len(terms) == 1 else {"bool": {"filter": terms}}


def _phrase(terms: Sequence[str], prefix: bool) -> Json:
    if len(terms) == 1:
        return {"prefix": {"words": {"value": terms[0]}}} if prefix else {"term": {"words": {"value": terms[0]}}}
    text = " ".join(terms)
    if prefix:
        return {"match_phrase_prefix": {"words": {"query": text, "max_expansions": MAX_PREFIX_EXPANSIONS}}}
    return {"match_phrase": {"words": {"query": text}}}


def _mark(kind: str, value: str) -> Json:
    return _term(mark(kind, value))


def _term(text: str, prefix: bool = False) -> Json:
    return {"prefix" if prefix else "term": {"marks": {"value": text, "boost": 0}}}


def entity_marks(key: str, type: EntityType | None) -> list[str]:
    """Returns the marks of posts that mention the entity, of one type or of any."""
    return [mark(one, key) for one in ([type] if type else ENTITY_TYPES)]


def moment(when: datetime | None, default: int) -> int:
    """Returns the time of posts of that date, in milliseconds; `default` without a date."""
    return default if when is None else min(max(to_epoch_milliseconds(with_zone(when)), 0), MAX_MOMENT + 1)


def moments(since: datetime | None, until: datetime | None) -> tuple[int, int]:
    """Returns the range of the times of posts in [since, until), in milliseconds."""
    return moment(since, 0), moment(until, MAX_MOMENT + 2)


def time_range(since: datetime | None, until: datetime | None) -> Json:
    """Returns the filter of the posts in [since, until)."""
    return milliseconds(*moments(since, until))


def milliseconds(low: int, high: int) -> Json:
    """Returns the filter of the posts in [low, high), in milliseconds."""
    return {"range": {"time": {"gte": low, "lt": high}}}


def token(order: str, values: Sequence[Any]) -> str:
    """Returns the token that continues a search after the post with these sort values."""
    *score, time, post_id = values
    name = base64.urlsafe_b64encode(post_id.encode()).decode().rstrip("=")
    return ".".join([order, *(float(one).hex().replace(".", "_") for one in score), str(time), name])


def read_token(order: str, text: str) -> list[Any]:
    """Returns the sort values after which a search continues.

    Raises:
        MalformedQuery: the text continues no search in this order.
    """
    try:
        named, *score, time, name = text.split(".")
        if named != order or len(score) != (order == "relevance") or not name:
            raise ValueError
        position = int(time)
        if not 0 <= position <= MAX_MOMENT:
            raise ValueError
        post_id = base64.b64decode(name + "=" * (-len(name) % 4), altchars=b"-_", validate=True).decode()
        return [*(float.fromhex(one.replace("_", ".")) for one in score), position, post_id]
    except (ValueError, OverflowError, binascii.Error):
        raise MalformedQuery(
            f"{text[:80]!r} does not continue a search by {order}. Pass on the `next` of the page before."
        ) from None


_AUTHORS = {"authors": {"cardinality": {"field": "author", "precision_threshold": EXACT_UP_TO}}}


def _counting(filters: Sequence[Json], aggregations: Json) -> Json:
    return {"query": {"bool": {"filter": list(filters)}}, "size": 0, "track_total_hits": False, "aggs": aggregations}


def by_posts_body(
    filters: Sequence[Json], size: int, *, type: EntityType | None = None, without: Sequence[str] = (), posts: int = 1
) -> Json:
    """Returns the search for the entities that most posts, and at least `posts`, mention; `without` excludes some."""
    terms: Json = {"field": "mentions", "size": size, "shard_size": 2 * size + 1_000, "min_doc_count": posts}
    if type is not None:
        terms["include"] = f"{type}:.*"
    if without:
        terms["exclude"] = list(without)
    return _counting(filters, {"mentions": {"terms": terms}})


def authors_body(filters: Sequence[Json], mentions: Sequence[str]) -> Json:
    """Returns the search for the number of distinct authors of each of these entities."""
    terms = {"field": "mentions", "size": len(mentions), "include": list(mentions)}
    return _counting(
        [*filters, {"terms": {"mentions": list(mentions)}}], {"mentions": {"terms": terms, "aggs": _AUTHORS}}
    )


def spellings_body(filters: Sequence[Json], mentions: Sequence[str]) -> Json:
    """Returns the search for the commonest spelling of each of these entities."""
    commonest = {"field": "entities.text", "size": 1, "order": [{"_count": "desc"}, {"_key": "asc"}]}
    terms = {"field": "entities.mention", "size": len(mentions), "include": list(mentions)}
    inner = {"mentions": {"terms": terms, "aggs": {"text": {"terms": commonest}}}}
    return _counting(
        [*filters, {"terms": {"mentions": list(mentions)}}],
        {"entities": {"nested": {"path": "entities"}, "aggs": inner}},
    )


def histogram(start: int, width: int) -> Json:
    """Returns an aggregation by buckets of `width` milliseconds, one of which begins at `start`."""
    return {
        "date_histogram": {
            "field": "time",
            "fixed_interval": f"{width}ms",
            "offset": f"{start % width}ms",
            "min_doc_count": 1,
        }
    }


def counts_body(shown: Sequence[Json], marks: Sequence[str], low: int, high: int, width: int) -> Json:
    """Returns the search for the posts and authors of an entity over time."""
    filters: list[Json] = [*shown, {"terms": {"marks": list(marks)}}, milliseconds(low, high)]
    return _counting(filters, {"buckets": histogram(low, width) | {"aggs": _AUTHORS}})


def post_counts_body(
    query: Query, shown: Filters, low: int, high: int, width: int, *, with_authors: bool = True
) -> Json:
    """Returns the search for the posts that match a query over time, and their authors if asked for."""
    body = _counting([], {"buckets": histogram(low, width) | ({"aggs": _AUTHORS} if with_authors else {})})
    return body | {"query": {"bool": _parts(query, [*shown, milliseconds(low, high)], scored=False)}}


def facets_body(query: Query, shown: Filters, size: int) -> Json:
    """Returns the search for the values that most posts of a query have, by kind."""
    by_kind: Json = {
        kind: {"terms": {"field": field, "size": size, "shard_size": 2 * size + 1_000}}
        for kind, field in FACET_FIELDS.items()
    }
    by_kind["language"]["terms"]["missing"] = UNDETERMINED
    types = {type_: {"exists": {"field": field}} for type_, field in FLAT_FIELDS.items()}
    by_kind["type"] = {"filters": {"filters": types}}
    body = {"size": 0, "track_total_hits": True, "aggs": by_kind}
    return body | {"query": {"bool": _parts(query, shown, scored=False)}}


def spellings_of_word_body(word: str) -> Json:
    """Returns the search for the words of posts that differ by one letter, or two swapped ones."""
    term = {"field": "words", "suggest_mode": "always", "max_edits": 1, "prefix_length": 0, "min_word_length": 3}
    term |= {"sort": "frequency", "max_term_freq": _ANY_FREQUENCY, "size": 10}
    return {"size": 0, "track_total_hits": False, "suggest": {"spellings": {"text": word, "term": term}}}


def span_body(query: Query, shown: Filters) -> Json:
    """Returns the search for the times of the first and the last post that match."""
    body = _counting([], {"first": {"min": {"field": "time"}}, "last": {"max": {"field": "time"}}})
    return body | {"query": {"bool": _parts(query, shown, scored=False)}}


def edge_body(shown: Filters, order: str, *, size: int, after: Sequence[Any] | None) -> Json:
    """Returns the search for the times and authors of the plausible posts, from one end of time."""
    return {
        "query": {"bool": {"filter": [*shown, {"term": {"implausible": False}}]}},
        "sort": [{"time": order}, {"id": order}],
        "size": size,
        "track_total_hits": False,
        "_source": False,
        "docvalue_fields": ["author"],
    } | ({} if after is None else {"search_after": list(after)})


def plausible_count_body(shown: Filters) -> Json:
    """Returns the search for the number of plausible posts."""
    filters = [*shown, {"term": {"implausible": False}}]
    return {"query": {"bool": {"filter": filters}}, "size": 0, "track_total_hits": True}


def newest_arrival_body() -> Json:
    """Returns the search for when the newest post came in."""
    return _counting([], {"newest": {"max": {"field": "arrived_at"}}})


def arrivals_body(query: Query, shown: Filters, since: int, *, size: int, after: Sequence[Any] | None) -> Json:
    """Returns the search for the ids of the matching posts that came in from `since` on, in that order."""
    came_in = {"range": {"arrived_at": {"gte": since}}}
    return {
        "query": {"bool": _parts(query, [*shown, came_in], scored=False)},
        "sort": [{"arrived_at": "asc"}, {"id": "asc"}],
        "size": size,
        "track_total_hits": False,
        "_source": False,
    } | ({} if after is None else {"search_after": list(after)})


def by_id_body(query: Query, shown: Filters, ids: Sequence[str]) -> Json:
    """Returns the search for these of the matching posts, in the order in which they came in."""
    return {
        "query": {"bool": _parts(query, [*shown, {"terms": {"id": list(ids)}}], scored=False)},
        "sort": [{"arrived_at": "asc"}, {"id": "asc"}],
        "size": len(ids),
        "track_total_hits": False,
        "_source": ["document"],
    }


def heard_body(shown: Sequence[Json], low: int, high: int, width: int) -> Json:
    """Returns the search for the windows in which any entity was mentioned."""
    return _counting([*shown, NAMING, milliseconds(low, high)], {"buckets": histogram(low, width)})


def series_body(shown: Sequence[Json], mentions: Sequence[str], low: int, high: int, width: int) -> Json:
    """Returns the search for the authors of each of these entities, window by window."""
    terms = {"field": "mentions", "size": len(mentions), "include": list(mentions)}
    windows = {"buckets": histogram(low, width) | {"aggs": _AUTHORS}}
    filters: list[Json] = [*shown, {"terms": {"mentions": list(mentions)}}, milliseconds(low, high)]
    return _counting(filters, {"mentions": {"terms": terms, "aggs": windows}})


def clock_body(shown: Sequence[Json], *, plausible: bool, size: int, after: Sequence[Any] | None) -> Json:
    """Returns the search for the times and authors of the newest posts that mention an entity."""
    filters: list[Json] = [*shown, NAMING, *([{"term": {"implausible": False}}] if plausible else [])]
    body: Json = {
        "query": {"bool": {"filter": filters}},
        "sort": NEWEST_FIRST,
        "size": size,
        "track_total_hits": False,
        "_source": False,
        "docvalue_fields": ["author"],
    }
    return body if after is None else body | {"search_after": list(after)}


NAMING: Json = {"exists": {"field": "mentions"}}


def named(key: str, type: EntityType | None) -> list[str]:
    """Returns the keywords under which the entity is counted."""
    return [mention_of(one, key) for one in ([type] if type else ENTITY_TYPES)]
