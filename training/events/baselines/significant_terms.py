"""`significant_terms` of Elasticsearch: the words of the last minutes against those of the day before them.

::

    posts ─▶ an index of words (keyword), author, time ─▶ every 5 minutes of the feed: significant_terms of the window,
             with the authors of each word ─▶ bursts ─▶ events (training/events/baselines/chain.py)

A query at 10:05 sees nothing that was posted later: window and background are both ranges of time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk

from training.events.baselines.chain import WordBurst
from training.events.baselines.window import STEP, WordWindow, steps
from training.events.baselines.word_scores import WARM_UP
from training.events.baselines.words import WordedPost

HEURISTICS = ("jlh", "gnd", "chi_square", "mutual_information")
INDEX = "tagstream-measure-significant-terms"
_SIZE = 40
_FEWEST_AUTHORS = 4
_MAPPINGS: Mapping[str, Any] = {
    "properties": {
        "words": {"type": "keyword"},
        "author": {"type": "keyword"},
        "created_at": {"type": "date"},
        "copy": {"type": "boolean"},
    }
}


@dataclass(frozen=True, slots=True)
class SignificantTermsParameters:
    """The window, the background before it, and the heuristic by which Elasticsearch scores a word."""

    window_minutes: int
    background_hours: int
    heuristic: str
    fold_copies: bool


def index_posts(client: Elasticsearch, posts: Sequence[WordedPost]) -> None:
    """Replaces the index by one of these posts; `copy` marks those whose words are exactly those of an hour before."""
    client.options(ignore_status=404).indices.delete(index=INDEX)
    client.indices.create(index=INDEX, mappings=_MAPPINGS, settings={"number_of_shards": 1, "number_of_replicas": 0})
    bulk(client, _documents(posts), index=INDEX, chunk_size=5_000)
    client.indices.refresh(index=INDEX)


def _documents(posts: Sequence[WordedPost]) -> Iterator[dict[str, Any]]:
    seen: dict[tuple[str, ...], datetime] = {}
    for post in posts:
        before = seen.get(post.words)
        copy = before is not None and post.created_at - before <= timedelta(hours=1)
        seen[post.words] = post.created_at
        yield {
            "_id": post.id,
            "words": post.words,
            "author": post.author,
            "created_at": post.created_at.isoformat(),
            "copy": copy,
        }


def search_body(now: datetime, parameters: SignificantTermsParameters) -> dict[str, Any]:
    """Builds the request for the window that ends at `now`."""
    begin = now - timedelta(minutes=parameters.window_minutes)
    oldest = begin - timedelta(hours=parameters.background_hours)
    scored: dict[str, Any] = {
        "field": "words",
        "size": _SIZE,
        "min_doc_count": _FEWEST_AUTHORS,
        parameters.heuristic: {} if parameters.heuristic == "jlh" else {"background_is_superset": True},
        "background_filter": _between(oldest, now, parameters),
    }
    if parameters.heuristic in ("chi_square", "mutual_information"):
        scored[parameters.heuristic]["include_negatives"] = False
    authors = {"authors": {"cardinality": {"field": "author"}}}
    return {
        "size": 0,
        "query": _between(begin, now, parameters),
        "aggs": {"words": {"significant_terms": scored, "aggs": authors}},
    }


def _between(begin: datetime, end: datetime, parameters: SignificantTermsParameters) -> dict[str, Any]:
    times = {"range": {"created_at": {"gte": begin.isoformat(), "lt": end.isoformat()}}}
    if not parameters.fold_copies:
        return times
    return {"bool": {"filter": [times], "must_not": [{"term": {"copy": True}}]}}


def term_bursts(
    client: Elasticsearch, posts: Sequence[WordedPost], parameters: SignificantTermsParameters
) -> Iterator[list[WordBurst]]:
    """Yields the bursts of each step that has some, after the first hour; `index_posts` must have had the posts."""
    window = WordWindow(timedelta(minutes=parameters.window_minutes), fold_copies=parameters.fold_copies)
    for now, of_step in steps(posts, STEP):
        for post in of_step:
            window.add(post)
        window.advance(now)
        answer = client.search(index=INDEX, **search_body(now, parameters))
        bursts = [
            WordBurst(bucket["key"], now, bucket["score"], bucket["authors"]["value"], tuple(held))
            for bucket in answer["aggregations"]["words"]["buckets"]
            if (held := window.by_word.get(bucket["key"]))
        ]
        if bursts and now - posts[0].created_at >= WARM_UP:
            yield bursts
