"""Timestamps as feeds write them, in UTC: ISO 8601, RFC 2822, X's old form, and numbers since 1970. Pure.

A day that spreadsheets write (`13/03/2024 10:30`, `2024-03-13 10:30 AM`) is read as a query reads it
(`tagstream/text/times.py`), where one day only can be meant.

The unit of a number is written nowhere, so its size tells it: seconds, milliseconds, microseconds and nanoseconds of
the years 1990 to 2100 do not overlap, and any other number is no timestamp. Text that names a date keeps that date,
whatever the year: a wrong clock is its author's. Text without a zone is in UTC. A zone by a name that RFC 2822 does not
know (`CEST`, `IST`) makes the text no timestamp, because guessing would move the post by hours.
"""

import math
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

from tagstream.text.times import parse_day_in_numbers

FORMS = (
    "ISO 8601, RFC 2822, a day such as 18/04/2013 that can be one only, or seconds, milliseconds, microseconds or "
    "nanoseconds since 1970, in the years 1990 to 2100"
)
LONGEST = 80

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND, _LAST_SECOND = 631_152_000, 4_102_444_800
_UNITS = (1, 1_000, 1_000_000, 1_000_000_000)
_DIGITS = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
_DATE_DIGITS = re.compile(r"[0-9]{8}")
_SLASHES = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2})(?=$|[ T])")
_SPACED_ZONE = re.compile(r"(?<=[0-9]) (?:UTC|GMT|Z|([+-][0-9]{2}:?[0-9]{2})(?: UTC)?)$")

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_CLOCK = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?"
_ZONE = r"(?:(?:UTC|GMT)?(?P<offset>[+-][0-9]{4})|(?P<zone>[A-Z]{1,3}))"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6},?\s+)?"
# `Thu May 02 10:00:00 +0000 2024`, the same without a zone, and what JavaScript prints.
_YEAR = "(?P<year>[0-9]{4})"
_DAY = "(?P<day>[0-9]{1,2})"
_COMMENT = r"(?:\s+\([^()]*\))?"
_YEAR_LAST = re.compile(rf"{_WEEKDAY}{_MONTH}\s+{_DAY}\s+{_CLOCK}(?:\s+{_ZONE})?\s+{_YEAR}", re.IGNORECASE)
_JAVASCRIPT = re.compile(rf"{_WEEKDAY}{_MONTH}\s+{_DAY}\s+{_YEAR}\s+{_CLOCK}\s+{_ZONE}{_COMMENT}", re.IGNORECASE)
_RFC_2822 = re.compile(rf"{_WEEKDAY}{_DAY}\s+{_MONTH}\s+{_YEAR}\s+{_CLOCK}(?:\s*{_ZONE}{_COMMENT})?", re.IGNORECASE)
# The zones that RFC 2822 knows by name, in hours; of its letters only the one that means UTC.
_ZONES = {"UTC": 0, "UT": 0, "GMT": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6}
_ZONES |= {"PST": -8, "PDT": -7}


def timestamp_of(value: object) -> datetime | None:
    """Reads a timestamp; returns None for a value that is none, or whose meaning cannot be told."""
    with suppress(ValueError, OverflowError):
        if isinstance(value, bool):
            return None
        if isinstance(value, int | float):
            return _of_number(value)
        if isinstance(value, str) and len(value) <= LONGEST:
            return _of_text(value.strip())
    return None


def why_no_timestamp(value: object) -> str:
    """Returns why a value that `timestamp_of` does not read is no timestamp."""
    if isinstance(value, str) and len(value) <= LONGEST:
        try:
            parse_day_in_numbers(value)
        except ValueError as error:
            return str(error)
        except OverflowError:
            return "it lies outside the calendar"
    return f"it must be a date: {FORMS}"


def _of_number(number: int | float) -> datetime | None:
    if isinstance(number, float) and not math.isfinite(number):
        return None
    for unit in _UNITS:
        if _FIRST_SECOND * unit <= number < _LAST_SECOND * unit:
            microseconds = number * 1_000_000 // unit if isinstance(number, int) else round(number * 1_000_000 / unit)
            return _EPOCH + timedelta(microseconds=microseconds)
    return None


def _of_text(text: str) -> datetime | None:
    if _DIGITS.fullmatch(text) and not _DATE_DIGITS.fullmatch(text):
        return _of_number(float(text) if "." in text else int(text))
    for form in (_YEAR_LAST, _RFC_2822, _JAVASCRIPT) if ":" in text and not text[:4].isdigit() else ():
        if parts := form.fullmatch(text):
            return _of_parts(parts.groupdict())
    try:
        parsed = datetime.fromisoformat(_SPACED_ZONE.sub(_zone_of_iso, _SLASHES.sub(r"\1-\2-\3", text)))
    except ValueError:
        return parse_day_in_numbers(text)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _zone_of_iso(spaced: re.Match[str]) -> str:
    return spaced[1] or "+00:00"


def _of_parts(parts: dict[str, str | None]) -> datetime | None:
    hours = _ZONES.get((parts["zone"] or "UTC").upper())
    if hours is None:
        return None
    offset = timedelta(hours=hours)
    if sign := parts["offset"]:
        offset = timedelta(hours=int(sign[:3]), minutes=int(sign[0] + sign[3:]))
    numbers = [int(parts[name] or 0) for name in ("year", "day", "hour", "minute", "second")]
    year, day, hour, minute, second = numbers
    month = _MONTHS.index((parts["month"] or "").lower()) + 1
    return datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset)).astimezone(UTC)
