"""The clock by which posts are stamped as accepted, and whether it can be believed.

A machine may wake with a clock that is years off and be set right later. Posts keep for good the time that they were
given: by it they are numbered, and found. So whoever runs it is told while it happens, by three signs: the clock was
set (its distance to a clock that nobody can set changed), it stands before the moment at which this program was
installed, or most posts of a live feed come from its future. Where it stands before the installation it is wrong for
certain, and posts are stamped by the feed's time, or by that of the installation; the feed alone never moves it, for
its authors could.
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
    """Seconds of a clock that nobody sets and that goes on while the machine sleeps, where the system has one."""
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def installed_at() -> datetime:
    """When this program came to this machine, by the clock of that time."""
    return datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)


class WallClock:
    """Stamps what is accepted. `jumps` counts how often it was set, `doubtful` the posts that were stamped before.

    `live`: whether the feed is one that is written now, so that the time of its posts says what time it is. `installed`
    is a moment that has passed for certain, if one is known.
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
        """The moment; notices whether the clock was set since the last time."""
        return self._believed(self._read())

    def stamp(self, created: Sequence[datetime]) -> datetime:
        """The moment at which posts with these dates of their authors are accepted."""
        moment = self._read()
        if self._live:
            self._ahead.extend((one - moment).total_seconds() for one in created)
        self._stamped += len(created)
        return self._believed(moment)

    @property
    def warning(self) -> str | None:
        """What is wrong with the clock, None while nothing is known."""
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
        moment = self._now()
        offset = moment.timestamp() - self._steady()
        if self._offset is not None and abs(offset - self._offset) > JUMP_SECONDS:
            self.jumps += 1
            self._jumped = offset - self._offset
            self.doubtful += self._stamped
            self._stamped = 0
            self._ahead.clear()
        self._offset = offset
        return moment

    def _is_impossible(self, moment: datetime) -> bool:
        return self._installed is not None and moment < self._installed - _INSTALLED_SLACK

    def _believed(self, moment: datetime) -> datetime:
        if self._installed is None or not self._is_impossible(moment):
            return moment
        ahead = max(0.0, median(self._ahead)) if self._ahead else 0.0
        return max(self._installed, moment + timedelta(seconds=ahead))
