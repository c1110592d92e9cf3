"""The detectors, joined: what they say depends on the feed's order, not on how it is cut, restored or partitioned."""

import random
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import pytest
from mention_feeds import BURST_AT, MINUTE, START, feed, mentions

from search.detection.chain import DetectionChain
from search.detection.event_timeline import ClosedMinute, EventTimeline
from search.detection.mention_feed import GRACE_MINUTES, MentionFeed, closing, last_closed
from search.detection.trend_partition import TrendPartition, partition_of
from tagstream.detections import MentionBatch, MinuteOfTrends, PostMentions
from tagstream.errors import CorruptState

Said = list[tuple[str, str, str]]


def said(minutes: Sequence[ClosedMinute]) -> Said:
    """Every document that comes of the minutes, in order."""
    found: Said = []
    for closed in minutes:
        found += [("trend", f"{one.type} {one.key} {one.minute}", one.model_dump_json()) for one in closed.trends]
        found += [("event", f"{one.id} {one.minute}", one.model_dump_json()) for one in closed.events]
    return found


def whole(items: Sequence[PostMentions | str]) -> Said:
    chain = DetectionChain()
    return said([*chain.take(items), *chain.finish()])


@pytest.fixture(scope="module")
def items() -> list[PostMentions | str]:
    return list(feed(1))


@pytest.fixture(scope="module")
def undisturbed(items: list[PostMentions | str]) -> Said:
    return whole(items)


def test_the_feed_of_these_tests_is_not_vacuous(items: list[PostMentions | str], undisturbed: Said) -> None:
    events = {name.split()[0] for kind, name, _ in undisturbed if kind == "event"}
    assert events
    assert any("boston" in document for kind, _, document in undisturbed if kind == "event")
    chain = DetectionChain()
    chain.take(items)
    assert chain.late > 100
    assert sum(isinstance(item, str) for item in items) > 50


@pytest.mark.parametrize("seed", [1, 2])
def test_however_the_feed_is_cut_the_same_is_said(
    seed: int, items: list[PostMentions | str], undisturbed: Said
) -> None:
    chance, chain, found, place = random.Random(seed), DetectionChain(), [], 0
    while place < len(items):
        size = chance.choice((1, 2, 7, 60, 300))
        found += chain.take(items[place : place + size])
        place += size
    assert said([*found, *chain.finish()]) == undisturbed


def test_a_chain_that_is_restored_goes_on_as_if_nothing_had_been(
    items: list[PostMentions | str], undisturbed: Said
) -> None:
    chance, chain, found = random.Random(3), DetectionChain(), []
    cuts = sorted({0, len(items), *(chance.randrange(len(items)) for _ in range(25))})
    for begin, end in pairwise(cuts):
        chain = DetectionChain.restore(chain.snapshot())
        found += chain.take(items[begin:end])
    assert said([*found, *chain.finish()]) == undisturbed


def test_what_is_given_again_after_a_restart_changes_nothing(
    items: list[PostMentions | str], undisturbed: Said
) -> None:
    """The documents of a run that lost its last minutes, and told them again, are those of an undisturbed run."""
    chain = DetectionChain()
    middle = len(items) // 2
    stored = {(kind, name): text for kind, name, text in said(chain.take(items[:middle]))}
    snapshot = chain.snapshot()
    stored |= {(kind, name): text for kind, name, text in said(chain.take(items[middle : middle + 400]))}
    again = DetectionChain.restore(snapshot)
    stored |= {(kind, name): text for kind, name, text in said([*again.take(items[middle:]), *again.finish()])}
    assert stored == {(kind, name): text for kind, name, text in undisturbed}


def test_the_same_feed_says_the_same_over_several_partitions_however_they_meet(
    items: list[PostMentions | str],
) -> None:
    """Documents do not depend on the order in which records of different partitions arrive."""
    answers = [partitioned(items, seed) for seed in (1, 2, 3)]
    assert answers[0]
    assert answers[0] == answers[1] == answers[2]


def partitioned(items: Sequence[PostMentions | str], seed: int, partitions: int = 3) -> Said:
    """What is said over partitions whose records arrive in the order of a random number generator."""
    chance = random.Random(seed)
    sources: list[list[PostMentions | str]] = [[] for _ in range(partitions)]
    for item in items:
        sources[partition_of(item if isinstance(item, str) else item.post_id, partitions)].append(item)
    feeds = [MentionFeed(number) for number in range(partitions)]
    trends = [TrendPartition(number, partitions) for number in range(partitions)]
    timeline, found = EventTimeline(partitions), []
    waiting: list[list[MinuteOfTrends]] = [[] for _ in range(partitions)]
    while any(sources) or any(waiting):
        number = chance.randrange(partitions)
        if sources[number] and chance.random() < 0.7:
            size = chance.randrange(1, 40)
            batch = feeds[number].take(sources[number][:size])
            del sources[number][:size]
            for target, partition in enumerate(trends):
                waiting[target] += partition.take(batch)
        elif waiting[number]:
            found += timeline.take(waiting[number].pop(0))
    return said(found)


def test_a_minute_is_closed_when_the_feed_is_past_it_and_its_grace() -> None:
    assert last_closed(closing(START)) == START
    chain, trends = MentionFeed(), TrendPartition()
    for passed in range(GRACE_MINUTES + 2):
        batch = chain.take([mentions(passed * 10 + one, START + passed * MINUTE, one, ("a",)) for one in range(3)])
        trends.take(batch)
    assert trends.closed == START


def test_a_post_of_a_closed_minute_is_late_and_one_within_the_grace_is_not() -> None:
    feeds = MentionFeed()
    feeds.take([mentions(one, START + 5 * MINUTE, one, ("a",)) for one in range(3)])
    late, timely = START + (4 - GRACE_MINUTES) * MINUTE, START + (5 - GRACE_MINUTES) * MINUTE
    batch = feeds.take([mentions(7, late, 7, ("a",)), mentions(8, timely, 8, ("a",))])
    assert [post.post_id for post in batch.posts] == ["jsonl:8"]
    assert feeds.late == 1


def test_a_partition_that_has_not_come_so_far_keeps_a_minute_open() -> None:
    trends = TrendPartition(0, 2)
    assert trends.take(MentionBatch(source_partition=0, watermark=START + 9 * MINUTE)) == []
    closed = trends.take(MentionBatch(source_partition=1, watermark=START + 4 * MINUTE))
    assert [one.minute for one in closed] == [last_closed(START + 4 * MINUTE)]
    assert trends.take(MentionBatch(source_partition=1, watermark=START + 2 * MINUTE)) == []


def test_a_minute_is_taken_when_all_partitions_have_closed_it() -> None:
    timeline = EventTimeline(2)
    assert timeline.take(MinuteOfTrends(partition=0, minute=START + 3 * MINUTE)) == []
    taken = timeline.take(MinuteOfTrends(partition=1, minute=START + MINUTE))
    assert taken[-1].minute == START + MINUTE
    assert timeline.take(MinuteOfTrends(partition=1, minute=START + MINUTE)) == []  # a repeat
    more = timeline.take(MinuteOfTrends(partition=1, minute=START + 9 * MINUTE))
    assert [one.minute for one in more] == [START + 2 * MINUTE, START + 3 * MINUTE]


def test_an_archive_with_a_gap_of_years_is_passed_over_at_once() -> None:
    timeline = EventTimeline()
    timeline.take(MinuteOfTrends(partition=0, minute=START))
    taken = timeline.take(MinuteOfTrends(partition=0, minute=START.replace(year=2034)))
    assert 1000 < len(taken) < 2000
    assert timeline.last == START.replace(year=2034)


def test_the_newest_minute_is_told_of_a_feed_in_which_nothing_has_trended_for_days() -> None:
    """Counts of saved queries are looked at when minutes close."""
    timeline = EventTimeline()
    for hours in (0, 40, 40.5, 90):
        minute = START + timedelta(hours=hours)
        assert timeline.take(MinuteOfTrends(partition=0, minute=minute))[-1].minute == minute
    taken = EventTimeline.restore(timeline.snapshot()).take(MinuteOfTrends(partition=0, minute=minute + MINUTE))
    assert taken == [ClosedMinute(minute + MINUTE, (), ())]


def test_a_deleted_post_is_no_evidence_of_a_minute_that_was_open_when_it_went(
    items: list[PostMentions | str], undisturbed: Said
) -> None:
    burst = [
        (place, one)
        for place, one in enumerate(items)
        if not isinstance(one, str) and one.minute >= START + BURST_AT * MINUTE and one.subjects[0].key == "boston"
    ]
    named = "".join(text for _, _, text in undisturbed)
    place, gone = next((place, one) for place, one in burst if f'"{one.post_id}"' in named)
    documents = whole([*items[: place + 1], gone.post_id, *items[place + 1 :]])
    assert not any(f'"{gone.post_id}"' in text for _, _, text in documents)


def test_a_damaged_snapshot_is_refused() -> None:
    snapshot = DetectionChain().snapshot()
    with pytest.raises(CorruptState):
        DetectionChain.restore(snapshot[:-5])
    with pytest.raises(CorruptState):
        DetectionChain.restore(b"")
