"""The past of subjects: the share of the feed to expect, how it scatters, and what recurs by day and by week.

After SigniTrend (Schubert, Weiler, Kriegel, KDD 2014), with departures: counts are of distinct authors in blocks of
five minutes, a mean is a share of the feed's posts, so that the feed's own rhythm and its gaps move nothing, and blocks
without a mention cost nothing, because their effect is one power.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from search.events.minutes import HOUR
from search.events.window import BLOCK, SubjectKey

BLOCKS_AN_HOUR = HOUR // BLOCK
BLOCKS_A_DAY = 24 * BLOCKS_AN_HOUR
HALF_LIFE_BLOCKS = BLOCKS_A_DAY
"""A day: the mean holds a whole round of the clock, and what happens all day is expected the next."""
MAX_SUBJECTS_KEPT = 50_000
SEASON_SPREAD = 1
"""What recurs may come an hour earlier or later."""
SEASON_KEEPS = 0.5
"""The weight of the newest day or week against all before it."""
NOTABLE = 3
"""The authors of a block that are kept by the hour, for a week."""

_DECAY = 0.5 ** (1 / HALF_LIFE_BLOCKS)


@dataclass(slots=True)
class Past:
    """Decayed sums over the blocks of one subject, as of `block`."""

    block: int
    total: float = 0.0
    squares: float = 0.0
    notable: dict[int, int] = field(default_factory=dict)

    def at(self, block: int) -> "Past":
        """The same past seen from a later block."""
        fade = _DECAY ** (block - self.block)
        return Past(block, self.total * fade, self.squares * fade, self.notable)


class Baseline:
    """The past of all subjects, bounded: the least mentioned are forgotten."""

    def __init__(self) -> None:
        self._past: dict[SubjectKey, Past] = {}
        self._blocks = 0.0
        self._volume = 0.0
        self._block = 0

    @property
    def blocks(self) -> float:
        """The decayed number of blocks that were learnt."""
        return self._blocks

    def learn(self, block: int, volume: int, counts: dict[SubjectKey, int]) -> None:
        """Learns the distinct authors of a block, which is later than every one before."""
        fade = _DECAY ** (block - self._block) if self._blocks else 1.0
        self._blocks = self._blocks * fade + 1
        self._volume = self._volume * fade + volume
        self._block = block
        for subject, count in counts.items():
            past = self._past.get(subject)
            past = Past(block) if past is None else past.at(block)
            past.total += count
            past.squares += count * count
            if count >= NOTABLE:
                hour = block // BLOCKS_AN_HOUR
                past.notable[hour] = max(count, past.notable.get(hour, 0))
                for old in [old for old in past.notable if old < hour - 8 * 24]:
                    del past.notable[old]
            self._past[subject] = past
        if len(self._past) > MAX_SUBJECTS_KEPT:
            self._forget()

    def _forget(self) -> None:
        """Keeps four fifths of the room: the subjects that were mentioned most, by decayed count."""
        ranked = sorted(self._past.items(), key=lambda item: (-item[1].at(self._block).total, item[0]))
        self._past = dict(ranked[: MAX_SUBJECTS_KEPT * 4 // 5])

    def expected(self, subject: SubjectKey, minute: int, minutes: int, volume: int) -> tuple[float, float]:
        """Returns the mean and the variance of the authors of `minutes` minutes with `volume` posts."""
        past = self._past.get(subject)
        if past is None or not self._blocks:
            return 0.0, 0.0
        now = past.at(self._block)
        blocks = minutes / BLOCK
        in_block = now.total / self._blocks
        # By share of the feed, and by the clock: posts of an army swell the feed, and the end of them no name.
        mean = max(now.total / max(self._volume, 1.0) * volume, in_block * blocks)
        variance = max(0.0, now.squares / self._blocks - in_block * in_block) * blocks
        season, spread = self._seasonal(past, minute, minutes)
        if season > mean:
            return season, max(variance, spread)
        return mean, variance

    def _seasonal(self, past: Past, minute: int, minutes: int) -> tuple[float, float]:
        """Returns mean and variance of the authors at this time of the day, or of the week, whichever is higher."""
        if not past.notable:
            return 0.0, 0.0
        blocks = minutes / BLOCK
        days = [_peak(past.notable, minute // HOUR - day * 24) * blocks for day in range(7, 0, -1)]
        week = days[0]
        mean = variance = 0.0
        for count in days:
            step = count - mean
            mean += SEASON_KEEPS * step
            variance = (1 - SEASON_KEEPS) * (variance + SEASON_KEEPS * step * step)
        weekly = SEASON_KEEPS * week
        if weekly > mean:
            return weekly, weekly * weekly
        return mean, variance

    def state(self) -> list[Any]:
        return [
            self._blocks,
            self._volume,
            self._block,
            [
                [*subject, past.block, past.total, past.squares, sorted(past.notable.items())]
                for subject, past in sorted(self._past.items())
            ],
        ]

    @classmethod
    def of(cls, state: Iterable[Any]) -> "Baseline":
        blocks, volume, block, subjects = state
        baseline = cls()
        baseline._blocks, baseline._volume, baseline._block = float(blocks), float(volume), int(block)
        for kind, key, last, total, squares, notable in subjects:
            baseline._past[kind, key] = Past(last, total, squares, dict(notable))
        return baseline


def _peak(notable: dict[int, int], hour: int) -> int:
    """Returns the highest count of a block in the hour and its neighbours."""
    return max(notable.get(hour + spread, 0) for spread in range(-SEASON_SPREAD, SEASON_SPREAD + 1))


def significance(count: float, mean: float, variance: float, bias: float) -> float:
    """Returns by how many deviations a count exceeds its expectation; the deviation is at least that of Poisson."""
    return (count - max(mean, bias)) / (math.sqrt(max(variance, mean)) + bias)
