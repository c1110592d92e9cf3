"""The weight between two subjects: the cosine of their co-mentions, whichever of the two lists the other."""

from datetime import UTC, datetime

import pytest

from search.events.communities import communities_of
from tagstream.detections import Companion, TrendState

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def trend(key: str, authors: int, **companions: int) -> TrendState:
    return TrendState(
        type="WORD",
        key=key,
        text=key,
        minute=NOON,
        started_at=NOON,
        window_minutes=60,
        authors=authors,
        posts=authors,
        expected=0,
        score=10,
        companions=tuple(
            Companion(type="WORD", key=other, text=other, posts=posts) for other, posts in companions.items()
        ),
        counted=min(authors, 300),
    )


@pytest.mark.parametrize("listed", [True, False])
def test_a_frequent_subject_does_not_draw_in_every_rare_one_that_it_does_not_list(listed: bool) -> None:
    rare = trend("small", 6, texas=6)
    frequent = trend("texas", 1000, **({"small": 2} if listed else {}))
    assert len(communities_of([rare, frequent])) == 2


def test_subjects_that_share_their_posts_are_one_community_at_any_size() -> None:
    for authors in (20, 2000):
        share = min(authors, 300) // 2
        assert len(communities_of([trend("fire", authors, tower=share), trend("tower", authors, fire=share)])) == 1
