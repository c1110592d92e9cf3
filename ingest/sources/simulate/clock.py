"""The times of the feed: 2,500 posts a day, few of them at night."""

from itertools import accumulate

START_MS = 1_709_510_400_000  # Monday, 4 March 2024, midnight UTC
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
CHAPTERS_PER_DAY = 10

_ACTIVITY = (8, 5, 3, 2, 2, 4, 9, 16, 22, 24, 23, 24, 28, 26, 24, 23, 24, 27, 32, 36, 38, 35, 25, 14)  # by hour
_UNTIL = tuple(accumulate(_ACTIVITY))


def time_ms(chapter: int, share: float) -> int:
    """Returns the milliseconds since 1970 at which that share (0 to 1) of a chapter's posts has been written."""
    day, part = divmod(chapter, CHAPTERS_PER_DAY)
    mass = (part + share) / CHAPTERS_PER_DAY * _UNTIL[-1]
    hour = next((hour for hour, until in enumerate(_UNTIL) if mass < until), 23)
    within = (mass - (_UNTIL[hour] - _ACTIVITY[hour])) / _ACTIVITY[hour]
    return START_MS + day * DAY_MS + int((hour + within) * HOUR_MS)
