"""Near-copies: posts whose sketches of word runs overlap by a third.

A sketch holds the smallest hashes of a text's word runs (bottom-k), so the share of equal hashes among the smallest of
both is an estimate of the share of runs that the texts have in common. A group keeps many of its texts as examples: 500
accounts that each change three words in fourteen make ten groups, and would make fifty by the first text alone. Who
changes four or more is often taken for one who writes a text of his own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tagstream.detections import MAX_SHINGLES

SIMILARITY = 0.33
"""Two texts that each change two words in fourteen of a third share 0.4; independent posts on one event 0.1 to 0.2."""
LOOKED_UP = 8
"""The smallest hashes by which copies are looked up: of texts that share 0.4, one in sixty shares none of them."""
COMPARED = 24
"""The examples with which a text is compared, those that share most of its smallest hashes."""
MAX_HOLDERS = 32
"""The newest examples that are looked up by one hash: a common word leads to many, a rare one to the right one."""
MAX_EXAMPLES = 40
ALIKE = 0.8
"""A copy that resembles an example so much is no example itself: it would find no others."""
KEPT_MINUTES = 60
"""A group lasts as long as copies of it keep coming, and these minutes more: those of the longest window."""
MAX_EXAMPLES_KEPT = 40_000


def similarity(first: frozenset[int], second: frozenset[int]) -> float:
    """Returns the estimated share of word runs that two texts have in common; 1 for two texts without words."""
    union = first | second
    if not union:
        return 1.0
    both = first & second
    if len(union) <= MAX_SHINGLES:
        return len(both) / len(union)
    smallest = sorted(union)[:MAX_SHINGLES]
    return len(both.intersection(smallest)) / len(smallest)


@dataclass(slots=True)
class CopyExample:
    """A text by which copies are recognised: its sketch, its group, and the minute of its newest copy."""

    sketch: tuple[int, ...]
    hashes: frozenset[int]
    group: int
    last: int


class CopyGroups:
    """Groups of near-copies: a text joins the group of the example that it resembles first.

    What it says depends on the order of the texts, so callers give the texts of a minute in order of id.
    """

    def __init__(self) -> None:
        self._next = 0
        self._examples: dict[int, CopyExample] = {}  # oldest first, by their newest copy
        self._of_group: dict[int, list[int]] = {}
        self._holders: dict[int, list[int]] = {}

    def group_of(self, sketch: tuple[int, ...], minute: int) -> int:
        """Returns the number of the group of a text, a new one if it resembles none."""
        hashes = frozenset(sketch)
        found = self._resembled(hashes, sketch)
        if found is None:
            return self._add(CopyExample(sketch, hashes, self._next, minute))
        number, alike = found
        example = self._examples.pop(number)
        example.last = minute
        self._examples[number] = example  # to the end: it is the newest again
        if alike < ALIKE and len(self._of_group[example.group]) < MAX_EXAMPLES:
            self._add(CopyExample(sketch, hashes, example.group, minute))
        return example.group

    def _add(self, example: CopyExample) -> int:
        self._examples[self._next] = example
        self._of_group.setdefault(example.group, []).append(self._next)
        self._hold(self._next, example.sketch)
        self._next += 1
        return example.group

    def _resembled(self, hashes: frozenset[int], sketch: tuple[int, ...]) -> tuple[int, float] | None:
        """Returns the likeliest example that the text resembles, and how much."""
        shared: dict[int, int] = {}
        for held in sketch[:LOOKED_UP]:
            for number in self._holders.get(held, ()):
                shared[number] = shared.get(number, 0) + 1
        # One hash alone is a common word, but where a text has few: so most posts are compared with nothing.
        least = 1 if len(sketch) < LOOKED_UP else 2
        likely = [number for number, count in shared.items() if count >= least]
        likeliest = sorted(likely, key=lambda number: (-shared[number], number))[:COMPARED]
        for number in likeliest:
            alike = similarity(hashes, self._examples[number].hashes)
            if alike >= SIMILARITY:
                return number, alike
        return None

    def _hold(self, number: int, sketch: Iterable[int]) -> None:
        for held in list(sketch)[:LOOKED_UP]:
            holders = self._holders.setdefault(held, [])
            holders.append(number)
            if len(holders) > MAX_HOLDERS:
                del holders[0]

    def forget(self, minute: int) -> None:
        """Forgets examples without a copy for long, and the oldest of too many."""
        while self._examples:
            number, example = next(iter(self._examples.items()))
            if example.last > minute - KEPT_MINUTES and len(self._examples) <= MAX_EXAMPLES_KEPT:
                return
            self._forget(number)

    def remove(self, group: int) -> None:
        """Removes a group; one that is not there is passed over."""
        for number in list(self._of_group.get(group, ())):
            self._forget(number)

    def _forget(self, number: int) -> None:
        example = self._examples.pop(number)
        others = self._of_group[example.group]
        others.remove(number)
        if not others:
            del self._of_group[example.group]
        for held in example.sketch[:LOOKED_UP]:
            holders = self._holders.get(held, [])
            if number in holders:
                holders.remove(number)
            if not holders:
                self._holders.pop(held, None)

    def state(self) -> list[Any]:
        examples = []
        for number, example in self._examples.items():
            held = [number in self._holders.get(one, ()) for one in example.sketch[:LOOKED_UP]]
            examples.append([number, example.group, example.sketch, example.last, held])
        return [self._next, examples]

    @classmethod
    def of(cls, state: Any) -> "CopyGroups":
        groups = cls()
        groups._next, examples = state
        for number, group, sketch, _, held in sorted(examples):
            groups._of_group.setdefault(group, []).append(number)
            groups._hold(number, (one for one, is_held in zip(sketch, held, strict=False) if is_held))
        groups._examples = {
            number: CopyExample(tuple(sketch), frozenset(sketch), group, last)
            for number, group, sketch, last, _ in examples
        }
        return groups
