"""What a user types, and the tree it becomes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.query import MAX_CLAUSES, AnyOf, Clause, Field, MalformedQuery, Named, ParsedQuery, Without, parse
from tagstream.analysis import Phrase
from tagstream.errors import BadSettings

GREEN, BLUE = Phrase(("green",)), Phrase(("blue",))


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("", ()),
        ("  \n ", ()),
        ("Green BLUE", (GREEN, BLUE)),
        ('"green  blue"', (Phrase(("green", "blue")),)),
        ("“green blue”", (Phrase(("green", "blue")),)),
        ('green"blue"', (GREEN, BLUE)),
        ("AT&T", (Phrase(("at", "t")),)),
        ("gre*", (Phrase(("gre",), prefix=True),)),
        ('"blue gre"*', (Phrase(("blue", "gre"), prefix=True),)),
        ("都", (Phrase(("都",), prefix=True),)),
        ("-green", (Without(GREEN),)),
        ('-"green blue"', (Without(Phrase(("green", "blue"))),)),
        ("green OR blue", (AnyOf((GREEN, BLUE)),)),
        ("red green OR blue OR 都*", (Phrase(("red",)), AnyOf((GREEN, BLUE, Phrase(("都",), prefix=True))))),
        ("green or blue", (GREEN, Phrase(("or",)), BLUE)),
        ('entity:"Angela  MERKEL"', (Named("angela merkel"),)),
        ("person:Müller", (Named("müller", "PER"),)),
        ("PLACE:x organization:y", (Named("x", "LOC"), Named("y", "ORG"))),
        ("organisation:y other:z", (Named("y", "ORG"), Named("z", "MISC"))),
        ("-type:per", (Without(Field("type", "PER")),)),
        ("#New_York hashtag:#newyork", (Field("hashtag", "newyork"),) * 2),
        ("author:@BBC", (Field("author", "bbc"),)),
        ("source:mastodon:Host.Example", (Field("source", "mastodon:host.example"),)),
        ("has:Photo lang:DE", (Field("has", "photo"), Field("lang", "de"))),
        ("https://bbc.com/x 10:30", (Phrase(("bbc", "com", "x")), Phrase(("10", "30")))),
        ("green !!! -- ... #", (GREEN,)),
        ("@bbc", (Phrase(("bbc",)),)),
        ("a\0b", (Phrase(("a",)), Phrase(("b",)))),
        ("\ud800green", (GREEN,)),
    ],
)  # fmt: skip
def test_clauses(text: str, clauses: tuple[Clause, ...]) -> None:
    assert parse(text) == ParsedQuery(clauses)


def test_times() -> None:
    day = datetime(2026, 3, 1, tzinfo=UTC)
    assert parse("since:2026-03-01 until:2026-03-01T12:30") == ParsedQuery((), day, day.replace(hour=12, minute=30))
    assert parse("since:2026-03-01T02:00+02:00 green") == ParsedQuery((GREEN,), day)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("persn:merkel", "person:"),
        ("Breaking:news", "quote"),
        ('"green blue', "never closed"),
        ('entity:"green', "never closed"),
        ("person: merkel", "without a space"),
        ('person:""', "no value"),
        ("hashtag:!!", "no value"),
        ("type:CITY", "PER, LOC, ORG, MISC"),
        ("has:soul", "photo"),
        ("since:yesterday", "2026-03-01"),
        ("since:2026-02-30", "not a date"),
        ("since:0001-01-01T00:00+14:00", "not a date"),
        ("-since:2026-03-01", "negated"),
        ("since:2026-03-01 since:2026-03-02", "twice"),
        ("since:2026-03-02 until:2026-03-01", "not before"),
        ("!!!", "no word"),
        ("OR green", "between"),
        ("green OR", "follows the last OR"),
        ("green OR OR blue", "between"),
        ("-green OR blue", "between"),
        ("green OR -blue", "beside OR"),
        ("green OR since:2026-03-01", "OR"),
        ("a*", "too short"),
        ("x" * 3000, "3000"),
        ("x " * (MAX_CLAUSES + 1), str(MAX_CLAUSES)),
        (" OR ".join("x" * (MAX_CLAUSES + 2)), str(MAX_CLAUSES)),
    ],
)
def test_what_cannot_be_read_says_why(text: str, told: str) -> None:
    with pytest.raises(MalformedQuery) as caught:
        parse(text)
    assert told in str(caught.value)
    assert isinstance(caught.value, BadSettings)
    assert len(str(caught.value)) < 500


@given(
    st.text() | st.text(alphabet='ab"-:*#@ OR\0(){}^+東🔥') | st.from_regex(r'(-?[a-z]{1,6}:"?[a-zA-Z*:"]{0,6} ){1,5}')
)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        query = parse(text)
    except MalformedQuery:
        return
    assert query.clauses or query.since or query.until or not text.replace("\0", " ").strip()
