"""Writes of a new revision: its first and its exact repeat, never a re-tag or what is late or gone."""

import pytest

from search.registry import UNSEEN, OfferOutcome, is_new_revision
from tagstream.posts import stored_version


@pytest.mark.parametrize(
    ("outcome", "version", "before", "expected"),
    [
        (OfferOutcome.STORED, (0, 1), None, True),
        (OfferOutcome.STORED, (1, 1), (0, 3), True),
        (OfferOutcome.STORED, (1, 3), (1, 1), False),
        (OfferOutcome.DUPLICATE, (1, 1), (1, 1), True),
        (OfferOutcome.STALE, (0, 1), (1, 1), False),
        (OfferOutcome.DELETED, (0, 1), None, False),
    ],
)
def test_new_revisions(
    outcome: OfferOutcome, version: tuple[int, int], before: tuple[int, int] | None, expected: bool
) -> None:
    known = UNSEEN if before is None else stored_version(*before)
    assert is_new_revision(outcome, stored_version(*version), known) is expected
