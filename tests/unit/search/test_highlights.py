"""The words of a text that a query found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.facet_queries import facet_query, narrowed
from search.highlights import highlights
from search.query import parse


def shown(query: str, text: str) -> str:
    marked, done = "", 0
    for start, end in highlights(parse(query), text):
        marked += f"{text[done:start]}[{text[start:end]}]"
        done = end
    return marked + text[done:]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("merkel", "[Merkel's] [MERKEL] merkels"),
        ("strasse", "die [Straße]!"),
        ("mer*", "[Merkel] and [mercy]"),
        ('"power cut"', "a [power] [cut]"),
        ("person:merkel -berlin", "Angela [Merkel] in Berlin"),
        ("(a1 OR b2) -(c3)", "[a1] [b2] c3"),
        ("東京", "in [東京]で"),
        ("🔥", "fire [🔥]"),
        ("lang:en has:photo", "en photo"),
        ("#storm", "#storm"),
    ],
)
def test_what_was_asked_for_is_marked(query: str, text: str) -> None:
    assert shown(query, text.replace("[", "").replace("]", "")) == text


@given(st.text(max_size=60), st.sampled_from(["aa*", "ab*", "東京 a1", '"x y"', "ﬁ*", "é", "🔥"]))
def test_places_are_in_order_and_apart(text: str, query: str) -> None:
    last = 0
    for start, end in highlights(parse(query), text):
        assert last <= start < end <= len(text)
        last = end


@pytest.mark.parametrize(
    ("text", "kind", "value", "query"),
    [
        ("", "person", "angela merkel", 'person:"angela merkel"'),
        ("storm", "hashtag", "newyork", "storm #newyork"),
        ("a AND b", "language", "en-US", "(a AND b) lang:en-US"),
        ("a OR b", "type", "PER", "a OR b type:PER"),
        ("a type:PER", "type", "PER", "a type:PER"),
        ("", "source", "mastodon:a.example", "source:mastodon:a.example"),
        ("", "place", 'the "x"', 'place:"the  x "'),
    ],
)
def test_a_facet_narrows_a_query(text: str, kind: str, value: str, query: str) -> None:
    assert narrowed(text, kind, value) == query  # type: ignore[arg-type]
    assert parse(query)
    assert parse(facet_query(kind, value))  # type: ignore[arg-type]
