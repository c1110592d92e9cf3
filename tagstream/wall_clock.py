"""The clock by which posts are stamped as accepted, and whether it can be believed.

A machine may wake with a clock that is years off and be set right later. Posts that it accepted before that keep a
false time for good: by it they are numbered, and found. So whoever runs it is told while it happens, by three signs:
the clock was set (its distance to a clock that nobody can set changed), it stands before the moment at
which this program was installed, or most posts of a live feed come from its future.
"""

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from tagstream.distance import spoken

JUMP_SECONDS = 60.0
_AHEAD_SECONDS = 300.0
_ENOUGH_POSTS = 20
_INSTALLED_SLACK = timedelta(days=1)


def steady_seconds() -> float:
    """Seconds of a clock that nobody sets and that goes on while the machine sleeps, where the system has one."""
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)


def installed_at() -> datetime:
    """When this program came to this machine, by the clock of that time."""
    return datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)


class WallClock:
    """Stamps what is accepted. `jumps` counts how often it was set, `doubtful` the posts that were stamped before."""

    def __init__(
        self,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        steady: Callable[[], float] = steady_seconds,
        installed: Callable[[], datetime] = installed_at,
    ) -> None:
        self.jumps = 0
        self.doubtful = 0
        self._now = now
        self._steady = steady
        self._offset: float | None = None
        self._stamped = 0
        self._jumped = 0.0
        self._before_installation = now() < installed() - _INSTALLED_SLACK
        self._ahead: deque[float] = deque(maxlen=101)
        self.now()

    def now(self) -> datetime:
        """The moment; notices whether the clock was set since the last time."""
        moment = self._now()
        offset = moment.timestamp() - self._steady()
        if self._offset is not None and abs(offset - self._offset) > JUMP_SECONDS:
            self.jumps += 1
            self._jumped = offset - self._offset
            self.doubtful += self._stamped
            self._stamped = 0
            self._ahead.clear()
            self._before_installation = False
        self._offset = offset
        return moment

    def stamp(self, posts: int) -> datetime:
        """The moment at which so many posts are accepted."""
        moment = self.now()
        self._stamped += posts
        return moment

    def saw(self, created_at: datetime, observed_at: datetime) -> None:
        """Notes what the author of a post of a live feed took for the time, and what we did."""
        self._ahead.append((created_at - observed_at).total_seconds())

    @property
    def warning(self) -> str | None:
        """What is wrong with the clock, None while nothing is known."""
        if len(self._ahead) >= _ENOUGH_POSTS and (ahead := median(self._ahead)) > _AHEAD_SECONDS:
            return f"the clock of this machine is {spoken(ahead)} behind the feed's: posts get a false time; set it"
        if self.jumps:
            way = "forward" if self._jumped > 0 else "back"
            return (
                f"the clock was set {way} by {spoken(abs(self._jumped))}: "
                f"{self.doubtful:,} posts accepted before keep a doubtful time"
            )
        if self._before_installation:
            return "the clock of this machine stands before this program was installed: posts get a false time; set it"
        return None
