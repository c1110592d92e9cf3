"""Deleted posts in the detectors: they leave windows, events and snapshots, in whatever order partitions meet."""

from datetime import datetime

import pytest
from mention_feeds import BURST, BURST_AT, MINUTE, START, feed, mentions
from opened_states import opened

from search.detection.chain import DetectionChain
from search.events.baseline import Baseline
from tagstream.detections import DetectedEvent, PostMentions

DELETED_AT = START + (BURST_AT + 12) * MINUTE


def is_of_the_burst(item: PostMentions | str) -> bool:
    return not isinstance(item, str) and any(one.key in BURST for one in item.subjects)


@pytest.fixture(scope="module")
def parts() -> tuple[list[PostMentions | str], list[PostMentions | str]]:
    """The feed up to the middle of its burst, and the rest of it without the burst."""
    items = list(feed(1))
    middle = next(place for place, one in enumerate(items) if not isinstance(one, str) and one.minute == DELETED_AT)
    return items[:middle], [one for one in items[middle:] if not is_of_the_burst(one)]


def burst_ids(items: list[PostMentions | str]) -> list[str]:
    return [one.post_id for one in items if not isinstance(one, str) and is_of_the_burst(one)]


def events_after(chain: DetectionChain, items: list[PostMentions | str], since: datetime) -> list[DetectedEvent]:
    minutes = [*chain.take(items), *chain.finish()]
    assert not [one for closed in minutes if closed.minute >= since for one in closed.trends if one.key in BURST]
    return [event for closed in minutes if closed.minute >= since for event in closed.events]


def test_an_event_whose_posts_are_all_deleted_is_withdrawn_and_no_snapshot_holds_its_words(
    parts: tuple[list[PostMentions | str], list[PostMentions | str]],
) -> None:
    before, rest = parts
    chain = DetectionChain()
    told = [event for closed in chain.take(before) for event in closed.events]
    assert any("boston" in [one.key for one in event.subjects] for event in told)
    assert b"boston" in opened(chain.snapshot())
    newest = chain.newest
    assert newest is not None
    later = events_after(chain, [*burst_ids(before), *rest], newest)
    assert not [event for event in later if {one.key for one in event.subjects} & set(BURST)]
    assert b"boston" not in opened(chain.snapshot())


def test_words_of_deleted_posts_of_open_minutes_are_in_no_snapshot_at_once(
    parts: tuple[list[PostMentions | str], list[PostMentions | str]],
) -> None:
    before, _ = parts
    for passed in (0, 400):
        chain = DetectionChain()
        chain.take(before[:passed])
        assert (chain.newest is None) == (passed == 0)
        chain.take([mentions(number, chain.newest or START, number, BURST) for number in (90_000, 90_001)])
        assert b"explosion" in opened(chain.snapshot())
        chain.take(["jsonl:90000", "jsonl:90001"])
        assert b"explosion" not in opened(chain.snapshot())
        assert chain.take(before[passed:600]) is not None
        assert b"explosion" not in opened(chain.snapshot())


def test_what_rests_is_rid_of_words_at_once(
    parts: tuple[list[PostMentions | str], list[PostMentions | str]],
) -> None:
    before, _ = parts
    chain = DetectionChain()
    chain.take(before)
    chain = DetectionChain.restore(chain.snapshot())
    assert set(burst_ids(before)) & chain.ids()
    chain.purge(burst_ids(before))
    assert b"boston" not in opened(chain.snapshot())
    assert b"word1" in opened(chain.snapshot())


def test_the_past_of_subjects_holds_no_word() -> None:
    past = Baseline()
    past.learn(1, 10, {("WORD", "xylophonist"): 4})
    assert past.expected(("WORD", "xylophonist"), 10, 5, 10)[0] > 0
    assert past.expected(("PER", "xylophonist"), 10, 5, 10) == (0.0, 0.0)
    assert "xylophonist" not in repr(past.state())
