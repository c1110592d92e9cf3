"""When batches close: arrivals in, batches and reasons out, on a clock that only the test moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.pipeline.microbatch import CloseReason, MicroBatch, MicroBatcher

BUDGET = 64
MOST = 4
DEADLINE = 10.0


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def new_batcher(clock: Clock) -> MicroBatcher[str]:
    return MicroBatcher(token_budget=BUDGET, max_count=MOST, deadline_seconds=DEADLINE, clock=clock)


TABLE = [
    # name, arrivals (moment, item, length, sequences), batches (items, reason) in the order they close; then a drain
    ("nothing", [], []),
    ("one is drained", [(0, "a", 16, 1)], [("a", CloseReason.DRAIN)]),
    ("the budget is exactly full", [(0, "a", 32, 1), (0, "b", 32, 1)], [("ab", CloseReason.TOKENS)]),
    (
        "the next would not fit",
        [(0, "a", 16, 3), (0, "b", 16, 2)],
        [("a", CloseReason.TOKENS), ("b", CloseReason.DRAIN)],
    ),
    (
        "an oversized post is alone and blocks nobody",
        [(0, "a", 16, 1), (0, "b", 16, 9), (0, "c", 16, 1)],
        [("a", CloseReason.TOKENS), ("b", CloseReason.TOKENS), ("c", CloseReason.DRAIN)],
    ),
    (
        "lengths are kept apart",
        [(0, "a", 8, 1), (0, "b", 16, 1), (0, "c", 8, 1)],
        [("ac", CloseReason.DRAIN), ("b", CloseReason.DRAIN)],
    ),
    ("the count", [(0, item, 8, 1) for item in "abcde"], [("abcd", CloseReason.COUNT), ("e", CloseReason.DRAIN)]),
    (
        "without sequences only the count closes",
        [(0, item, 0, 0) for item in "abcde"],
        [("abcd", CloseReason.COUNT), ("e", CloseReason.DRAIN)],
    ),
    (
        "the deadline counts from the first, not the last",
        [(0, "a", 8, 1), (9, "b", 8, 1), (10, "c", 8, 1)],
        [("ab", CloseReason.DEADLINE), ("c", CloseReason.DRAIN)],
    ),
    (
        "each length has its own deadline, oldest first",
        [(0, "a", 8, 1), (1, "b", 16, 1), (11, "c", 8, 1)],
        [("a", CloseReason.DEADLINE), ("b", CloseReason.DEADLINE), ("c", CloseReason.DRAIN)],
    ),
]


@pytest.mark.parametrize(("arrivals", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_table(arrivals: list[tuple[float, str, int, int]], expected: list[tuple[str, CloseReason]]) -> None:
    clock = Clock()
    batcher = new_batcher(clock)
    closed: list[MicroBatch[str]] = []
    for moment, item, length, sequences in arrivals:
        clock.now = moment
        while (batch := batcher.due()) is not None:
            closed.append(batch)
        closed += batcher.add(item, length=length, sequences=sequences)
    closed += batcher.drain()

    assert [("".join(batch.items), batch.closed) for batch in closed] == expected
    assert sum(batcher.figures.batches.values()) == len(expected)
    assert batcher.next_deadline() is None


def test_the_next_deadline_is_the_oldest_batch() -> None:
    clock = Clock()
    batcher = new_batcher(clock)
    assert batcher.next_deadline() is None
    clock.now = 3.0
    batcher.add("a", length=8, sequences=1)
    clock.now = 5.0
    batcher.add("b", length=16, sequences=1)
    assert batcher.next_deadline() == 13.0
    clock.now = 12.9
    assert batcher.due() is None
    clock.now = 13.0
    batch = batcher.due()
    assert batch is not None
    assert batch.items == ("a",)
    assert batcher.due() is None
    assert batcher.next_deadline() == 15.0


def test_figures() -> None:
    clock = Clock()
    batcher = new_batcher(clock)
    assert batcher.figures.batches == {
        CloseReason.TOKENS: 0,
        CloseReason.COUNT: 0,
        CloseReason.DEADLINE: 0,
        CloseReason.DRAIN: 0,
    }
    batcher.add("a", length=16, sequences=2)
    clock.now = 4.0
    batcher.add("b", length=16, sequences=2)  # full: waited 4 seconds
    batcher.add("c", length=0, sequences=0)  # no tokens: says nothing about the fill
    batcher.add("d", length=32, sequences=1)
    clock.now = 6.0
    batcher.drain()
    figures = batcher.figures
    assert figures.batches == {
        CloseReason.TOKENS: 1,
        CloseReason.COUNT: 0,
        CloseReason.DEADLINE: 0,
        CloseReason.DRAIN: 2,
    }
    assert figures.items == 4
    assert figures.fill == pytest.approx(0.75)  # one full, one half full
    assert figures.mean_wait_seconds == pytest.approx((4 + 2 + 2) / 3)
    assert figures.longest_wait_seconds == 4.0


Arrivals = st.lists(
    st.tuples(
        st.floats(0.0, 7.0, allow_nan=False),  # time since the arrival before
        st.sampled_from([0, 8, 16, 32, 128]),
        st.integers(0, 9),
    ),
    max_size=60,
)


@given(Arrivals)
def test_nothing_lost_nothing_doubled_none_over_budget_none_late(arrivals: list[tuple[float, int, int]]) -> None:
    clock = Clock()
    batcher: MicroBatcher[int] = MicroBatcher(
        token_budget=BUDGET, max_count=MOST, deadline_seconds=DEADLINE, clock=clock
    )
    closed: list[MicroBatch[int]] = []
    for number, (pause, length, sequences) in enumerate(arrivals):
        # A caller that sleeps until `next_deadline` and then asks must find every batch on time.
        end = clock.now + pause
        while (deadline := batcher.next_deadline()) is not None and deadline <= end:
            clock.now = deadline
            on_time = batcher.due()
            assert on_time is not None
            assert on_time.opened + DEADLINE <= deadline
            closed.append(on_time)
        clock.now = end
        closed += batcher.add(number, length=length, sequences=sequences)
        assert batcher.due() is None
    closed += batcher.drain()

    assert sorted(item for batch in closed for item in batch.items) == list(range(len(arrivals)))
    for batch in closed:
        assert list(batch.items) == sorted(batch.items)
        assert len(batch.items) <= MOST
        assert {arrivals[item][1] for item in batch.items} == {batch.length}
        assert sum(arrivals[item][2] for item in batch.items) == batch.sequences
        # Items without sequences may share the batch of an oversized post; two posts may not exceed the budget.
        with_sequences = [item for item in batch.items if arrivals[item][2]]
        assert batch.tokens <= BUDGET or len(with_sequences) == 1
    assert batcher.figures.items == len(arrivals)
