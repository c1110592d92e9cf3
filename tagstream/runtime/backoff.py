"""The back-off of every retry loop: waits that double from attempt to attempt, up to a cap, each drawn with jitter.

Owns the formula alone. The loop that retries counts the failures, sleeps, and decides when to give up.
"""

import random
from dataclasses import dataclass

# 2.0 ** 1024 overflows a float, and an outage of days has more failures than that.
_LARGEST_EXPONENT = 60


@dataclass(frozen=True, slots=True)
class BackOff:
    """Waits of `first_seconds`, twice that, four times that … and never more than `longest_seconds`.

    `jitter` is the share of each wait that is drawn at random, so that many processes do not retry in step: 0.5 draws
    a wait from its upper half, 1.0 from all of it.
    """

    first_seconds: float = 0.1
    longest_seconds: float = 10.0
    jitter: float = 0.5

    def full(self, failures: int) -> float:
        """Returns the wait in seconds after that many failures in a row (1 or more), without jitter."""
        return min(self.longest_seconds, self.first_seconds * 2.0 ** min(failures - 1, _LARGEST_EXPONENT))

    def delay(self, failures: int, chance: float | None = None) -> float:
        """Returns the wait in seconds with jitter. `chance` (0 to 1) takes the place of the random number."""
        drawn = random.random() if chance is None else chance
        return self.full(failures) * (1.0 - self.jitter + self.jitter * drawn)
