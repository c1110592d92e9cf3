"""Parts of the deep tests: of those with many cases, a run may try every third, and another run the next ones."""

from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

MANY_CASES = 20
_DEEP = {"deep", "mutants"}


def tried_in(part: str, items: Sequence[pytest.Item]) -> Iterator[bool]:
    """Yields whether each test is tried in a part such as `2/3`."""
    number, parts = (int(one) for one in part.split("/"))
    names = [item.nodeid.partition("[")[0] for item in items]
    cases = Counter(names)
    seen = Counter[str]()
    for item, name in zip(items, names, strict=True):
        seen[name] += 1
        is_deep = bool(_DEEP.intersection(item.path.parts))
        yield not is_deep or cases[name] < MANY_CASES or seen[name] % parts == number % parts
