"""What Elasticsearch is asked: the bodies in `elastic_queries.json`, read by a person once, compared for ever."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from search.elastic.queries import (
    clock_body,
    counts_body,
    heard_body,
    hidden_left_out,
    read_token,
    score_body,
    search_body,
    series_body,
    token,
)
from search.index import Query
from search.query import MalformedQuery
from tagstream.errors import BadSettings

GOLDEN = json.loads(Path(__file__).with_name("elastic_queries.json").read_text(encoding="utf-8"))


def question(parts: dict[str, Any]) -> Query:
    moments = {name: datetime.fromisoformat(parts[name]) for name in ("since", "until") if name in parts}
    return Query(**{**parts, **moments})


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_a_question_becomes_this_body(case: dict[str, Any]) -> None:
    assert search_body(question(case["query"])) == case["body"]


def test_hidden_authors_are_left_out_however_many_they_are() -> None:
    assert hidden_left_out([]) == []
    authors = list(range(50_001))
    (shown,) = hidden_left_out(authors)
    clauses = shown["bool"]["must_not"]
    assert [len(one["terms"]["author"]) for one in clauses] == [50_000, 1]
    assert [key for one in clauses for key in one["terms"]["author"]] == authors
    for body in (search_body(Query(), [shown]), score_body(Query("word"), "jsonl:a", [shown])):
        assert shown in body["query"]["bool"]["filter"]
    counted = [counts_body([shown], ["m"], 0, 9, 3), heard_body([shown], 0, 9, 3), series_body([shown], ["m"], 0, 9, 3)]
    for body in (*counted, clock_body([shown], plausible=True, size=1, after=None)):
        assert shown in body["query"]["bool"]["filter"]


@pytest.mark.parametrize(("order", "values"), [("newest", [5, "jsonl:ü.b"]), ("relevance", [1.25, 5, "a" * 300])])
def test_a_page_goes_on_where_it_ended(order: str, values: list[Any]) -> None:
    text = token(order, values)
    assert text.isascii()
    assert read_token(order, text) == values
    with pytest.raises(MalformedQuery, match="next"):
        read_token("relevance" if order == "newest" else "newest", text)


@pytest.mark.parametrize("after", ["", "newest", "newest.1", "newest.-1.YQ", "newest.1.%%", "newest.1.YQ.YQ", "\ud800"])
def test_what_ends_no_page_is_refused(after: str) -> None:
    with pytest.raises(MalformedQuery, match="next"):
        search_body(Query(after=after))


def test_a_page_has_a_size() -> None:
    for size in (0, -1, 1_001):
        with pytest.raises(BadSettings, match="page"):
            search_body(Query(size=size))


def test_a_moment_without_a_zone_is_utc() -> None:
    bodies = [search_body(Query(since=datetime(2026, 3, 1, tzinfo=zone))) for zone in (None, UTC)]
    assert bodies[0] == bodies[1]
