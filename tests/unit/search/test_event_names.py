"""The names that the evidence of an event mentions, beside the event's own."""

from collections.abc import Sequence

import pytest

from search.event_names import names_of_evidence
from search.testing.posts import START, entity, tagged
from tagstream.detections import DetectedEvent
from tagstream.posts import Entity, TaggedPost


def event(*own: tuple[str, str]) -> DetectedEvent:
    subjects = [{"type": type, "key": key, "text": key, "posts": 5, "authors": 4} for type, key in own]
    times = dict.fromkeys(("minute", "detected_at", "started_at", "peak_at"), START)
    counts = {"authors": 40, "posts": 50, "score": 12.5}
    return DetectedEvent.model_validate({"id": "e", "names": (), "subjects": tuple(subjects)} | times | counts)


def posts(*entities: Sequence[Entity], author: str | None = None) -> list[TaggedPost]:
    return [tagged(f"{number}", "x", author=author, entities=named) for number, named in enumerate(entities)]


BOSTON = entity("Boston")


@pytest.mark.parametrize(
    ("mentioning", "shown", "named"), [(1, 1, 0), (1, 3, 0), (2, 2, 1), (2, 8, 1), (2, 9, 0), (3, 9, 1), (5, 20, 1)]
)
def test_a_name_needs_a_quarter_of_the_posts_and_two(mentioning: int, shown: int, named: int) -> None:
    found = names_of_evidence(event(), posts(*([BOSTON] for _ in range(mentioning)), *[[]] * (shown - mentioning)))
    assert [(one.key, one.posts) for one in found] == [("boston", mentioning)] * named


def test_a_name_of_the_event_is_not_told_twice_but_where_its_word_is_one_is() -> None:
    evidence = posts([BOSTON, entity("New York")], [BOSTON, entity("New York")])
    assert [one.key for one in names_of_evidence(event(("LOC", "boston"), ("ORG", "newyork")), evidence)] == []
    assert [one.key for one in names_of_evidence(event(("HASHTAG", "boston")), evidence)] == ["boston", "new york"]


def test_a_key_is_one_name_of_its_commonest_type_and_spelling() -> None:
    west = [entity("WEST", type="LOC"), entity("West", type="LOC"), entity("West", type="PER")]
    (found,) = names_of_evidence(
        event(), posts(*([one] for one in west), [west[0], west[2], entity("West", type="LOC")])
    )
    assert (found.type, found.key, found.text, found.posts) == ("LOC", "west", "West", 4)


def test_the_most_posts_come_first_and_other_kinds_of_names_are_left_out() -> None:
    named = [entity("Xbox", type="MISC"), entity("Ada", type="PER"), BOSTON]
    found = names_of_evidence(event(), posts(named, named, [BOSTON], author="one"))
    assert [(one.text, one.posts, one.authors) for one in found] == [("Boston", 3, 1), ("Ada", 2, 1)]
    assert [one.authors for one in names_of_evidence(event(), posts(named, named))] == [2, 2]
