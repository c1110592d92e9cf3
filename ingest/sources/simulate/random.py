"""Random draws that are the same everywhere: all come from `random()`, whose sequence Python promises to keep."""

import random
from collections.abc import MutableSequence, Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Random:
    """A named sequence of draws: the same name gives the same draws."""

    def __init__(self, name: str) -> None:
        self._generator = random.Random(name).random

    def chance(self, probability: float) -> bool:
        """Returns True with this probability."""
        return self._generator() < probability

    def share(self) -> float:
        """Draws a number from 0 up to but not including 1."""
        return self._generator()

    def between(self, least: int, most: int) -> int:
        """Draws a whole number from `least` to `most`, both included."""
        return least + int(self._generator() * (most - least + 1))

    def pick(self, items: Sequence[Item]) -> Item:
        """Draws one of the items."""
        return items[int(self._generator() * len(items))]

    def shuffle(self, items: MutableSequence[Item]) -> None:
        """Shuffles the items in place."""
        for last in range(len(items) - 1, 0, -1):
            other = int(self._generator() * (last + 1))
            items[last], items[other] = items[other], items[last]

    def deal(self, quotas: Sequence[tuple[Item, int]], rest: Item, size: int) -> list[Item]:
        """Returns a shuffled list of exactly `size` items: each kind as often as its quota says, the others `rest`."""
        deck = [kind for kind, count in quotas for _ in range(count)]
        deck += [rest] * (size - len(deck))
        self.shuffle(deck)
        return deck
