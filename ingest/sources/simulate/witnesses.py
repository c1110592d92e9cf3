"""The posts about a planted event: as various as those of many people who see one thing, and no template.

Each is a sentence about the event and often a remark of its author's own, with the hashtags of the event. Sentences and
remarks are dealt like cards, so that one comes again only when all of its kind have been written.
"""

import re
from collections.abc import Sequence
from typing import Generic

from ingest.sources.simulate.bursts import Burst
from ingest.sources.simulate.random import Item, Random
from ingest.sources.simulate.vocabulary import Noun, Sentence, nouns, sentences
from ingest.sources.simulate.world import World
from ingest.sources.simulate.writing import Draft, Piece, fill, untidy

_REMARKS = 0.8
"""The share of the posts that hold a remark."""
_REMARKS_FIRST = 0.3


class Witnesses:
    """The people who write about one planted event."""

    def __init__(self, random: Random, world: World, burst: Burst) -> None:
        self._random = random
        self._world = world
        self._burst = burst
        self._tags = _tags(random, burst)
        self._sentences = _Deck(random, sentences()[f"event:{burst.kind}"])
        self._remarks = _Deck(random, (*sentences()[f"remark:{burst.kind}"], *sentences()["remark:any"]))

    def draft(self) -> Draft:
        """Drafts the next post."""
        random = self._random
        pieces = self._filled(self._sentences)
        if random.chance(_REMARKS):
            remark, between = self._filled(self._remarks), Piece(random.pick((". ", " ", " - ", "\n", "! ", "... ")))
            pieces = (*remark, between, *pieces) if random.chance(_REMARKS_FIRST) else (*pieces, between, *remark)
        return untidy(random, Draft(pieces), tags=self._tags)

    def _filled(self, deck: "_Deck[Sentence]") -> tuple[Piece, ...]:
        return fill(self._random, self._world, deck.next(), self._burst.nouns).pieces


def _tags(random: Random, burst: Burst) -> tuple[Noun, ...]:
    """Returns the hashtags of an event: those of its kind, and one of its own (#LimaQuake), which is used most."""
    of_kind = nouns()[f"{burst.kind}_tag"]
    leading = next(iter(burst.nouns.values()))[0].text
    own = "".join(word[:1].upper() + word[1:] for word in re.findall(r"\w+", f"{leading} {random.pick(of_kind).text}"))
    return (*of_kind, *[Noun(own, None)] * len(of_kind))


class _Deck(Generic[Item]):
    """Items in random order, each once before any comes again."""

    def __init__(self, random: Random, items: Sequence[Item]) -> None:
        self._random = random
        self._items = items
        self._left: list[Item] = []

    def next(self) -> Item:
        if not self._left:
            self._left = list(self._items)
            self._random.shuffle(self._left)
        return self._left.pop()
