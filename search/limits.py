"""The limits of one question to an index: the same for every kind of index, so that a question has one answer."""

from datetime import datetime

from tagstream.errors import BadSettings

MAX_MOMENT = 1 << 42  # milliseconds: the year 2109
MAX_PAGE = 1_000
MAX_SIZE = 10_000
MAX_FACET_VALUES = 100
MAX_HISTORY = 10_080  # minutes: a week
MAX_BUCKETS = 10_000
MAX_TREND_SECONDS = 10 * 366 * 86_400


def check_page(size: int) -> None:
    """Checks the size of a page of posts.

    Raises:
        BadSettings: `size` is not between 1 and `MAX_PAGE`.
    """
    if not 1 <= size <= MAX_PAGE:
        raise BadSettings(f"A page of {size} posts was asked for; between 1 and {MAX_PAGE} can be given.")


def check_detections(size: int) -> None:
    """Checks the size of a list of events or of stored trends.

    Raises:
        BadSettings: `size` is not between 1 and `MAX_PAGE`.
    """
    if not 1 <= size <= MAX_PAGE:
        raise BadSettings(f"{size} events or trends were asked for; between 1 and {MAX_PAGE} can be given.")


def check_facets(size: int) -> None:
    """Checks the number of values of each kind of facet.

    Raises:
        BadSettings: `size` is not between 1 and `MAX_FACET_VALUES`.
    """
    if not 1 <= size <= MAX_FACET_VALUES:
        raise BadSettings(f"{size} values of each kind were asked for; between 1 and {MAX_FACET_VALUES} can be given.")


def check_size(size: int) -> None:
    """Checks the size of a list of entities.

    Raises:
        BadSettings: `size` is not between 1 and `MAX_SIZE`.
    """
    if not 1 <= size <= MAX_SIZE:
        raise BadSettings(f"{size} entities were asked for; between 1 and {MAX_SIZE} can be given.")


def bucket_count(low: int, high: int, bucket_seconds: int, since: datetime, until: datetime) -> int:
    """Returns the number of buckets that reach from `low` to `high`: `since` and `until` in milliseconds since 1970.

    Raises:
        BadSettings: there is none, or there are more than `MAX_BUCKETS`.
    """
    if 1 <= bucket_seconds <= MAX_MOMENT // 1000:
        buckets = -((low - high) // (bucket_seconds * 1000))
        if 1 <= buckets <= MAX_BUCKETS:
            return buckets
    raise BadSettings(
        f"Buckets of {bucket_seconds} s from {since} to {until} make no series of 1 to {MAX_BUCKETS} buckets. "
        "Choose a longer bucket or a shorter time."
    )


def check_windows(window_seconds: int, past_windows: int) -> None:
    """Checks the windows that a trend is measured by.

    Raises:
        BadSettings: there are none, or they reach further back than `MAX_TREND_SECONDS`.
    """
    if window_seconds < 1 or not 1 <= past_windows <= MAX_BUCKETS or window_seconds * past_windows > MAX_TREND_SECONDS:
        limit = f"both must be at least 1, and together they may reach back {MAX_TREND_SECONDS // 86_400:,} days"
        raise BadSettings(f"{past_windows} past windows of {window_seconds} s: {limit}.")
