"""The feeds with known events: what is planted, what is known of it, and that nothing but the seed decides."""

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from tagstream.errors import UnreadableInput
from training.events.cases import moved
from training.events.corpora import RealEvent, Tweet, crisislex_t6, tweet_milliseconds
from training.events.feed import START, FeedPlan, build_feed, read_feed, write_feed
from training.events.noise import NOISE, changed_copies, noise_of, one_text

FLOOD = RealEvent("flood", tuple(Tweet(1_000_000 + 60_000 * number, f"flood {number}") for number in range(300)))
FIRE = RealEvent("fire", tuple(Tweet(5_000 + 3_600_000 * number, f"fire {number}") for number in range(50)))
EVERYDAY = [f"everyday {number}" for number in range(5_000)]
PLAN = FeedPlan(seed=5, a_day=500, event_posts=200)


def built(plan=PLAN, noise=()):
    return build_feed("test", plan, [FLOOD, FIRE], EVERYDAY, noise)


def test_each_event_has_a_day_and_its_onset_is_the_tenth_post():
    feed = built()
    assert feed.days == 3
    assert [post.created_at for post in feed.posts] == sorted(post.created_at for post in feed.posts)
    texts = {post.id: post for post in feed.posts}
    for day, (known, count) in enumerate(zip(feed.events, (200, 50), strict=True)):
        mine = [texts[identifier] for identifier in known.posts]
        assert len(mine) == count
        assert all(post.text.startswith(known.name) for post in mine)
        assert known.onset == sorted(post.created_at for post in mine)[9]
        assert START + timedelta(days=day, hours=3) <= mine[0].created_at < START + timedelta(days=day, hours=12)
        assert len({post.author for post in mine}) == count


@pytest.mark.parametrize("hours", [2.0, 6.0])
def test_nine_tenths_of_an_event_lie_within_its_hours(hours):
    feed = built(replace(PLAN, hours=hours))
    times = {post.id: post.created_at for post in feed.posts}
    for known in feed.events:
        ordered = sorted(times[identifier] for identifier in known.posts)
        nine_tenths = ordered[len(ordered) * 9 // 10] - ordered[0]
        assert abs(nine_tenths - timedelta(hours=hours)) < timedelta(hours=hours * 0.06)


def test_the_rest_of_a_feed_is_everyday_posts_at_the_given_rate():
    everyday = [post for post in built().posts if post.text.startswith("everyday")]
    assert len(everyday) == 1_500
    assert len({post.text for post in everyday}) == 1_500
    assert 0 < len([post for post in everyday if post.created_at.hour < 4]) < len(everyday) / 6


def test_the_seed_decides_everything():
    assert built() == built()
    assert built() != built(replace(PLAN, seed=6))


def test_events_that_are_together_start_within_an_hour_of_each_other():
    feed = built(replace(PLAN, together=True))
    assert feed.days == 2
    times = {post.id: post.created_at for post in feed.posts}
    first, second = (min(times[identifier] for identifier in event.posts) for event in feed.events)
    assert abs(first - second) < timedelta(hours=1)


def test_a_feed_is_read_as_it_was_written(tmp_path):
    feed = replace(built(), name=tmp_path.name)
    write_feed(feed, tmp_path)
    assert read_feed(tmp_path) == feed


def test_a_folder_without_a_feed_is_named(tmp_path):
    with pytest.raises(UnreadableInput, match=tmp_path.name):
        read_feed(tmp_path)


def test_noise_is_one_author_or_one_text():
    assert len({post.author for post in NOISE["one_account"](0, Random(1))}) == 1
    copies = list(one_text(2, Random(1)))
    assert len({post.text for post in copies}) == 1
    assert len({post.author for post in copies}) == 200
    army = list(changed_copies(0, Random(1)))
    assert len({post.author for post in army}) == 500
    assert len({post.text for post in army}) > 300


def test_noise_comes_every_second_day():
    days = {post.offset // timedelta(days=1) for post in noise_of(["one_text"], 5, seed=1)}
    assert days == {0, 2, 4}


def test_an_event_is_moved_by_renaming_its_places():
    event = RealEvent("flood", (Tweet(1, "Floods in Queensland #QueenslandFloods"),))
    assert moved(event, ("queensland",), "Texas").tweets == (Tweet(1, "Floods in Texas #TexasFloods"),)


def test_the_time_of_a_tweet_is_in_its_id():
    assert tweet_milliseconds(323_900_000_000_000_000) == (323_900_000_000_000_000 >> 22) + 1_288_834_974_657


def test_only_tweets_on_topic_are_of_an_event(tmp_path):
    folder = tmp_path / "events" / "crisislex_t6" / "2013_Fire"
    folder.mkdir(parents=True)
    rows = ["tweet id, tweet, label", "'9000000000',\"a fire, here\",on-topic", "'8000000000',lunch,off-topic"]
    (folder / "fire.csv").write_text("\n".join(rows))
    assert [(event.name, [tweet.text for tweet in event.tweets]) for event in crisislex_t6(tmp_path)] == [
        ("2013_Fire", ["a fire, here"])
    ]
    with pytest.raises(UnreadableInput, match="TAGSTREAM_DATA"):
        crisislex_t6(tmp_path / "absent")
