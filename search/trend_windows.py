"""Windows of trends that are counted when asked: chosen from the length of a feed, each entity at its best one.

A feed that goes on now is asked what trends at its end. An archive is asked window by window, because what trended in
it rarely does in its last hour.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from search.index import EntityIndex, Span, Trend
from search.limits import MAX_TREND_SECONDS

_LENGTHS = (
    60,
    300,
    900,
    1800,
    *(3600 * hours for hours in (1, 3, 6, 12)),
    *(86_400 * days for days in (1, 7, 30, 90, 365)),
)
MOST_WINDOWS = 48
DEFAULT_PAST = 24
LONGEST_LIVE_SECONDS = 3600
_LIVE_WINDOWS = 6
_LEAST_PAST = 3


class Peak(NamedTuple):
    """A trend, and the end of the window in which it was at its best."""

    trend: Trend
    until: datetime
    window_seconds: int


def archive_windows(span: Span) -> list[int]:
    """Returns the lengths, in seconds, to be tried one after the other: from `MOST_WINDOWS` windows to a single one.

    Short windows show when something rose; in a thin feed only long ones hold enough authors. The last length is that
    of the whole span, which is compared with nothing.
    """
    length = int((span.until - span.since).total_seconds())
    compared = [one for one in _LENGTHS if one * (_LEAST_PAST + 1) <= length <= one * MOST_WINDOWS]
    return [*compared, min(length, MAX_TREND_SECONDS)]


def live_window(span: Span) -> int:
    """Returns the length for the end of a feed: an hour, or less where the feed has no past of hours."""
    length = (span.until - span.since).total_seconds()
    fitting = [one for one in _LENGTHS if one <= LONGEST_LIVE_SECONDS and length >= one * _LIVE_WINDOWS]
    return max(fitting, default=_LENGTHS[0])


async def peaks(index: EntityIndex, span: Span, feed: Span, *, window: int, past: int, size: int) -> list[Peak]:
    """Returns what trended in the windows that end with the span and before: each entity once, at its best.

    Args:
        index: the index.
        span: the time that the windows cover.
        feed: the time in which the feed lies. The first windows of a feed have no past to be compared with, and are
            passed over where there are others.
        window: the length of a window in seconds.
        past: with how many windows before it each is compared.
        size: the most trends.
    """
    past = max(1, min(past, MAX_TREND_SECONDS // window))
    best: dict[tuple[str, str], Peak] = {}
    for until in _ends(span, feed, window):
        for trend in await index.trending(until=until, window_seconds=window, past_windows=past, size=size):
            key = (trend.entity.key, trend.entity.type)
            if key not in best or trend.score > best[key].trend.score:
                best[key] = Peak(trend, until, window)
    return sorted(best.values(), key=lambda peak: (-peak.trend.score, peak.trend.entity.key))[:size]


def _ends(span: Span, feed: Span, window: int) -> Sequence[datetime]:
    length = timedelta(seconds=window)
    count = min((span.until - span.since) // length, MOST_WINDOWS)
    ends = [span.until - length * back for back in range(max(count, 1))]
    compared = [end for end in ends if end - length * (_LEAST_PAST + 1) >= feed.since]
    return compared or ends
