"""The score of detected events, by hand and beside the scorer that the project was given."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from feeds import feed_of

from training.datasets import data_folder
from training.events.feed import read_feed, write_feed
from training.events.measure import event_document, score_document
from training.events.score import FoundEvent, score

START = datetime(2024, 1, 1, tzinfo=UTC)


def found(name, minutes, posts):
    """An event that was detected so many minutes after the feed's start."""
    when = START + timedelta(minutes=minutes)
    return FoundEvent(name, name, when, START, None, 3, tuple(posts))


DETECTED = [
    found("first", 40, ["events:p10", "p11", "p12", "p0"]),  # of the fire, three of four
    found("again", 200, ["p13", "p14"]),  # of the fire once more
    found("late", 600, ["p30", "p31", "p32", "p1", "p2"]),  # of the flood
    found("everyday", 50, ["p1", "p2"]),
    found("mixed", 50, ["p1", "p2", "p10"]),  # a third of it is the fire's
    found("empty", 50, []),
]


def test_events_are_found_in_time_late_again_or_false():
    scored = score(feed_of({"fire": (30, range(10, 20)), "flood": (60, range(30, 40))}), DETECTED)
    assert (scored.events, scored.found, scored.found_in_time) == (2, 2, 1)
    assert scored.fragments == 1.5
    assert scored.purity == pytest.approx((0.75 + 1 + 0.6) / 3, abs=1e-3)
    assert (scored.false, scored.false_a_day) == (3, 1.5)
    assert scored.false_titles == ("everyday", "mixed", "empty")
    assert scored.median_delay_minutes == 540.0


def test_what_is_never_found_is_named():
    scored = score(feed_of({"fire": (30, range(10, 20))}), [])
    assert (scored.found, scored.missed, scored.purity, scored.fragments) == (0, ("fire",), None, None)


def test_parameters_are_better_with_few_false_events_then_more_found_then_fewer_repeats():
    feed = feed_of({"fire": (30, range(10, 20))})
    right, again = found("fire", 35, ["p10"]), found("more", 40, ["p11"])
    false = [found("no", 40, ["p1"])]
    ranked = [[right], [right, *false], [right, again], false, [right, *3 * false]]
    merits = [score(feed, events).merit for events in ranked]
    assert merits == sorted(merits, reverse=True)
    assert len(set(merits)) == len(merits)


def given_scorer(gold, events):
    """What the scorer that the project was given says of the same files; it is a program, not a library."""
    path = data_folder().parent / "tools" / "event_feed.py"
    if not path.exists():
        pytest.skip(f"{path}: the scorer that the project was given is not there")
    done = subprocess.run([sys.executable, path, "score", gold, events], capture_output=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("detected", [DETECTED, DETECTED[1:3], DETECTED[3:], []])
def test_the_given_scorer_says_the_same(tmp_path, detected):
    feed = feed_of({"fire": (30, range(10, 20)), "flood": (60, range(30, 40))})
    write_feed(feed, tmp_path)
    lines = [json.dumps(event_document(event)) for event in detected]
    (tmp_path / "events.jsonl").write_text("\n".join(lines))
    theirs = given_scorer(tmp_path / "gold.json", tmp_path / "events.jsonl")
    assert score_document(score(read_feed(tmp_path), detected)) == theirs
