"""docs/explanation/invariants.md speaks of what exists: every test it names, every break, and no break is left out."""

import re
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
PAGE = (REPOSITORY / "docs/explanation/invariants.md").read_text(encoding="utf-8")
ROWS = [row for row in PAGE.splitlines() if row.startswith("| ") and "**" in row]
MUTANTS = tomllib.loads((REPOSITORY / "tests/mutants/catalogue.toml").read_text(encoding="utf-8"))["mutant"]


def test_every_test_that_is_named_exists():
    named = re.findall(r"`((?:tests|search/testing|tagstream/testing)/[\w/.]+)::(\w+)`", PAGE)
    assert len(named) >= len(ROWS) > 10
    for file, function in named:
        assert f"def {function}(" in (REPOSITORY / file).read_text(encoding="utf-8"), f"{file} has no {function}"


def test_every_row_has_a_break_and_every_break_a_row():
    broken = [re.findall(r"`(\d{2,3}_\w+)`", row) for row in ROWS]
    assert all(broken)
    assert {name for names in broken for name in names} == {mutant["name"] for mutant in MUTANTS}


def test_every_file_that_is_named_exists():
    for row in ROWS:
        for file in re.findall(r"`((?:workers|search|tagstream|ingest)/[\w/.]+)`", row):
            assert (REPOSITORY / file).is_file(), file


def test_the_text_of_every_break_stands_once_in_its_file():
    """One whose text is gone breaks nothing; `make test-deep` would say so much later."""
    for mutant in MUTANTS:
        stands = (REPOSITORY / mutant["file"]).read_text(encoding="utf-8").count(mutant["before"])
        assert stands == 1, f"{mutant['name']}: {stands} times in {mutant['file']}"
