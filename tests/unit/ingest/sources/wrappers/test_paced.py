"""The pace of a feed: its own clock, whatever it says, and a clock of the run that the test turns."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from ingest.sources.wrappers.paced import LONGEST_WAIT_SECONDS, PacedSource
from tagstream.errors import BadSettings
from tagstream.posts import Deletion, Event, Post
from tagstream.source import Received

BEGAN = datetime(2024, 5, 1, 12, tzinfo=UTC)


class Run:
    """A clock that only sleeping turns, and a source of events at these seconds of the feed (None: a deletion)."""

    name = "script:test"

    def __init__(self, *seconds: float | None) -> None:
        self.now = 100.0
        self.sleeps: list[float] = []
        self._events = [Received(_event(number, one), str(number)) for number, one in enumerate(seconds)]
        self.opened: str | None = None
        self.closed = 0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds

    async def open(self, cursor: str | None) -> None:
        self.opened = cursor

    async def next_batch(self, limit: int) -> Sequence[Received]:
        batch, self._events = self._events[:limit], self._events[limit:]
        return batch

    def counts(self) -> Mapping[str, int]:
        return {"gap": 2}

    async def close(self) -> None:
        self.closed += 1

    async def times(self, speed: float, limit: int = 100, pause: float = 0.0) -> list[float]:
        """When each event was handed on, in seconds since the first."""
        source = PacedSource(self, speed, clock=self.clock, sleep=self.sleep)
        await source.open("here")
        handed: list[tuple[str, float]] = []
        while batch := await source.next_batch(limit):
            assert len(batch) <= limit
            handed += [(one.cursor, self.now - 100.0) for one in batch]
            self.now += pause
        await source.close()
        assert [cursor for cursor, _ in handed] == [str(number) for number in range(len(handed))]
        assert (self.opened, self.closed) == ("here", 1)
        return [round(moment, 6) for _, moment in handed]


def _event(number: int, second: float | None) -> Event:
    if second is None:
        return Deletion(id=f"x:{number}", source="x")
    created = BEGAN + timedelta(seconds=second)
    return Post(id=f"x:{number}", source="x", created_at=created, text="")


@pytest.mark.parametrize(
    ("speed", "seconds", "expected"),
    [
        (1.0, (0, 1, 3, 3, 4), [0, 1, 3, 3, 4]),
        (2.0, (0, 1, 3), [0, 0.5, 1.5]),
        (60.0, (0, 60, 180), [0, 1, 3]),
        (0.5, (0, 1, 2), [0, 2, 4]),
        (1.0, (0, 2, 1, 3), [0, 2, 2, 3]),
        (1.0, (0, None, 2, None, 3), [0, 0, 2, 2, 3]),
        (1.0, (None, 5, 6), [0, 0, 1]),
        (1.0, (), []),
    ],
)
async def test_the_pace_is_that_of_the_dates(
    speed: float, seconds: tuple[float | None, ...], expected: list[float]
) -> None:
    assert await Run(*seconds).times(speed) == expected


YEARS = 200_000_000_000.0


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        # A night without posts, a date of another century, one of long ago, and the pace after each.
        ((0, 30_000, 30_001), [0, LONGEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS + 1]),
        ((0, YEARS, 1, 2), [0, LONGEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS + 1]),
        ((0, -1_000_000_000, 1, 2), [0, 0, LONGEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS + 1]),
        ((0, -5, 1, 2), [0, 0, 1, 2]),
    ],
)
async def test_hostile_dates_cost_one_wait_each(seconds: tuple[float, ...], expected: list[float]) -> None:
    run = Run(*seconds)
    assert await run.times(1.0) == expected
    assert max(run.sleeps) <= LONGEST_WAIT_SECONDS


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_what_is_due_together_does_not_wait_for_one_another(limit: int) -> None:
    assert await Run(0, 1, 1, 1, 2).times(1.0, limit) == [0, 1, 1, 1, 2]


async def test_a_slow_reader_is_not_made_slower() -> None:
    """Reading takes three seconds a batch: once it is late nothing waits."""
    run = Run(0, 1, 2, 3, 4, 5)
    assert await run.times(1.0, limit=1, pause=3.0) == [0, 3, 6, 9, 12, 15]
    assert run.sleeps == []


async def test_a_cancelled_wait_loses_nothing() -> None:
    run = Run(0, 5)

    async def cancelled(_: float) -> None:
        raise TimeoutError

    source = PacedSource(run, 1.0, clock=run.clock, sleep=cancelled)
    assert [one.cursor for one in await source.next_batch(10)] == ["0"]
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await source.next_batch(10)
    run.now += 5
    assert [one.cursor for one in await source.next_batch(10)] == ["1"]
    assert await source.next_batch(10) == []


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_speeds_that_make_no_sense(speed: float) -> None:
    with pytest.raises(BadSettings, match="speed"):
        PacedSource(Run(), speed)
