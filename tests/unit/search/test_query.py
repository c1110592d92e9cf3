"""What a user types, and the tree it becomes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.query import MAX_CLAUSES, AnyOf, Clause, Field, MalformedQuery, Named, ParsedQuery, Without, parse
from search.query_advice import advice
from tagstream.errors import BadSettings
from tagstream.text.analysis import Phrase

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
        ("green AND blue", (GREEN, BLUE)),
        ("green && blue", (GREEN, BLUE)),
        ("since:2026-03-01 AND green", (GREEN,)),
        ("green || blue", (AnyOf((GREEN, BLUE)),)),
        ("green NOT blue", (GREEN, Without(BLUE))),
        ("green AND NOT blue", (GREEN, Without(BLUE))),
        ("NOT green", (Without(GREEN),)),
        ("green and not blue", (GREEN, Phrase(("and",)), Phrase(("not",)), BLUE)),
        ('"green" "AND" "NOT" "("', (GREEN, Phrase(("and",)), Phrase(("not",)))),
        ('"blue gre*"', (Phrase(("blue", "gre"), prefix=True),)),
        ('-"blue gre*"', (Without(Phrase(("blue", "gre"), prefix=True)),)),
        ('"f***" "5*" "green *"', (Phrase(("f",)), Phrase(("5",)), GREEN)),
        ('"a|b"', (Phrase(("a", "b")),)),
        ('"mer*l" "f(x)"', (Phrase(("mer", "l")), Phrase(("f", "x")))),
        ("https://bbc.com/x?(a)=*b", (Phrase(("bbc", "com", "x")),)),
        ("green :-) ;) & + | "[:-2], (GREEN,)),
        ("org:x misc:y loc:z per:q", (Named("x", "ORG"), Named("y", "MISC"), Named("z", "LOC"), Named("q", "PER"))),
        ("author:@Bo@Social.example", (Field("author", "bo@social.example"),)),
        ("author:https://social.example/@Bo", (Field("author", "bo@social.example"),)),
        ("author:https://social.example/users/bo", (Field("author", "bo@social.example"),)),
        ("author:https://bsky.app/profile/bbc.bsky.social", (Field("author", "bbc.bsky.social"),)),
        ("author:https://www.twitter.com/BBC?lang=en", (Field("author", "bbc"),)),
        ("author:acct:bo@social.example", (Field("author", "bo@social.example"),)),
        ("author:did:plc:abc", (Field("author", "did:plc:abc"),)),
    ],
)  # fmt: skip
def test_clauses(text: str, clauses: tuple[Clause, ...]) -> None:
    query = parse(text)
    assert query.clauses == clauses
    assert (query.since is None) == ("since:" not in text)


def test_times() -> None:
    day = datetime(2026, 3, 1, tzinfo=UTC)
    assert parse("since:2026-03-01 until:2026-03-01T12:30") == ParsedQuery((), day, day.replace(hour=12, minute=30))
    assert parse("since:2026-03-01T02:00+02:00 green") == ParsedQuery((GREEN,), day)
    assert parse('since:"2 hours ago" until:now green', day) == ParsedQuery((GREEN,), day - timedelta(hours=2), day)


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
        ("since:soon", "2026-03-01"),
        ("since:2026-02-30", "day is out of range"),
        ("since:0001-01-01T00:00+14:00", "outside the calendar"),
        ("-since:2026-03-01", "negated"),
        ("since:2026-03-01 since:2026-03-02", "twice"),
        ("since:2026-03-02 until:2026-03-01", "not before"),
        ("!!!", "no word"),
        ("(", "parentheses"),
        ("(green OR blue) red", "character 1"),
        ("red (green blue)", "character 5"),
        ("-(green)", "parentheses"),
        ("person:(a)", "parentheses"),
        ("mer*l", "end of a word"),
        ("*erkel", "end of a word"),
        ("green *", "alone"),
        ("person:Mer*", "not with a field"),
        ('person:"Angela M"*', "not with a field"),
        ("#new*", "hashtag"),
        ("m?rkel", "question mark"),
        ("green~2", "distances"),
        ('"green blue"~5', "distances"),
        ("green^2", "weights"),
        ("/gre+n/", "regular"),
        ("green NEAR blue", "side by side"),
        ("green NEAR/5 blue", "side by side"),
        ("green XOR blue", "xor"),
        ("green | blue", "OR"),
        ("green|blue", "green OR blue"),
        ("green||blue", "green OR blue"),
        ("green&&blue", "green AND blue"),
        ("place:berlin|paris", "place:berlin OR place:paris"),
        ("green |blue", "OR between two words"),
        ('"gre* blue"', "at their end"),
        ('person:"Angela M*"', "not with a field"),
        ('"a*"', "too short"),
        ("green :blobcat:", "not searched"),
        ("!green", "-green"),
        ("green --json", "option"),
        ("green --size=5", "option"),
        ("from:bbc", "author:"),
        ("min_faves:10", "min_faves:"),
        ("AND green", "between"),
        ("green AND", "follows the last AND"),
        ("green AND AND blue", "between"),
        ("green NOT", "follows the last NOT"),
        ("green NOT NOT blue", "after NOT"),
        ("NOT -green", "the same"),
        ("green OR NOT blue", "after OR"),
        ("NOT since:2026-03-01", "negated"),
        ("green AND blue OR red", "belongs together"),
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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("green and blue", "in capitals (AND, OR, NOT); in small letters they are words: and"),
        ("green Not blue or red", "words: Not, or"),
        ("not green", "words: not"),
        ("since:2026-03-01 and green", "words: and"),
        ("place:hongkong", 'place:"hong kong"'),
        ("entity:HongKong", 'entity:"hong kong"'),
        ("place:#HongKong", 'place:"hong kong"'),
        ("green OR person:＃HongKong", 'person:"hong kong"'),
        ("entity:merkel", "merkel has:entity"),
    ],
)
def test_whoever_found_nothing_is_told_why(text: str, told: str) -> None:
    assert told in "\n".join(advice(parse(text), split))


@pytest.mark.parametrize(
    "text",
    ["green blue", "and green", "green or", 'green "and" blue', "green AND blue", 'red OR entity:"hong kong"', ""],
)
def test_nothing_is_told_where_nothing_is_odd(text: str) -> None:
    assert not list(advice(parse(text), split))


def split(hashtag: str) -> list[str]:
    return ["Hong", "Kong"] if hashtag.lower() == "hongkong" else [hashtag]


@given(
    st.text() | st.text(alphabet='ab"-:*#@ OR\0(){}^+東🔥') | st.from_regex(r'(-?[a-z]{1,6}:"?[a-zA-Z*:"]{0,6} ){1,5}')
)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        query = parse(text)
    except MalformedQuery:
        return
    assert query.clauses or query.since or query.until or not text.replace("\0", " ").strip()
