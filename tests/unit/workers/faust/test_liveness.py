"""Liveness is progress."""

import pytest

from workers.faust.liveness import LagMonitor, PartitionLag

ONE = ("posts", 0)
LIMIT = 10.0


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def watched(*looks: tuple[float, int | None, int, bool]) -> bool:
    """Whether the partition counts as stuck after looks of (seconds since the last, committed, end, excused)."""
    clock = Clock()
    watch = LagMonitor(LIMIT, clock)
    for seconds, committed, end, excused in looks:
        clock.now += seconds
        watch.observe({ONE: PartitionLag(committed, 0, end)}, excused=excused)
    return watch.stuck == (ONE,)


@pytest.mark.parametrize(
    ("looks", "stuck"),
    [
        ([(0, None, 5, False), (10, None, 5, False)], True),
        ([(0, 2, 5, False), (10, 2, 9, False)], True),
        ([(0, None, 5, False), (9, None, 5, False)], False),
        ([(0, 2, 5, False), (9, 3, 5, False), (9, 3, 5, False)], False),
        ([(0, 5, 5, False), (100, 5, 5, False)], False),
        ([(0, 5, 5, False), (100, 5, 5, False), (1, 5, 6, False), (9, 5, 6, False)], False),
        ([(0, 2, 5, False), (100, 2, 5, True)], False),
        ([(0, 2, 5, False), (100, 2, 5, True), (9, 2, 5, False)], False),
        ([(0, 2, 5, False), (100, 2, 5, True), (10, 2, 5, False), (10, 2, 5, False)], True),
    ],
)
def test_stuck_is_work_without_a_commit_and_without_an_excuse(
    looks: list[tuple[float, int | None, int, bool]], stuck: bool
) -> None:
    assert watched(*looks) is stuck


def test_a_partition_that_comes_new_gets_its_time_and_one_that_goes_is_forgotten() -> None:
    clock = Clock()
    watch = LagMonitor(LIMIT, clock)
    watch.observe({ONE: PartitionLag(0, 0, 5)}, excused=False)
    clock.now += LIMIT
    watch.observe({("posts", 1): PartitionLag(0, 0, 5)}, excused=False)
    assert watch.stuck == ()
    watch.observe({ONE: PartitionLag(0, 0, 5)}, excused=False)
    assert watch.stuck == ()


def test_a_broker_that_does_not_answer_is_an_excuse() -> None:
    clock = Clock()
    watch = LagMonitor(LIMIT, clock)
    watch.observe({ONE: PartitionLag(0, 0, 5)}, excused=False)
    clock.now += LIMIT
    watch.excuse()
    assert watch.stuck == ()


def test_records_that_retention_took_are_no_lag() -> None:
    assert (PartitionLag(None, 40, 50).lag, PartitionLag(10, 40, 50).lag, PartitionLag(50, 40, 50).lag) == (10, 10, 0)


def test_no_commit_is_expected_of_a_topic_whose_work_has_ended() -> None:
    clock = Clock()
    watch = LagMonitor(LIMIT, clock)
    for _ in range(2):
        watch.observe(
            {ONE: PartitionLag(2, 0, 5), ("mentions", 0): PartitionLag(2, 0, 5)}, excused=False, ended={"mentions"}
        )
        clock.now += LIMIT
    watch.observe(watch.lags, excused=False, ended={"mentions"})
    assert watch.stuck == (ONE,)
    assert watch.lags[("mentions", 0)].lag == 3
