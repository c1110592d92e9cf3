"""Which writes make news: the first of a revision and its exact repeat, never a re-tag or what is late or gone."""

import pytest

from search.registry import UNSEEN, Outcome, is_news
from tagstream.posts import stored_version


@pytest.mark.parametrize(
    ("outcome", "version", "before", "news"),
    [
        (Outcome.STORED, (0, 1), None, True),
        (Outcome.STORED, (1, 1), (0, 3), True),
        (Outcome.STORED, (1, 3), (1, 1), False),
        (Outcome.DUPLICATE, (1, 1), (1, 1), True),
        (Outcome.STALE, (0, 1), (1, 1), False),
        (Outcome.DELETED, (0, 1), None, False),
    ],
)
def test_news(outcome: Outcome, version: tuple[int, int], before: tuple[int, int] | None, news: bool) -> None:
    known = UNSEEN if before is None else stored_version(*before)
    assert is_news(outcome, stored_version(*version), known) is news
