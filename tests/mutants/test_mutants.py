"""No mutant survives: `docs/explanation/invariants.md` names the invariant that each one breaks."""

import pytest
from mutation import catalogue, copy_project, run_tests


@pytest.mark.parametrize("mutant", catalogue(), ids=lambda mutant: mutant.name)
def test_the_break_is_caught(mutant, tmp_path):
    copy_project(tmp_path)
    mutant.apply(tmp_path)
    assert run_tests(tmp_path, mutant.killed_by) == 1, f"{mutant.killed_by} passes although {mutant.failure}"


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    tree = tmp_path_factory.mktemp("unbroken")
    copy_project(tree)
    return tree


def test_the_same_tests_pass_on_an_unbroken_copy(unbroken):
    nodes = " ".join(dict.fromkeys(mutant.killed_by for mutant in catalogue()))
    assert run_tests(unbroken, nodes) == 0
