"""What a user types, and the tree it becomes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from search.query import (
    MAX_CLAUSES,
    MAX_DEPTH,
    AllOf,
    AnyOf,
    Field,
    MalformedQuery,
    Named,
    NameWords,
    ParsedQuery,
    Part,
    Without,
    parse,
)
from search.query_advice import advice
from tagstream.errors import BadSettings
from tagstream.text.analysis import Phrase

RED, GREEN, BLUE = Phrase(("red",)), Phrase(("green",)), Phrase(("blue",))


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
        ("person:Müller", (NameWords(("muller",), "PER"),)),
        ('person:"Müller"', (Named("müller", "PER"),)),
        ("entity:Jean-Luc", (NameWords(("jean", "luc"), None),)),
        ("person:Mer*", (NameWords(("mer",), "PER", prefix=True),)),
        ('person:"Angela M"*', (NameWords(("angela", "m"), "PER", prefix=True),)),
        ('person:"Angela M*"', (NameWords(("angela", "m"), "PER", prefix=True),)),
        ("other:!!", (Named("!!", "MISC"),)),
        ("label:boat", (NameWords(("boat",), "LABEL"),)),
        ('label:"Fishing Boat"', (Field("label", "fishing boat"),)),
        ("PLACE:x organization:y", (NameWords(("x",), "LOC"), NameWords(("y",), "ORG"))),
        ("organisation:y other:z", (NameWords(("y",), "ORG"), NameWords(("z",), "MISC"))),
        ("#new* hashtag:ne*", (Field("hashtag", "new", prefix=True), Field("hashtag", "ne", prefix=True))),
        ("type:person type:MISC", (Field("type", "PER"), Field("type", "MISC"))),
        ("has:images has:links has:replies", (Field("has", "photo"), Field("has", "link"), Field("has", "reply"))),
        ("from:bbc tag:x filter:links", (Field("author", "bbc"), Field("hashtag", "x"), Field("has", "link"))),
        ("(green OR blue) red", (AnyOf((GREEN, BLUE)), RED)),
        ("red (green blue)", (RED, GREEN, BLUE)),
        ("red OR (green blue)", (AnyOf((RED, AllOf((GREEN, BLUE)))),)),
        ("red AND (green OR blue)", (RED, AnyOf((GREEN, BLUE)))),
        ("(red AND green) OR blue", (AnyOf((AllOf((RED, GREEN)), BLUE)),)),
        ("((green))", (GREEN,)),
        ("-(green)", (Without(GREEN),)),
        ("NOT (green OR blue)", (Without(AnyOf((GREEN, BLUE))),)),
        ("-(green -(blue))", (Without(AllOf((GREEN, Without(BLUE)))),)),
        ("green OR NOT blue", (AnyOf((GREEN, Without(BLUE))),)),
        ("-green OR blue", (AnyOf((Without(GREEN), BLUE)),)),
        ('("green blue" OR (red))', (AnyOf((Phrase(("green", "blue")), RED)),)),
        ("(green !!!)", (GREEN,)),
        ("(green :) red", (GREEN, RED)),
        ("(https://bbc.com/x_(a))", (Phrase(("bbc", "com", "x", "a")),)),
        ("(" * MAX_DEPTH + "green" + ")" * MAX_DEPTH, (GREEN,)),
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
        (
            'org:"x" misc:"y" loc:"z" per:"q"',
            (Named("x", "ORG"), Named("y", "MISC"), Named("z", "LOC"), Named("q", "PER")),
        ),
        ("author:@Bo@Social.example", (Field("author", "bo@social.example"),)),
        ("author:https://social.example/@Bo", (Field("author", "bo@social.example"),)),
        ("author:https://social.example/users/bo", (Field("author", "bo@social.example"),)),
        ("author:https://bsky.app/profile/bbc.bsky.social", (Field("author", "bbc.bsky.social"),)),
        ("author:https://www.twitter.com/BBC?lang=en", (Field("author", "bbc"),)),
        ("author:acct:bo@social.example", (Field("author", "bo@social.example"),)),
        ("author:did:plc:abc", (Field("author", "did:plc:abc"),)),
    ],
)  # fmt: skip
def test_clauses(text: str, clauses: tuple[Part, ...]) -> None:
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
        ("text:berlin", "write them alone"),
        ("url:example", "has:link"),
        ("is:reply", "has:reply"),
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
        ("(", "never closed"),
        ("(green", "never closed"),
        ("red (green (blue)", "character 5"),
        ("green)", "closes nothing"),
        ("red ) green", "character 5"),
        ("()", "nothing to look for"),
        ("f(x)", "within a word"),
        ("merkel(berlin OR paris)", "within a word"),
        ("(" * (MAX_DEPTH + 1) + "x" + ")" * (MAX_DEPTH + 1), f"more than {MAX_DEPTH} deep"),
        ("red (since:2h green)", "outside the parentheses"),
        ("green OR (since:2h)", "outside the parentheses"),
        ("(green AND)", "follows the last AND"),
        ("(green OR)", "follows the last OR"),
        ("(NOT)", "follows the last NOT"),
        ("(AND green)", "between"),
        ("source:blue*", "not with source:"),
        ('author:"a*"', "not with author:"),
        ("person:m*", "too short"),
        ("#n*", "too short"),
        ("form:bbc", "from:"),
        ("person:(a)", "parentheses"),
        ("mer*l", "end of a word"),
        ("*erkel", "end of a word"),
        ("green *", "alone"),
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
        ('"a*"', "too short"),
        ("green :blobcat:", "not searched"),
        ("!green", "-green"),
        ("green --json", "option"),
        ("green --size=5", "option"),
        ("min_faves:10", "min_faves:"),
        ("AND green", "between"),
        ("green AND", "follows the last AND"),
        ("green AND AND blue", "between"),
        ("green NOT", "follows the last NOT"),
        ("green NOT NOT blue", "after NOT"),
        ("NOT -green", "the same"),
        ("NOT since:2026-03-01", "negated"),
        ("green AND blue OR red", "belongs together"),
        ("OR green", "between"),
        ("green OR", "follows the last OR"),
        ("green OR OR blue", "between"),
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
    ("text", "marked"),
    [
        ("persn:merkel berlin", "persn:merkel"),
        ("red green)", ")"),
        ("red (green OR blue", "("),
        ("merkel since:soon", "since:soon"),
        ("a AND b OR c", "OR"),
        ("東京 green|blue", "green|blue"),
        ("red 🔥 mer*l", "mer*l"),
        ('red "green', '"green'),
        ("since:2026-03-02 until:2026-03-01", "until:2026-03-01"),
    ],
)
def test_an_error_points_at_the_part_that_cannot_be_obeyed(text: str, marked: str) -> None:
    with pytest.raises(MalformedQuery) as caught:
        parse(text)
    start = text.index(marked)
    assert (caught.value.start, caught.value.end) == (start, start + len(marked))
    shown, carets = caught.value.excerpt.split("\n")
    assert shown == text
    assert carets == " " * cell_len(text[:start]) + "^" * cell_len(marked)


def test_the_place_in_a_long_and_hostile_query_is_shown_in_one_line() -> None:
    with pytest.raises(MalformedQuery) as caught:
        parse("x " * 60 + "\x1b\u202e persn:" + "y" * 300 + " z" * 200)
    shown, carets = caught.value.excerpt.split("\n")
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert len(shown) < 150
    assert "\x1b" not in shown
    assert shown[carets.index("^") :].startswith("persn:")


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
        ("green OR (red person:＃HongKong)", 'person:"hong kong"'),
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
