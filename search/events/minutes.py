"""Minutes as numbers: whole minutes since 1970, by which all parts of the detector count."""

from datetime import UTC, datetime, timedelta

MINUTE = timedelta(minutes=1)
HOUR = 60
DAY = 24 * HOUR
WEEK = 7 * DAY

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def minute_of(timestamp: datetime) -> datetime:
    """Returns the start of the timestamp's minute, in UTC."""
    return timestamp.astimezone(UTC).replace(second=0, microsecond=0)


def to_number(minute: datetime) -> int:
    """Returns the whole minutes from 1970 to the timestamp."""
    return (minute - _EPOCH) // MINUTE


def to_minute(number: int) -> datetime:
    """Returns the minute that is `number` minutes after 1970."""
    return _EPOCH + number * MINUTE
