"""With how many windows before it a window of trends is compared, as `--past` asks for."""

import click

from search.limits import MAX_TREND_SECONDS
from search.trend_windows import DEFAULT_PAST


def past_windows(window: int | None, past: int | None) -> int:
    """Returns with how many windows before it a window is compared: as asked for, or as many as a trend may look at.

    Raises:
        UsageError: they reach too far back.
    """
    days = MAX_TREND_SECONDS // 86_400
    most = MAX_TREND_SECONDS // window if window else MAX_TREND_SECONDS
    if past is not None and past > most:
        raise click.UsageError(
            f"--past {past} windows of this length reach back more than {days} days, which is as far as trends look "
            f"back: give --past {most} or less, or a shorter --window"
        )
    return past or min(DEFAULT_PAST, most)
