"""The planted events of a simulated feed, as the detectors find them: every one, soon, and no other."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from oracle import PlantedEvent, chapters, truth

from ingest.sources.simulate.delivery import chapter_count
from ingest.sources.simulate.source import events_of
from search.detection.chain import DetectionChain
from search.events.subjects import mentions_of
from tagstream.detections import DetectedEvent
from tagstream.posts import Entity, Post, SegmentedHashtag, TaggedPost, from_epoch_milliseconds
from tagstream.text.entity_keys import fold_key
from workers.hashtags.segmenter import HashtagSegmenter

SEEDS = (2026, 7, 1)
POSTS = 1_500
OBSERVED_AT = datetime(2024, 3, 7, tzinfo=UTC)
SOON = timedelta(minutes=15)
SEGMENTER = HashtagSegmenter.load()


@cache
def tagged_posts(seed: int) -> list[TaggedPost]:
    """The posts in the order of their delivery, each once, with the names that their texts are known to hold."""
    names = {
        (event.position, event.revision): event.names if event.known else ()
        for chapter in chapters(seed, POSTS)
        for event in chapter.events
        if hasattr(event, "names")
    }
    posts: dict[tuple[str, int], Post] = {}
    for number in range(chapter_count(POSTS)):
        for post in events_of(seed, number, POSTS):
            if isinstance(post, Post):
                posts.setdefault((post.id, post.revision), post)
    return [tagged(post, names[post.position, post.revision]) for post in posts.values()]


def tagged(post: Post, names) -> TaggedPost:
    entities = [(post.text[name.start : name.end], name) for name in names]
    return TaggedPost(
        **{name: getattr(post, name) for name in ("id", "source", "author", "created_at", "revision", "text", "lang")},
        entities=tuple(
            Entity(
                text=text,
                type=name.type,
                start=name.start,
                end=name.end,
                score=1.0,
                in_hashtag=name.in_hashtag,
                key=fold_key(text),
            )
            for text, name in entities
        ),
        hashtags=tuple(
            SegmentedHashtag(text=one.text, start=one.start, end=one.end, words=SEGMENTER.segment(one.text))
            for one in post.hashtags
        ),
        model="truth@1",
        generation=2,
    )


def as_stored(posts: list[TaggedPost]) -> list[TaggedPost]:
    """What a rebuild reads: the newest revision of each post, in order of time."""
    newest = {post.id: post for post in sorted(posts, key=lambda post: post.revision)}
    return sorted(newest.values(), key=lambda post: min(post.created_at, OBSERVED_AT))


def detected(posts: list[TaggedPost]) -> list[DetectedEvent]:
    """The newest state of each event that stands for itself."""
    chain = DetectionChain()
    minutes = [closed for post in posts for closed in chain.take([mentions_of(post, OBSERVED_AT)])] + chain.finish()
    newest = {event.id: event for closed in minutes for event in closed.events}
    return [event for event in newest.values() if event.merged_into is None]


def is_of(event: DetectedEvent, planted: PlantedEvent) -> bool:
    keys = {fold_key(name) for name, _ in planted.names}
    begun = from_epoch_milliseconds(planted.start_ms)
    return begun <= event.detected_at <= begun + SOON and fold_key(event.names[0]) in keys


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("read", [list, as_stored], ids=["as_it_came", "rebuilt"])
def test_every_planted_event_is_found_soon_and_no_other(
    seed: int, read: Callable[[list[TaggedPost]], list[TaggedPost]]
) -> None:
    planted, found = truth(seed, POSTS).events, detected(read(tagged_posts(seed)))
    assert len(planted) == 5
    assert [one.names for one in planted if not any(is_of(event, one) for event in found)] == []
    assert [event.names for event in found if not any(is_of(event, one) for one in planted)] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_the_posts_about_an_event_are_of_many_authors_and_no_copies(seed: int) -> None:
    posts = {post.id: post for post in tagged_posts(seed)}
    for chapter in chapters(seed, POSTS):
        about = [
            posts[f"simulate:{event.id}"]
            for event in chapter.events
            if getattr(event, "content", "") == "burst" and f"simulate:{event.id}" in posts and not event.revision
        ]
        if not about:
            continue
        words = {
            frozenset(one.key for one in mentions_of(post, OBSERVED_AT).subjects if one.type == "WORD")
            for post in about
        }
        assert len(words) >= 0.8 * len(about)
        assert len({post.author.id for post in about if post.author}) >= 0.9 * len(about) - 5
        hashtags = Counter(hashtag.text.lower() for post in about for hashtag in post.hashtags)
        assert len(hashtags) >= 5
