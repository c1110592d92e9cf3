"""One subject in several forms: a place, a hashtag and a word of the same letters count together."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import chain

import pytest
from search_events_feeds import START, everyday, mention, replay

from search.detection.trend_partition import home_of
from search.events.names import NameAliases
from search.events.same_letters import letters_of
from search.events.trends import TrendDetector
from tagstream.detections import PostMentions, Subject, TrendState

FORMS = ("Hong Kong", "#HongKong", "#Hong_Kong", "hongkong")


def told(posts: Iterable[PostMentions], detector: TrendDetector, minutes: int) -> list[TrendState]:
    detector.add(posts)
    return [state for _, states in detector.close(START + timedelta(minutes=minutes)) for state in states]


def in_forms(authors: int, forms: Iterable[str], minute: int = 120) -> list[PostMentions]:
    """So many posts of distinct authors within a few minutes, each with the next form."""
    forms = list(forms)
    return [mention(f"f{number}", minute + number // 3, [forms[number % len(forms)]]) for number in range(authors)]


def test_forms_that_are_rare_alone_trend_together() -> None:
    posts = [*everyday(3), *in_forms(12, FORMS)]
    (state, *_) = [one for one in told(posts, TrendDetector(), 140) if letters_of(one.key) == "hongkong"]
    assert (state.type, state.key, state.text) == ("LOC", "hong kong", "Hong Kong")
    assert not told([*everyday(3), *in_forms(3, FORMS[:1])], TrendDetector(), 140)
    last = [one for one in told(posts, TrendDetector(), 140) if one.key == "hong kong"][-1]
    assert {(form.type, form.key) for form in last.forms} == {
        ("LOC", "hong kong"),
        ("HASHTAG", "hongkong"),
        ("HASHTAG", "hong_kong"),
        ("WORD", "hongkong"),
    }
    assert last.authors == 12


def test_a_post_with_several_forms_counts_once() -> None:
    posts = [*everyday(3), *(mention(f"p{number}", 120 + number // 3, FORMS) for number in range(12))]
    states = [one for one in told(posts, TrendDetector(), 140) if letters_of(one.key) == "hongkong"]
    assert max(state.posts for state in states) == 12
    assert {form.key for form in states[-1].forms} == {"hong kong"}


def test_an_event_names_each_subject_once() -> None:
    words = [(form, other) for form in FORMS for other in ("Fire", "#fire", "tower")]
    posts = [mention(f"e{number}", 120 + number // 4, words[number % len(words)]) for number in range(80)]
    (event,) = replay(chain(everyday(4), posts)).values()
    assert len({letters_of(subject.key) for subject in event.subjects}) == len(event.subjects)
    assert {letters_of(name) for name in (subject.key for subject in event.subjects)} == {"hongkong", "fire", "tower"}


def test_a_trend_keeps_its_form_while_it_lasts() -> None:
    """Another form may become the commonest: the trend stays the same one, and is not told again."""
    posts = [*everyday(3), *in_forms(12, ["Hong Kong"]), *in_forms(40, ["#HongKong"], minute=126)]
    states = [one for one in told(posts, TrendDetector(), 150) if letters_of(one.key) == "hongkong"]
    assert {(state.type, state.key) for state in states} == {("LOC", "hong kong")}
    assert states[-1].forms[0].type == "HASHTAG"


def test_a_form_that_only_deleted_posts_had_is_told_no_more() -> None:
    detector = TrendDetector()
    posts = [
        *everyday(3),
        *in_forms(12, ["Hong Kong"]),
        *(mention(f"h{n}", 121 + n // 4, ["#HongKong"]) for n in range(12)),
    ]
    told(posts, detector, 124)
    for number in range(12):
        detector.delete(f"test:f{number}", START + timedelta(minutes=125))
    states = [one for one in told([], detector, 126) if letters_of(one.key) == "hongkong"]
    assert {(form.type, form.key) for state in states for form in state.forms} == {("HASHTAG", "hongkong")}
    assert states[-1].key == "hongkong"
    assert b"hong kong" not in repr(TrendDetector.restore(detector.snapshot()).__dict__).encode()


def test_a_restart_changes_no_form() -> None:
    posts = [*everyday(3), *in_forms(24, FORMS)]
    whole, first = TrendDetector(), TrendDetector()
    whole.add(posts)
    first.add(posts)
    before = first.close(START + timedelta(minutes=123))
    restored = TrendDetector.restore(first.snapshot())
    assert [*before, *restored.close(START + timedelta(minutes=140))] == whole.close(START + timedelta(minutes=140))


@pytest.mark.parametrize("partitions", [1, 3, 16])
def test_all_forms_are_counted_by_one_partition(partitions: int) -> None:
    keys = ("hong kong", "hongkong", "hong-kong")
    homes = {home_of(Subject(type="LOC", key=key, text=key), partitions) for key in keys}
    assert len(homes) == 1


def test_the_forms_of_a_trend_are_the_reasons_for_counting_as_one() -> None:
    states = told([*everyday(3), *in_forms(12, FORMS)], TrendDetector(), 140)
    names = NameAliases()
    names.learn(states)
    assert set(names.aliases("Hong Kong")) == {"hong kong", "hongkong", "hong_kong"}
    assert {reason.rule for reason in names.why("#HongKong")} >= {"same letters"}


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("new york", "newyork", True),
        ("o'brien", "o’brien", True),
        ("at&t", "att", True),
        ("c++", "c", False),
        (".net", "net", False),
        ("c++ 11", "c 11", False),
        ("9/11", "911", False),
        ("windows 1.0", "windows 10", False),
        ("we'll", "well", False),
        ("she’ll", "shell", False),
        ("o'donnell", "odonnell", True),
        ("covid-19", "covid19", True),
        ("!!!", "???", False),
    ],
)
def test_keys_of_the_same_letters(first: str, second: str, same: bool) -> None:
    assert (letters_of(first) == letters_of(second)) is same
