"""The order in which a reader sees the network's events: late, twice, shuffled, but every event at least once.

A delivery is late by less than a chapter. So everything that is still due at the end of a chapter is delivered during
the next one, and a reader can begin at any chapter by looking at the one before it.
"""

from collections.abc import Iterator
from functools import lru_cache

from ingest.sources.simulate.network import POSTS_PER_CHAPTER, Chapter, chapter_of
from ingest.sources.simulate.network_events import AccountRestored, AccountSuspended, NetworkEvent, PostPublished
from ingest.sources.simulate.random import Random
from ingest.sources.simulate.world import World

LATE = (30, 200)
AGAIN = (1, 150)
AFTER_ITS_DELETION = (120, 220)
SHUFFLED = (1, 4)


def chapter_count(posts: int) -> int:
    """Returns the number of chapters of a feed of that many posts."""
    return -(-posts // POSTS_PER_CHAPTER)


@lru_cache(maxsize=4)  # each chapter is looked at twice: for itself, and for what it owes to the next
def nth_chapter(world: World, number: int, posts: int) -> Chapter:
    """Returns the chapter of that number in a feed of that many posts; the last one may be shorter."""
    return chapter_of(world, number, min(POSTS_PER_CHAPTER, posts - number * POSTS_PER_CHAPTER))


def deliveries(world: World, number: int, posts: int) -> list[NetworkEvent]:
    """Returns the deliveries during a chapter, in order: of its own events, and of those still due from before."""
    chapter = nth_chapter(world, number, posts)
    due = list(_due(world, chapter))
    if number < chapter_count(posts) - 1:
        due = [(delivered_at, event) for delivered_at, event in due if delivered_at < len(chapter.events)]
    if number > 0:
        earlier = nth_chapter(world, number - 1, posts)
        end = len(earlier.events)
        due += [(delivered_at - end, event) for delivered_at, event in _due(world, earlier) if delivered_at >= end]
    due.sort(key=lambda entry: (entry[0], entry[1].position))
    return [event for _, event in due]


def _due(world: World, chapter: Chapter) -> Iterator[tuple[int, NetworkEvent]]:
    """Draws every delivery of the chapter's events and its time, counted in events from the chapter's start."""
    random = Random(f"{world.seed}/{chapter.number}/delivery")
    for index, event in enumerate(chapter.events):
        yield index + _delay(random, event), event
        closing = isinstance(event, PostPublished) and event.fate == "account_closed"
        if closing or isinstance(event, AccountSuspended | AccountRestored) or random.chance(0.05):
            yield index + random.between(*AGAIN), event


def _delay(random: Random, event: NetworkEvent) -> int:
    if isinstance(event, PostPublished):
        if event.fate == "deleted_before_arrival":
            return random.between(*AFTER_ITS_DELETION)
        if event.fate == "account_closed" and event.revision == 0:
            return random.between(*LATE)
    if random.chance(0.4 if isinstance(event, AccountSuspended | AccountRestored) else 0.06):
        return random.between(*LATE)
    return random.between(*SHUFFLED) if random.chance(0.1) else 0
