"""Hashtags as networks name them: put where they stand in the text, whatever the offsets count."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.bluesky.record import hashtags
from tagstream.posts import Hashtag
from tagstream.text.hashtags import Claim, hashtags_named, hashtags_of

TEXT = "👩‍🚀 héllo #Oslo, #NewYork!"
OSLO, NEW_YORK = (TEXT.index("#Oslo"), TEXT.index("#Oslo") + 5), (TEXT.index("#NewYork"), len(TEXT) - 1)


def spans(found: tuple[Hashtag, ...]) -> list[tuple[str, tuple[int, int] | None]]:
    return [(one.text, one.span) for one in found]


def utf16(place: int) -> int:
    return len(TEXT[:place].encode("utf-16-le")) // 2


def utf8(place: int) -> int:
    return len(TEXT[:place].encode())


@pytest.mark.parametrize(
    "offsets",
    [
        lambda start, end: (start, end),
        lambda start, end: (utf16(start), utf16(end)),
        lambda start, end: (utf8(start), utf8(end)),
        lambda start, end: (start + 1, end),
        lambda start, end: (start - 1, end),
        lambda start, end: (start, end + 1),
        lambda start, end: (start - 1, end - 1),
        lambda start, end: (start + 500, end + 500),
        lambda start, _: (-5 - start, 2**70),
        lambda start, end: (end, start),
        lambda *_: (None, None),
    ],
)
def test_a_named_hashtag_is_where_it_stands(offsets) -> None:
    claims: list[Claim] = [("newyork", *offsets(*NEW_YORK)), ("Oslo", *offsets(*OSLO))]
    assert spans(hashtags_named(TEXT, claims)) == [("Oslo", OSLO), ("NewYork", NEW_YORK)]


@pytest.mark.parametrize(
    ("text", "claims", "found"),
    [
        ("no sign", [("Paris", None, None), ("paris", 3, 7)], [("Paris", None)]),
        ("in #2024 and #2024", [("2024", None, None)], [("2024", (3, 8)), ("2024", (13, 18))]),
        ("#C++ #C", [("C++", 0, 4)], [("C++", (0, 4)), ("C", (5, 7))]),
        ("#Müller", [("muller", None, None)], [("Müller", (0, 7))]),
        ("＃東京", [("東京", 1, 3)], [("東京", (0, 3))]),
        ("#ab #a", [("a", 0, 2)], [("ab", (0, 3)), ("a", (4, 6))]),
        ("click here", [("sale", 0, 5)], [("sale", None)]),
        ("#🔥 hot", [("🔥", 0, 2)], [("🔥", (0, 2))]),
        ("", [("a", None, None), ("b", 0, 1)], [("a", None), ("b", None)]),
    ],
)
def test_named_hashtags(text: str, claims: list[Claim], found: list[tuple[str, tuple[int, int] | None]]) -> None:
    assert spans(hashtags_named(text, claims)) == found


def test_what_is_a_link_is_no_hashtag() -> None:
    text = "see example.org/#Oslo and #Oslo #Rome"
    assert spans(hashtags_named(text, [], [(4, 21)])) == [("Oslo", (26, 31)), ("Rome", (32, 37))]


@given(
    st.text(alphabet="#ab 1é👩_", max_size=40),
    st.lists(st.tuples(st.text(alphabet="ab1é", min_size=1, max_size=3), st.integers(-2, 50), st.integers(-2, 50))),
)
def test_whatever_is_claimed_spans_hold_and_nothing_is_lost(text: str, claims: list[Claim]) -> None:
    found = hashtags_named(text, claims)
    placed = [one.span for one in found if one.span is not None]
    assert all(before[1] <= after[0] for before, after in pairwise(placed))
    assert all(text[one.span[0] + 1 : one.span[1]] == one.text for one in found if one.span)
    names = {one.text.casefold() for one in found}
    assert {one.text.casefold() for one in hashtags_of(text)} <= names or claims
    assert all(name.casefold() in names or "é" in name or any(n.startswith(name) for n in names) for name, *_ in claims)


def test_a_thousand_claims_on_a_long_text_take_bounded_time() -> None:
    began = time.process_time()
    hashtags_named("#" * 100_000, [(f"{number}", number, number) for number in range(1_024)])
    links = [(number, number + 1) for number in range(1_000)]
    hashtags_named("#a " * 33_000, [(f"n{number}", 5, 9) for number in range(1_024)], links)
    assert time.process_time() - began < 10


@pytest.mark.parametrize("shift", [0, 1, -1, 2, -3, 10_000])
def test_facets_of_bluesky_that_count_otherwise(shift: int) -> None:
    facets = [
        {
            "index": {"byteStart": utf8(start) + shift, "byteEnd": utf8(end) + shift},
            "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": name}],
        }
        for name, (start, end) in (("Oslo", OSLO), ("NewYork", NEW_YORK))
    ]
    assert spans(hashtags({"facets": facets, "tags": ["Extra"]}, TEXT)) == [
        ("Oslo", OSLO),
        ("NewYork", NEW_YORK),
        ("Extra", None),
    ]
