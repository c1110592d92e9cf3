"""docs/reference/index-contract.md and the contract suite number the same promises."""

import re
from pathlib import Path

from search.testing.index_contract import IndexContract

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "index-contract.md"


def test_every_promise_has_its_scenario_and_the_other_way_round() -> None:
    promised = re.findall(r"^- \*\*(\d+[a-z])\*\*", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    held = {match[1] for name in dir(IndexContract) if (match := re.match(r"test_(\d+[a-z])_", name))}
    assert len(promised) == len(set(promised))
    assert set(promised) == held
