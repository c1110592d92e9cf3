"""The back-off: doubling, capped, jittered; and that no other file has a formula of its own."""

import re
from pathlib import Path

import pytest

from tagstream.runtime.backoff import BackOff

ROOT = Path(__file__).parents[4]
PACKAGES = ("tagstream", "ingest", "search", "workers", "ops")


def test_the_wait_doubles_up_to_its_cap() -> None:
    back_off = BackOff(0.1, 10.0)
    assert [back_off.full(failures) for failures in (1, 2, 3, 8)] == [0.1, 0.2, 0.4, 10.0]
    assert back_off.full(1_000_000) == 10.0


@pytest.mark.parametrize(
    ("jitter", "shortest", "longest"), [(0.0, 4.0, 4.0), (0.5, 2.0, 4.0), (1.0, 0.0, 4.0), (0.1, 3.6, 4.0)]
)
def test_the_jitter_is_the_share_that_is_drawn(jitter: float, shortest: float, longest: float) -> None:
    back_off = BackOff(1.0, 60.0, jitter)
    assert back_off.delay(3, chance=0.0) == pytest.approx(shortest)
    assert back_off.delay(3, chance=1.0) == pytest.approx(longest)


def test_waits_are_drawn_and_stay_within_their_bounds() -> None:
    waits = {BackOff(0.5, 8.0).delay(4) for _ in range(200)}
    assert len(waits) > 100
    assert all(2.0 <= wait <= 4.0 for wait in waits)


def test_no_other_file_computes_a_back_off() -> None:
    exponential = re.compile(r"2(\.0)? ?\*\* ?(min\()?(self\._)?(attempt|failures|failed|tries)")
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    assert len(files) > 100
    guilty = [file.name for file in files if exponential.search(file.read_text()) and file.name != "backoff.py"]
    assert not guilty
