"""The clock that gives accepted posts their time, with signs that it is wrong.

A machine may wake with a clock that is years off, and have it set right later. A post keeps the time that it was given:
the index orders and finds it by that time. Three signs warn the operator while it happens:

- the clock was set: its distance to the steady clock, which nobody can set, changed;
- the clock stands before the installation of this program;
- most posts of a live feed come from the clock's future.

Before the installation the clock is certainly wrong. Posts are then given the feed's time, or that of the installation.
The feed alone never moves the clock, because its authors could.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from tagstream.runtime.feed_lag import spoken

JUMP_SECONDS = 60.0
_AHEAD_SECONDS = 300.0
_ENOUGH_POSTS = 20
_INSTALLED_SLACK = timedelta(days=1)


def steady_seconds() -> float:
    """Returns seconds of a clock that nobody sets; where the system has one, it goes on while the machine sleeps."""
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)


def utc_now() -> datetime:
    """Returns the time of the wall clock."""
    return datetime.now(UTC)


def installed_at() -> datetime:
    """Returns the time at which this program was installed, by the clock of that day."""
    return datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)


class WallClock:
    """The clock of one run.

    `live`: whether posts of the feed are being written now, so that their times tell the time. `installed`: a time that
    has certainly passed, if one is known.

    Attributes:
        jumps: how often the clock was set.
        doubtful: posts that were given a time before the clock was set.
    """

    def __init__(
        self,
        now: Callable[[], datetime] = utc_now,
        steady: Callable[[], float] = steady_seconds,
        *,
        installed: datetime | None = None,
        live: bool = False,
    ) -> None:
        self.jumps = 0
        self.doubtful = 0
        self._now = now
        self._steady = steady
        self._installed = installed
        self._live = live
        self._offset: float | None = None
        self._stamped = 0
        self._jumped = 0.0
        self._ahead: deque[float] = deque(maxlen=101)
        self._read()

    def now(self) -> datetime:
        """Returns the time; notices whether the clock was set since the last call."""
        return self._believed(self._read())

    def stamp(self, created: Sequence[datetime]) -> datetime:
        """Returns the time at which posts are accepted, whose authors dated them `created`."""
        timestamp = self._read()
        if self._live:
            self._ahead.extend((date - timestamp).total_seconds() for date in created)
        self._stamped += len(created)
        return self._believed(timestamp)

    @property
    def warning(self) -> str | None:
        """The reason to doubt the clock, None while there is none."""
        ahead = median(self._ahead) if len(self._ahead) >= _ENOUGH_POSTS else 0.0
        if self._is_impossible(self._now()):
            return (
                "the clock of this machine stands before this program was installed: posts get a guessed time; set it"
            )
        if ahead > _AHEAD_SECONDS:
            return f"the clock of this machine is {spoken(ahead)} behind the feed's: posts get a false time; set it"
        if self.jumps:
            way = "forward" if self._jumped > 0 else "back"
            return (
                f"the clock was set {way} by {spoken(abs(self._jumped))}: "
                f"{self.doubtful:,} posts accepted before keep a doubtful time"
            )
        return None

    def _read(self) -> datetime:
        timestamp = self._now()
        offset = timestamp.timestamp() - self._steady()
        if self._offset is not None and abs(offset - self._offset) > JUMP_SECONDS:
            self.jumps += 1
            self._jumped = offset - self._offset
            self.doubtful += self._stamped
            self._stamped = 0
            self._ahead.clear()
        self._offset = offset
        return timestamp

    def _is_impossible(self, timestamp: datetime) -> bool:
        return self._installed is not None and timestamp < self._installed - _INSTALLED_SLACK

    def _believed(self, timestamp: datetime) -> datetime:
        if self._installed is None or not self._is_impossible(timestamp):
            return timestamp
        ahead = max(0.0, median(self._ahead)) if self._ahead else 0.0
        return max(self._installed, timestamp + timedelta(seconds=ahead))
