"""The parts in which deep tests may be tried: together they are all of them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from parts import MANY_CASES, tried_in


def items(path: str, cases: int) -> list[Any]:
    return [SimpleNamespace(path=Path(path), nodeid=f"{path}::test_it[{number}]") for number in range(cases)]


def test_three_parts_try_every_case_once() -> None:
    many = items("/x/tests/deep/test_a.py", 100)
    tried = [list(tried_in(f"{number}/3", many)) for number in (1, 2, 3)]
    assert [sum(one) for one in zip(*tried, strict=True)] == [1] * 100


def test_what_has_few_cases_or_is_not_deep_is_in_every_part() -> None:
    few, shallow = items("/x/tests/mutants/test_b.py", MANY_CASES - 1), items("/x/tests/unit/test_c.py", 100)
    assert all(tried_in("1/3", [*few, *shallow]))
