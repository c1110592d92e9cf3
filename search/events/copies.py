"""Near-copies: posts whose sketches of word runs overlap by half.

A sketch holds the smallest hashes of a text's word runs (bottom-k), so the share of equal hashes among the smallest of
both is an estimate of the share of runs that the texts have in common.
"""

from collections.abc import Iterable, Sequence

from tagstream.detections import MAX_SHINGLES

SIMILARITY = 0.5
"""Texts of one army differ in a few words and share 0.6 or more; independent posts on one event share 0.1 to 0.3."""

Sketch = Sequence[int]


def similarity(first: frozenset[int], second: frozenset[int]) -> float:
    """Returns the estimated share of word runs that two texts have in common; 1 for two texts without words."""
    union = first | second
    if not union:
        return 1.0
    if len(union) > MAX_SHINGLES:
        union = frozenset(sorted(union)[:MAX_SHINGLES])
    return len(first & second & union) / len(union)


def groups_of_copies(sketches: Iterable[Sketch]) -> list[int]:
    """Returns for each sketch the number of its group of near-copies, in order of first appearance.

    A text joins the first group whose first text it resembles, so the groups depend on the order: callers sort.
    """
    leaders: list[frozenset[int]] = []
    holders: dict[int, list[int]] = {}  # hash -> groups whose leader has it
    exact: dict[Sketch, int] = {}
    groups = []
    for sketch in sketches:
        known = exact.get(sketch)
        if known is None:
            hashes = frozenset(sketch)
            known = _resembled(hashes, leaders, holders)
            if known is None:
                known = len(leaders)
                leaders.append(hashes)
                for number in hashes:
                    holders.setdefault(number, []).append(known)
            exact[sketch] = known
        groups.append(known)
    return groups


def _resembled(hashes: frozenset[int], leaders: list[frozenset[int]], holders: dict[int, list[int]]) -> int | None:
    shared: dict[int, int] = {}
    for number in hashes:
        for group in holders.get(number, ()):
            shared[group] = shared.get(group, 0) + 1
    # Fewer hashes in common than this cannot be a similarity of SIMILARITY.
    enough = SIMILARITY * len(hashes)
    for group in sorted(group for group, count in shared.items() if count >= enough):
        if similarity(hashes, leaders[group]) >= SIMILARITY:
            return group
    return None
