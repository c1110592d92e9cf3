"""In what order a reader gets to see what happened: late, twice, shuffled, but everything at least once.

A delivery is late by less than a chapter. So what a chapter still owes at its end is all delivered during the next
one, and a reader can begin at any chapter by looking at the one before it.
"""

from collections.abc import Iterator
from functools import lru_cache

from ingest.sources.simulate.events import Happening, Published, Restored, Suspended
from ingest.sources.simulate.network import POSTS_PER_CHAPTER, Chapter, chapter_of
from ingest.sources.simulate.random import Dice
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


def deliveries(world: World, number: int, posts: int) -> list[Happening]:
    """What is delivered during a chapter, in order: its own happenings and what the one before it still owes."""
    chapter = nth_chapter(world, number, posts)
    due = list(_due(world, chapter))
    if number < chapter_count(posts) - 1:
        due = [(place, happening) for place, happening in due if place < len(chapter.happenings)]
    if number > 0:
        earlier = nth_chapter(world, number - 1, posts)
        end = len(earlier.happenings)
        due += [(place - end, happening) for place, happening in _due(world, earlier) if place >= end]
    due.sort(key=lambda entry: (entry[0], entry[1].position))
    return [happening for _, happening in due]


def _due(world: World, chapter: Chapter) -> Iterator[tuple[int, Happening]]:
    """Every delivery of the chapter's happenings and its place, counted in happenings from the chapter's start."""
    dice = Dice(f"{world.seed}/{chapter.number}/delivery")
    for index, happening in enumerate(chapter.happenings):
        yield index + _delay(dice, happening), happening
        closing = isinstance(happening, Published) and happening.fate == "account_closed"
        if closing or isinstance(happening, Suspended | Restored) or dice.chance(0.05):
            yield index + dice.between(*AGAIN), happening


def _delay(dice: Dice, happening: Happening) -> int:
    if isinstance(happening, Published):
        if happening.fate == "deleted_before_arrival":
            return dice.between(*AFTER_ITS_DELETION)
        if happening.fate == "account_closed" and happening.revision == 0:
            return dice.between(*LATE)
    if dice.chance(0.4 if isinstance(happening, Suspended | Restored) else 0.06):
        return dice.between(*LATE)
    return dice.between(*SHUFFLED) if dice.chance(0.1) else 0
