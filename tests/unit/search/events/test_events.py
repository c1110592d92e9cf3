"""What the two detectors say of small feeds."""

import random
from itertools import chain

import pytest
from search_events_feeds import START, burst, everyday, mention, replay

from search.events.events import EventDetector
from search.events.trends import TrendDetector
from tagstream.errors import CorruptState


def titles(events) -> list[str]:
    return sorted(" ".join(event.names) for event in events.values() if event.merged_into is None)


def test_a_burst_of_many_authors_is_one_event() -> None:
    events = replay(chain(everyday(6), burst("quake", 3, 60, ["Lisbon", "#earthquake", "shaking", "buildings"])))
    assert len(events) == 1
    (event,) = events.values()
    assert {one.key for one in event.subjects} >= {"lisbon", "earthquake", "shaking", "buildings"}
    assert (event.detected_at - START).total_seconds() / 60 <= 3 * 60 + 10


def test_an_everyday_feed_has_no_event() -> None:
    assert replay(everyday(12)) == {}


def test_one_author_is_no_event() -> None:
    posts = [mention(f"bot{number}", 180 + number // 5, ["Dallas", "deals"], author="bot") for number in range(300)]
    assert replay(chain(everyday(6), posts)) == {}


def test_an_army_with_one_text_is_no_event() -> None:
    text = "everybody follow jordan vega from ohio the best singer in america"
    posts = [mention(f"army{number}", 180 + number // 10, ["Ohio", "singer"], text=text) for number in range(500)]
    assert replay(chain(everyday(6), posts)) == {}


@pytest.mark.parametrize("seed", range(3))
def test_order_repeats_and_restarts_change_nothing(seed: int) -> None:
    posts = list(chain(everyday(5), burst("quake", 3, 60, ["Lisbon", "#earthquake", "shaking"])))
    minutes = sorted({post.minute for post in posts})
    calm, events = TrendDetector(), EventDetector()
    expected = []
    for minute in minutes:
        calm.add(post for post in posts if post.minute == minute)
        for closed, states in calm.close(minute):
            expected.append((states, events.close(closed, states)))
    chance = random.Random(seed)
    disturbed, follower = TrendDetector(), EventDetector()
    found = []
    for minute in minutes:
        mine = [post for post in posts if post.minute == minute]
        mine += chance.choices(mine, k=3)
        chance.shuffle(mine)
        for post in mine:
            disturbed.add([post])
            if chance.random() < 0.02:
                disturbed = TrendDetector.restore(disturbed.snapshot())
                follower = EventDetector.restore(follower.snapshot())
        for closed, states in disturbed.close(minute):
            found.append((states, follower.close(closed, states)))
    assert any(changed for _, changed in expected)
    assert found == expected
    assert disturbed.snapshot() == calm.snapshot()
    assert follower.snapshot() == events.snapshot()


@pytest.mark.parametrize("bytes_", [b"", b"nonsense", TrendDetector().snapshot()[:-1]])
def test_other_bytes_are_corrupt_state(bytes_: bytes) -> None:
    with pytest.raises(CorruptState):
        TrendDetector.restore(bytes_)
    with pytest.raises(CorruptState):
        EventDetector.restore(bytes_)
