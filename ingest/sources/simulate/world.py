"""Who posts: the authors of a seed, a few of them very often."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from ingest.sources.simulate.random import Random
from ingest.sources.simulate.vocabulary import Noun, nouns

AUTHORS = 2_000


@dataclass(frozen=True, slots=True)
class Person:
    """An author of the feed."""

    id: str
    handle: str


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """What stays the same throughout a feed; one object a seed, compared by identity.

    `reach[n]` is how active the first n + 1 authors are together.
    """

    seed: int
    authors: tuple[Person, ...]
    reach: tuple[float, ...]

    def pick_author(self, random: Random) -> Person:
        """By Zipf's law: the second is half as active as the first, the third a third, and so on."""
        return self.authors[bisect_right(self.reach, random.share() * self.reach[-1])]


@lru_cache(maxsize=8)
def world_of(seed: int) -> World:
    random = Random(f"{seed}/world")
    authors = tuple(Person(f"{seed}-u{number}", _handle(random, number)) for number in range(AUTHORS))
    reach = tuple(accumulate(1 / rank for rank in range(1, AUTHORS + 1)))
    return World(seed, authors, reach)


def invented_person(random: Random) -> Noun:
    first, last = random.pick(nouns()["first"]).text, random.pick(nouns()["last"]).text
    return Noun(f"{first} {last}", "PER")


def _handle(random: Random, number: int) -> str:
    name = invented_person(random).text.lower().replace(" ", random.pick(("", "_")))
    plain = "".join(letter for letter in name if letter.isascii() and (letter.isalnum() or letter == "_"))
    return f"{plain}{number}"
