"""The significance of a count, given the counts of the windows before it.

After SigniTrend (Schubert, Weiler, Kriegel, KDD 2014): an exponentially weighted mean and deviation of the past, and
by how many deviations the present exceeds it, with a bias that keeps rare names from trending on a handful of posts.
Departure: the deviation is at least that of a Poisson count of the same mean, because a past of few windows knows
its own scatter badly.
"""

import math
from collections.abc import Sequence

HALF_LIFE_WINDOWS = 6.0
BIAS = 1.0
MIN_AUTHORS = 3
MIN_SCORE = 2.0
MAX_CANDIDATES = 2_000
"""The most entities of a window whose past is read; the ones that most authors mention come first."""
CLOCK_AUTHORS = 3
"""The authors who must have written in the window before a minute for the minute to count as the feed's newest."""


def expectation(past: Sequence[int]) -> tuple[float, float]:
    """Returns the exponentially weighted mean and variance of past counts, oldest first; (0, 0) without a past."""
    if not past:
        return 0.0, 0.0
    alpha = 1 - 0.5 ** (1 / HALF_LIFE_WINDOWS)
    mean, variance = float(past[0]), 0.0
    for count in past[1:]:
        step = count - mean
        mean += alpha * step
        variance = (1 - alpha) * (variance + alpha * step * step)
    return mean, variance


def significance(count: int, past: Sequence[int]) -> tuple[float, float]:
    """Returns the count that the past lets expect, and the deviations by which `count` exceeds that."""
    mean, variance = expectation(past)
    deviation = math.sqrt(max(variance, mean)) + BIAS
    return mean, (count - max(mean, BIAS)) / deviation
