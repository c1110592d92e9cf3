"""The authors of a seed, a few of whom write very often."""

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
    """The part of a feed that never changes; one object for each seed, compared by identity.

    `reach[n]` is how active the first n + 1 authors are together.
    """

    seed: int
    authors: tuple[Person, ...]
    reach: tuple[float, ...]

    def pick_author(self, random: Random) -> Person:
        """Draws an author by Zipf's law: the second is half as active as the first, the third a third, and so on."""
        return self.authors[bisect_right(self.reach, random.share() * self.reach[-1])]


@lru_cache(maxsize=8)
def world_of(seed: int) -> World:
    """Returns the world of a seed."""
    random = Random(f"{seed}/world")
    authors = tuple(Person(f"{seed}-u{number}", _handle(random, number)) for number in range(AUTHORS))
    reach = tuple(accumulate(1 / rank for rank in range(1, AUTHORS + 1)))
    return World(seed, authors, reach)


def invented_person(random: Random) -> Noun:
    """Draws a first and a last name."""
    first, last = random.pick(nouns()["first"]).text, random.pick(nouns()["last"]).text
    return Noun(f"{first} {last}", "PER")


def _handle(random: Random, number: int) -> str:
    name = invented_person(random).text.lower().replace(" ", random.pick(("", "_")))
    plain = "".join(letter for letter in name if letter.isascii() and (letter.isalnum() or letter == "_"))
    return f"{plain}{number}"
