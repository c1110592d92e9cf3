"""The past of subjects: the share of the feed to expect, how it scatters, and what recurs by day and by week.

After SigniTrend (Schubert, Weiler, Kriegel, KDD 2014), with departures: counts are of distinct authors in blocks of
five minutes, a mean is a share of the feed's posts, so that the feed's own rhythm and its gaps move nothing, and blocks
without a mention cost nothing, because their effect is one power. Subjects are known by a hash: the past outlasts its
posts, so a word in it would outlast its deletion.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from search.events.minutes import HOUR
from search.events.seasons import SCATTER, NotableHours
from search.events.window import BLOCK, SubjectKey
from search.terms import hash_key

BLOCKS_AN_HOUR = HOUR // BLOCK
BLOCKS_A_DAY = 24 * BLOCKS_AN_HOUR
HALF_LIFE_BLOCKS = BLOCKS_A_DAY
"""A day: the mean holds a whole round of the clock, and what happens all day is expected the next."""
MAX_SUBJECTS_KEPT = 50_000
NOTABLE = 3
"""The authors of a block that are kept by the hour, for a week."""

_DECAY = 0.5 ** (1 / HALF_LIFE_BLOCKS)


@dataclass(slots=True)
class Past:
    """Decayed sums over the blocks of one subject, as of `block`."""

    block: int
    total: float = 0.0
    squares: float = 0.0
    notable: NotableHours = field(default_factory=NotableHours)

    def at(self, block: int) -> "Past":
        """The same past seen from a later block."""
        fade = _DECAY ** (block - self.block)
        return Past(block, self.total * fade, self.squares * fade, self.notable)


class Baseline:
    """The past of all subjects, bounded: the least mentioned are forgotten."""

    def __init__(self) -> None:
        self._past: dict[int, Past] = {}
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
            name = hash_key("subject", subject)
            past = self._past.get(name)
            past = Past(block) if past is None else past.at(block)
            past.total += count
            past.squares += count * count
            if count >= NOTABLE:
                past.notable.note(block // BLOCKS_AN_HOUR, count)
            self._past[name] = past
        if len(self._past) > MAX_SUBJECTS_KEPT:
            self._forget()

    def _forget(self) -> None:
        """Keeps at most four fifths of the room: the subjects that were mentioned most, by decayed count."""
        totals = {subject: past.at(self._block).total for subject, past in self._past.items()}
        least = sorted(totals.values())[-MAX_SUBJECTS_KEPT * 4 // 5]
        self._past = {subject: past for subject, past in self._past.items() if totals[subject] > least}

    def expected(self, subject: SubjectKey, minute: int, minutes: int, volume: int) -> tuple[float, float]:
        """Returns the mean and the variance of the authors of `minutes` minutes with `volume` posts."""
        past = self._past.get(hash_key("subject", subject))
        if past is None or not self._blocks:
            return 0.0, 0.0
        now = past.at(self._block)
        blocks = minutes / BLOCK
        in_block = now.total / self._blocks
        # By share of the feed, and by the clock: posts of an army swell the feed, and the end of them no name.
        mean = max(now.total / max(self._volume, 1.0) * volume, in_block * blocks)
        variance = max(0.0, now.squares / self._blocks - in_block * in_block) * blocks
        recurring = past.notable.recurring(minute // HOUR, blocks) if past.notable else 0.0
        if recurring > mean:
            return recurring, max(variance, (SCATTER * recurring) ** 2)
        return mean, variance

    def state(self) -> list[Any]:
        return [
            self._blocks,
            self._volume,
            self._block,
            [[name, past.block, past.total, past.squares, past.notable.state()] for name, past in self._past.items()],
        ]

    @classmethod
    def of(cls, state: Iterable[Any]) -> "Baseline":
        blocks, volume, block, subjects = state
        baseline = cls()
        baseline._blocks, baseline._volume, baseline._block = float(blocks), float(volume), int(block)
        for name, last, total, squares, notable in subjects:
            baseline._past[name] = Past(last, total, squares, NotableHours.of(notable))
        return baseline


def significance(count: float, mean: float, variance: float, bias: float) -> float:
    """Returns by how many deviations a count exceeds its expectation; the deviation is at least that of Poisson."""
    return (count - max(mean, bias)) / (math.sqrt(max(variance, mean)) + bias)
