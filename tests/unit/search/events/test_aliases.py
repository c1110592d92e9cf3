"""Names that count as one, why, and those that are kept apart; and one name that means two people."""

import random
from datetime import UTC, datetime

import pytest

from search.events.names import NameAliases
from tagstream.detections import Companion, SubjectType, TrendState
from tagstream.text.entity_keys import fold_key

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def trend(text: str, kind: SubjectType = "LOC", authors: int = 10, companions: tuple[str, ...] = ()) -> TrendState:
    return TrendState(
        type=kind,
        key=fold_key(text),
        text=text,
        minute=NOON,
        started_at=NOON,
        window_minutes=5,
        authors=authors,
        posts=authors,
        expected=0.0,
        score=float(authors),
        companions=tuple(Companion(type="WORD", key=one, text=one, posts=5) for one in companions),
    )


def learnt(*trends: TrendState) -> NameAliases:
    names = NameAliases()
    names.learn(trends)
    return names


@pytest.mark.parametrize(
    ("first", "second"),
    [("Hong Kong", "HongKong"), ("AT&amp;T", "AT&T"), ("O’Brien", "O'Brien"), ("New York", "new-york")],
)
def test_names_of_the_same_letters_are_one(first: str, second: str) -> None:
    names = learnt(trend(first), trend(second))
    assert names.canonical(first) == names.canonical(second)


def test_a_hashtag_and_initials_are_the_city_that_shares_their_companions() -> None:
    with_companions = ("subway", "mayor", "brooklyn")
    names = learnt(
        trend("new york city", companions=with_companions),
        trend("#NewYorkCity", "HASHTAG", companions=with_companions),
        trend("NYC", companions=("subway", "mayor", "marathon")),
    )
    assert {names.canonical(name) for name in ("NYC", "NewYorkCity", "new york city")} == {"new york city"}
    (reason,) = [reason for reason in names.why("New York City") if reason.alias == "nyc"]
    assert (reason.rule, reason.companions) == ("initials", ("mayor", "subway"))
    assert names.spelling("nyc") == "new york city"
    assert [one.text for one in names.folded([trend("NYC", authors=9), trend("new york city")])] == ["new york city"]


def test_initials_without_shared_companions_stay_apart() -> None:
    names = learnt(
        trend("Los Angeles", companions=("dodgers", "traffic")), trend("LA", companions=("louisiana", "flood"))
    )
    assert names.canonical("LA") == "la"
    assert names.why("LA") == ()


def test_signs_that_make_a_name_count() -> None:
    names = learnt(trend("C++", "MISC"), trend("C", "MISC"), trend("C#", "MISC"))
    assert len({names.canonical(name) for name in ("C++", "C", "C#")}) == 3


@pytest.mark.parametrize("separate", ["NYC", "#nyc", "New York City"])
def test_a_separate_name_is_no_initials_and_has_none(separate: str) -> None:
    shared = ("subway", "mayor")
    trends = [trend("NYC", companions=shared), trend("New York City", "ORG", companions=shared)]
    assert len(learnt(*trends).folded(trends)) == 1
    names = NameAliases([separate])
    names.learn(trends)
    key = fold_key(separate.removeprefix("#"))
    assert names.aliases(separate.removeprefix("#")) == (key,)
    assert names.is_separate(separate)
    assert len(names.folded(trends)) == 2


def test_a_separate_name_is_one_with_those_of_its_letters_where_trends_are_detected_and_so_here() -> None:
    trends = [trend("Hong Kong"), trend("HongKong", "ORG"), trend("hong-kong", "MISC")]
    names = NameAliases(["HongKong"])
    names.learn(trends)
    assert names.aliases("HongKong") == ("hong kong", "hong-kong", "hongkong")
    assert not names.is_separate("HongKong")
    assert len(names.folded(trends)) == 1


def test_order_and_repeats_change_nothing() -> None:
    trends = [
        trend("new york city", companions=("subway", "mayor")),
        trend("NYC", companions=("subway", "mayor")),
        trend("NewYorkCity", "HASHTAG", 3),
        trend("NewYork City", "MISC", 3),
    ]
    expected = learnt(*trends).why("nyc")
    assert len(expected) == 3
    for seed in range(5):
        shuffled = random.Random(seed).choices(trends, k=4) + trends
        random.Random(seed).shuffle(shuffled)
        assert learnt(*shuffled).why("nyc") == expected


def test_two_people_of_one_name_are_two_facets() -> None:
    names = learnt(
        trend("Chris Evans", "PER", companions=("marvel", "avengers", "radio", "bbc")),
        trend("marvel", "ORG", companions=("avengers", "chris evans")),
        trend("avengers", "MISC", companions=("marvel",)),
        trend("radio", "MISC", companions=("bbc",)),
        trend("bbc", "ORG", companions=("radio", "chris evans")),
    )
    assert sorted(map(sorted, names.facets("Chris Evans"))) == [["avengers", "marvel"], ["bbc", "radio"]]
    assert names.facets("nobody") == ()
