"""Near-copies: posts whose sketches of word runs overlap by a third.

A sketch holds the smallest hashes of a text's word runs (bottom-k), so the share of equal hashes among the smallest of
both is an estimate of the share of runs that the texts have in common.
"""

from collections.abc import Iterable
from typing import Any

from tagstream.detections import MAX_SHINGLES

SIMILARITY = 0.33
"""Two texts that each change two words in fourteen of a third share 0.4; independent posts on one event 0.1 to 0.2."""
LOOKED_UP = 8
"""The smallest hashes by which copies are looked up: of texts that share 0.4, one in sixty shares none of them."""
COMPARED = 6
"""The groups with which a text is compared, those that share most of its smallest hashes."""
MAX_HOLDERS = 8
"""The newest groups that are looked up by one hash: a common word leads to many, a rare one to the right one."""
KEPT_MINUTES = 60
"""A group lasts as long as copies of it keep coming, and these minutes more: those of the longest window."""
MAX_GROUPS = 40_000


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


class CopyGroups:
    """Groups of near-copies: a text joins the group whose first text it resembles most.

    What it says depends on the order of the texts, so callers give the texts of a minute in order of id.
    """

    def __init__(self) -> None:
        self._next = 0
        self._leaders: dict[int, tuple[frozenset[int], int]] = {}  # group -> first text, last minute; oldest first
        self._holders: dict[int, list[int]] = {}

    def group_of(self, sketch: tuple[int, ...], minute: int) -> int:
        """Returns the number of the group of a text, a new one if it resembles none."""
        hashes = frozenset(sketch)
        group = self._resembled(hashes, sketch)
        if group is None:
            group = self._next
            self._next += 1
            self._hold(group, sketch)
            self._leaders[group] = (hashes, minute)
        else:
            leader, _ = self._leaders.pop(group)
            self._leaders[group] = (leader, minute)  # to the end: it is the newest again
        return group

    def _resembled(self, hashes: frozenset[int], sketch: tuple[int, ...]) -> int | None:
        shared: dict[int, int] = {}
        for number in sketch[:LOOKED_UP]:
            for group in self._holders.get(number, ()):
                shared[group] = shared.get(group, 0) + 1
        likeliest = sorted(shared, key=lambda group: (-shared[group], group))[:COMPARED]
        for group in likeliest:
            if similarity(hashes, self._leaders[group][0]) >= SIMILARITY:
                return group
        return None

    def _hold(self, group: int, sketch: Iterable[int]) -> None:
        for number in list(sketch)[:LOOKED_UP]:
            holders = self._holders.setdefault(number, [])
            holders.append(group)
            if len(holders) > MAX_HOLDERS:
                del holders[0]

    def forget(self, minute: int) -> None:
        """Forgets groups without a copy for long, and the oldest of too many."""
        while self._leaders:
            group, (_, last) = next(iter(self._leaders.items()))
            if last > minute - KEPT_MINUTES and len(self._leaders) <= MAX_GROUPS:
                return
            self.remove(group)

    def remove(self, group: int) -> None:
        """Removes a group; one that is not there is passed over."""
        leader, _ = self._leaders.pop(group, (frozenset[int](), 0))
        for number in sorted(leader)[:LOOKED_UP]:
            holders = self._holders.get(number, [])
            if group in holders:
                holders.remove(group)
            if not holders:
                self._holders.pop(number, None)

    def state(self) -> list[Any]:
        leaders = []
        for group, (leader, last) in self._leaders.items():
            hashes = sorted(leader)
            held = [group in self._holders.get(number, ()) for number in hashes[:LOOKED_UP]]
            leaders.append([group, hashes, last, held])
        return [self._next, leaders]

    @classmethod
    def of(cls, state: Any) -> "CopyGroups":
        groups = cls()
        groups._next, leaders = state
        for group, hashes, _, held in sorted(leaders):
            groups._hold(group, (number for number, is_held in zip(hashes, held, strict=False) if is_held))
        groups._leaders = {group: (frozenset(hashes), last) for group, hashes, last, _ in leaders}
        return groups
