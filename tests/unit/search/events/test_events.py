"""What the two detectors say of small feeds."""

import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import chain

import pytest
from search_events_feeds import START, burst, everyday, mention, replay

from search.events.events import BIRTH_AUTHORS, EventDetector
from search.events.following import FollowedEvent, Member
from search.events.trends import TrendDetector
from search.testing.detecting import trend
from tagstream.detections import DetectedEvent, PostMentions, TrendState
from tagstream.errors import CorruptState

PEAKS = [(35, 9), (30, 90)]


def all_states(posts: Iterable[PostMentions]) -> list[DetectedEvent]:
    """Every state of every event of a feed, oldest first."""
    trends, events = TrendDetector(), EventDetector()
    by_minute: dict[datetime, list[PostMentions]] = {}
    for post in posts:
        by_minute.setdefault(post.minute, []).append(post)
    found: list[DetectedEvent] = []
    for minute in sorted(by_minute):
        trends.add(by_minute[minute])
        for closed, states in trends.close(minute):
            found += events.close(closed, states)
    return found


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


def test_an_event_counts_the_authors_that_it_was_born_of() -> None:
    posts = [mention(f"slow{number}", 180 + 2 * number, ["Lisbon", "#earthquake", "shaking"]) for number in range(60)]
    states = all_states(chain(everyday(8), posts))
    assert len({state.id for state in states}) == 1
    assert states[0].authors >= BIRTH_AUTHORS
    assert states[0].authors >= max(subject.authors for subject in states[0].subjects)
    assert max(state.authors for state in states) == pytest.approx(60, rel=0.1)


def test_two_that_become_one_are_one_with_all_that_both_had() -> None:
    names, others = ["Lisbon", "#earthquake", "shaking"], ["#outage", "candles", "lifts"]
    first = burst("quake", 3, 25, names, a_minute=6)
    second = burst("dark", 3.1, 25, others, a_minute=9)
    both = burst("both", 3.6, 40, [*names, *others], a_minute=4)
    states = all_states(chain(everyday(6), first, second, both))
    last = {state.id: state for state in states}
    (part,) = (event for event in last.values() if event.merged_into is not None)
    (whole,) = (event for event in last.values() if event.merged_into is None)
    assert part.merged_into == whole.id
    assert whole.detected_at == min(state.detected_at for state in states)
    assert {"lisbon", "earthquake", "outage", "candles"} <= {subject.key for subject in whole.subjects}
    assert whole.authors > 0.9 * (25 * 6 + 25 * 9 + 40 * 4)
    of_part = [state for state in states if state.id == part.id]
    assert {post.post_id for post in of_part[-1].evidence} - {post.post_id for post in whole.evidence} != set()


def test_two_that_have_a_place_in_common_do_not_become_one() -> None:
    authors = {"texas": 60, "flood": 50, "rain": 40, "river": 30, "roads": 20, "victims": 10}
    members = {key: Member("WORD", key, key, count, count, 5.0, 30) for key, count in authors.items()}
    flood = FollowedEvent("e1", 30, 20, 40, 35, members=members)

    def community(*keys: str) -> list[TrendState]:
        return [trend(key) for key in keys]

    assert not flood.is_part_of(community("texas", "blast", "plant", "victims"))
    assert flood.is_part_of(community("texas", "blast", "flood", "river"))
    assert flood.is_led_by(community("texas", "blast"))
    assert not flood.is_led_by(community("victims", "blast"))


def test_the_peak_of_an_event_is_that_of_its_parts() -> None:
    parts = [FollowedEvent(f"e{number}", 30, 20, 40, minute, authors) for number, (minute, authors) in enumerate(PEAKS)]
    parts[0].absorb(parts[1])
    assert (parts[0].peak, parts[0].peak_authors) == max(PEAKS, key=lambda peak: peak[1])


def test_an_event_starts_with_the_first_of_its_posts() -> None:
    """One of its words was risen before, for something else."""
    other = [mention(f"other{number}", 470 + number, ["smoke", f"kitchen{number}"]) for number in range(10)]
    quake = burst("quake", 8, 30, ["Lisbon", "#quake", "smoke"], share=0.8)
    (event,) = replay(chain(everyday(9), other, quake)).values()
    assert "smoke" in {subject.key for subject in event.subjects}
    assert event.started_at == min(post.minute for post in event.evidence) >= START + timedelta(hours=8)
