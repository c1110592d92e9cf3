"""In what order a reader gets to see what happened: late, twice, shuffled, but everything at least once.

A delivery is late by less than a chapter. So what a chapter still owes at its end is all delivered during the next
one, and a reader can begin at any chapter by looking at the one before it.
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
    """How many chapters a feed of that many posts has."""
    return -(-posts // POSTS_PER_CHAPTER)


@lru_cache(maxsize=4)  # each chapter is looked at twice: for itself, and for what it owes to the next
def nth_chapter(world: World, number: int, posts: int) -> Chapter:
    """The chapter of that number in a feed of that many posts; the last one may be shorter."""
    return chapter_of(world, number, min(POSTS_PER_CHAPTER, posts - number * POSTS_PER_CHAPTER))


def deliveries(world: World, number: int, posts: int) -> list[NetworkEvent]:
    """What is delivered during a chapter, in order: its own events and what the one before it still owes."""
    chapter = nth_chapter(world, number, posts)
    due = list(_due(world, chapter))
    if number < chapter_count(posts) - 1:
        due = [(place, event) for place, event in due if place < len(chapter.events)]
    if number > 0:
        earlier = nth_chapter(world, number - 1, posts)
        end = len(earlier.events)
        due += [(place - end, event) for place, event in _due(world, earlier) if place >= end]
    due.sort(key=lambda entry: (entry[0], entry[1].position))
    return [event for _, event in due]


def _due(world: World, chapter: Chapter) -> Iterator[tuple[int, NetworkEvent]]:
    """Every delivery of the chapter's events and its place, counted in events from the chapter's start."""
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
