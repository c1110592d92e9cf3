"""The lag of a feed: the age of its posts, by the time that their authors gave them, when they are safe.

A post's own time is its author's word, so the median of the last posts counts. Posts that were old when they came (an
archive, the first look at an RSS feed) do not count. Fixed memory; knows no clock.
"""

from collections import deque
from datetime import datetime, timedelta
from statistics import median

REMEMBERED_POSTS = 101
# A network's look-back is a day and a half; what is older was never live.
LONGEST_LIVE = timedelta(hours=48)
_AHEAD = timedelta(minutes=5)
# Sources that read what was written down before; standard input may be a feed that goes on.
_WRITTEN_DOWN = ("csv:", "jsonl:", "simulate:")
_STANDARD_INPUT = ("csv:-", "jsonl:-")


def is_live(source: str) -> bool:
    """Says whether a source of this name may give posts at the time they are written."""
    return source in _STANDARD_INPUT or not source.startswith(_WRITTEN_DOWN)


class FeedLag:
    """The median age of the last posts when they became safe."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=REMEMBERED_POSTS)

    def add(self, created_at: datetime, observed_at: datetime, now: datetime) -> None:
        """Notes a post that its author dated `created_at`, that was accepted at `observed_at` and is safe `now`."""
        if -_AHEAD <= observed_at - created_at <= LONGEST_LIVE:
            self._seconds.append(max(0.0, (now - created_at).total_seconds()))

    def seconds(self, waiting_seconds: float = 0.0) -> float | None:
        """Returns the lag, None where no post was live. At least `waiting_seconds`, the longest wait by now."""
        return max(median(self._seconds), waiting_seconds) if self._seconds else None


def spoken(seconds: float) -> str:
    """Returns a duration in the unit that people would use: `2.4 s`, `12 min`, `35 h`, `730 days`."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    if seconds < 6_000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 100 * 3_600 else f"{seconds / 86_400:,.0f} days"
