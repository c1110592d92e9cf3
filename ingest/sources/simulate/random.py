"""Chance that is the same everywhere: all draws come from `random()`, whose sequence Python promises to keep."""

import random
from collections.abc import MutableSequence, Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Random:
    """Draws from a named sequence: the same name, the same draws."""

    def __init__(self, name: str) -> None:
        self._generator = random.Random(name).random

    def chance(self, probability: float) -> bool:
        return self._generator() < probability

    def share(self) -> float:
        """A number from 0 up to but not including 1."""
        return self._generator()

    def between(self, least: int, most: int) -> int:
        """A whole number from `least` to `most`, both included."""
        return least + int(self._generator() * (most - least + 1))

    def pick(self, items: Sequence[Item]) -> Item:
        return items[int(self._generator() * len(items))]

    def shuffle(self, items: MutableSequence[Item]) -> None:
        for last in range(len(items) - 1, 0, -1):
            other = int(self._generator() * (last + 1))
            items[last], items[other] = items[other], items[last]

    def deal(self, quotas: Sequence[tuple[Item, int]], rest: Item, size: int) -> list[Item]:
        """A shuffled deck of exactly `size` cards: each kind as often as its quota says, `rest` the others."""
        deck = [kind for kind, count in quotas for _ in range(count)]
        deck += [rest] * (size - len(deck))
        self.shuffle(deck)
        return deck
