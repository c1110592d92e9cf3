"""Armies of accounts that change words of one text, and posts that only speak of the same thing."""

import random
from collections import Counter
from datetime import UTC, datetime

import pytest

from search.events import copies
from search.events.copies import CopyGroups
from search.events.subjects import mentions_of
from tagstream.posts import TaggedPost

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
TEXT = "huge fire destroys the riverside mall tonight dozens injured police closes downtown please share"
ACCOUNTS = 500


def sketch(text: str) -> tuple[int, ...]:
    post = TaggedPost(id="test:1", source="test", created_at=NOON, text=text, model="stub@1", generation=0)
    return mentions_of(post, NOON).shingles


def army(changed: int) -> list[tuple[int, ...]]:
    """The sketches of one text, in which each account changes so many words."""
    chance = random.Random(4)
    texts = []
    for _ in range(ACCOUNTS):
        words = TEXT.split()
        for place in chance.sample(range(len(words)), changed):
            words[place] = "".join(chance.choices("abcdefghij", k=7))
        texts.append(sketch(" ".join(words)))
    return texts


def groups_of(sketches: list[tuple[int, ...]]) -> Counter[int]:
    groups = CopyGroups()
    return Counter(groups.group_of(one, 1) for one in sketches)


@pytest.mark.parametrize(("changed", "most"), [(1, 3), (2, 3), (3, 15)])
def test_an_army_that_changes_words_is_a_few_groups(changed: int, most: int) -> None:
    found = groups_of(army(changed))
    assert len(found) <= most
    assert max(found.values()) > ACCOUNTS / 2


def test_one_example_a_group_would_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MAX_EXAMPLES", 1)
    assert len(groups_of(army(3))) > 30


def test_a_restart_changes_no_group() -> None:
    texts = army(3)
    whole, first = CopyGroups(), CopyGroups()
    expected = [whole.group_of(one, 1) for one in texts]
    found = [first.group_of(one, 1) for one in texts[:250]]
    restored = CopyGroups.of(first.state())
    assert found + [restored.group_of(one, 1) for one in texts[250:]] == expected
    assert restored.state() == whole.state()
