"""The measurement of cost: feeds of a rate, ever new names, and a replay that finds what is in a small feed."""

from datetime import UTC, datetime, timedelta
from itertools import chain as joined

from feeds import feed_with_a_fire

from tagstream.posts import Author, Entity, TaggedPost
from training.events.cost import at_rate, made_up_mentions, measure_archive, memory_of_replay
from training.events.detector import found_events, replay
from training.events.score import score

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def tagged(post):
    """The post with `Rotterdam` as its only name."""
    start = post.text.find("Rotterdam")
    names = ()
    if start >= 0:
        names = (Entity(text="Rotterdam", type="LOC", start=start, end=start + 9, score=0.9, key="rotterdam"),)
    return TaggedPost(
        id=f"events:{post.id}",
        source="events",
        author=Author(id=post.author),
        created_at=post.created_at,
        text=post.text,
        entities=names,
        model="test@1",
        generation=1,
    )


def test_the_replay_finds_a_fire_and_neither_the_bot_nor_the_copied_text():
    feed = feed_with_a_fire()
    replayed = replay([tagged(post) for post in feed.posts])
    scored = score(feed, found_events(replayed, {}))
    assert (scored.found_in_time, scored.false_titles) == (1, ())
    assert replayed.cost.posts == len(feed.posts)
    assert replayed.late == 0
    assert all(event.ended_at is not None for event in replayed.events.values())


def test_an_archive_is_replayed_whole():
    feed = feed_with_a_fire()
    figures = measure_archive("small", [tagged(post) for post in feed.posts])
    assert (figures.posts, figures.days) == (len(feed.posts), 2.0)
    assert figures.events >= 1


def test_a_feed_of_a_rate_has_posts_and_authors_of_its_own_in_each_lap():
    given = [tagged(post) for post in feed_with_a_fire().posts[:10]]
    first, second = at_rate(given, per_minute=15, minutes=2, begin=NOON)
    posts = [*first, *second]
    assert len(first) == len(second) == 15
    assert len({post.id for post in posts}) == 30
    assert [post.text for post in posts] == [post.text for post in given] * 3
    assert posts[0].author != posts[10].author
    assert all(post.created_at - NOON < timedelta(minutes=1) for post in first)
    assert all(timedelta(minutes=1) <= post.created_at - NOON < timedelta(minutes=2) for post in second)


def test_each_made_up_post_names_what_no_other_does():
    minutes = list(made_up_mentions(250, posts_per_minute=100))
    assert [len(posts) for posts in minutes] == [100, 100, 50]
    assert [posts[0].minute - minutes[0][0].minute for posts in minutes] == [timedelta(minutes=n) for n in range(3)]
    names = [post.subjects[0].key for post in joined.from_iterable(minutes)]
    assert len(set(names)) == 250


def test_memory_is_noted_on_the_way():
    figures = memory_of_replay(posts_per_minute=50, count=1_000)
    assert figures.posts[0] == 0
    assert figures.posts[-1] == 1_000
    assert len(figures.posts) == len(figures.mebibytes) == 11
    assert min(figures.mebibytes) > 10
