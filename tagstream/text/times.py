"""Times and durations as people write them: `2h`, `yesterday`, `monday 9:00`, `2026-03-01T12:30`, `15m`.

::

    2h  90 min  1h30m  3 days ago  half an hour ago                   so long before now
    now  today  yesterday  monday  last week       days begin at midnight; a weekday is the latest one, today included
    9:30  8pm  noon  monday 9am                    the latest such time that has passed
    yesterday 18:00  today 20:00                   a time of that day
    this morning  tonight  last night              6:00 and 18:00 as they last began, 18:00 of yesterday
    2026-03-01  20260301  2026-03  2026  2026-W10  1 March 2026       the beginning of it
    18.4.2013  18/04/2013  04/18/2013              where only one of the numbers can be the month
    2026-03-01T12:30  2026-03-01 12:30+02:00  2026-03-01 24:00        ISO 8601
    Thu Apr 18 01:00:00 +0000 2013                 as tweets have it
    Thu, 18 Apr 2013 01:00:00 GMT                  RFC 2822
    1772323200  1772323200000  @1772323200         seconds, or milliseconds, since 1970

Everything is in UTC where no zone is named. What is ambiguous is refused: `01/03/2026`, `1M`, `CET`. Pure: `now` is
given.
"""

import re
from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import NamedTuple

ACCEPTED_TIMES = (
    "2026-03-01, 2026-03-01T12:30 (UTC, or with a zone such as +02:00), 2h, 3 days ago, now, today, yesterday, monday, "
    "monday 9:00"
)
ACCEPTED_DURATIONS = "90s, 15m, 6h, 2d, 1w or 1h30m"
LONGEST_DURATION_SECONDS = 3650 * 86_400

_LONGEST_TEXT = 64
_SHOWN = 40
_UNITS = {
    "second": ("s", "sec", "secs", "second", "seconds"),
    "minute": ("m", "min", "mins", "minute", "minutes"),
    "hour": ("h", "hr", "hrs", "hour", "hours"),
    "day": ("d", "day", "days"),
    "week": ("w", "wk", "wks", "week", "weeks"),
    "month": ("mo", "mon", "mos", "month", "months"),
    "year": ("y", "yr", "yrs", "year", "years"),
}
_UNIT_OF = {spelling: unit for unit, spellings in _UNITS.items() for spelling in spellings}
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
# Any moment serves where a day is written out.
_ANY = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = {"today": 0, "yesterday": -1, "tomorrow": 1}

_MORNING = timedelta(hours=6)
_EVENING = timedelta(hours=18)
_DAY = timedelta(days=1)
_WEEK_LONG = timedelta(days=7)

_STEP = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,6})?|half(?: an?)?\b|an?\b)\s*([a-z]+)\s*,?", re.ASCII)
_ZONE = r"(?P<zone>\s*(?:z|utc|gmt)|\s?[+-][0-9]{2}(?::?[0-9]{2})?)?"
_CLOCK = re.compile(
    r"(?:(?P<word>noon|midnight)"
    r"|(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?)?"
    r"\s*(?P<half>am|pm)?)" + _ZONE,
    re.ASCII,
)
_BASIC_CLOCK = re.compile(r"(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<second>[0-9]{2})?" + _ZONE, re.ASCII)
_NUMBERED_DAY = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})|([0-9]{4})([0-9]{2})([0-9]{2})", re.ASCII)
_WEEK = re.compile(r"([0-9]{4})-?w([0-9]{2})(?:-?([1-7]))?", re.ASCII)
_ORDINAL = re.compile(r"([0-9]{4})-([0-9]{3})", re.ASCII)
_MONTH = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?", re.ASCII)
_NAMED_DAY = re.compile(r"(?:the )?([0-9]{1,2})(?:st|nd|rd|th)?(?: of)? ([a-z]+)\.?(?:,? ([0-9]{4}))?", re.ASCII)
_DAY_OF_MONTH = re.compile(r"([a-z]+)\.? ([0-9]{1,2})(?:st|nd|rd|th)?(?:,? ([0-9]{4}))?", re.ASCII)
_NAMED_MONTH = re.compile(r"([a-z]+)\.? ([0-9]{4})", re.ASCII)
_EPOCH = re.compile(r"@?([0-9]{9,10}|[0-9]{12,13})(?:\.[0-9]{1,9})?|@[0-9]{1,13}", re.ASCII)
_YEAR_LAST = re.compile(r"([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{2,4})", re.ASCII)
_IN_NUMBERS = re.compile(
    r"(?:[0-9]{4}([-/.])[0-9]{1,2}\1[0-9]{1,2}|[0-9]{1,2}([-/.])[0-9]{1,2}\2[0-9]{2,4})(?:$|[ t,_]+[0-9])", re.ASCII
)
# `Thu Apr 18 01:00:00 +0000 2013`, and `Thu, ` before a date that says it all.
_YEAR_AFTER_CLOCK = re.compile(
    r"(?P<day>(?:[a-z]{3,9},? )?[a-z]{3,9} [0-9]{1,2}) (?P<clock>[0-9]{1,2}:[^ ]+(?: (?:[+-][0-9]{4}|utc|gmt))?) "
    r"(?P<year>[0-9]{4})",
    re.ASCII,
)
_NAMED_WEEKDAY = re.compile(
    r"([a-z]{3,9}),? ((?:[0-9]{1,2} [a-z]{3,9}|[a-z]{3,9} [0-9]{1,2}),? [0-9]{4}\b.*|[0-9]{4}-[0-9]{2}-[0-9]{2}\b.*)",
    re.ASCII,
)


class _Clock(NamedTuple):
    """A time of day: 24:00 is the end of the day."""

    since_midnight: timedelta
    zone: timezone


class BadTime(ValueError):
    """A text that is no time or no duration; the message says why, and what is one."""


def parse_time(text: str, now: datetime) -> datetime:
    """Returns the UTC time that the text names.

    Args:
        text: a time as in the head of this module.
        now: the present time, from which relative ones count.

    Raises:
        BadTime: the text names no time, or more than one.
    """
    wanted = " ".join(text.lower().split()) if len(text) <= _LONGEST_TEXT else ""
    try:
        found = _parse(wanted, text, now.astimezone(UTC)) if wanted else None
    except OverflowError:
        raise BadTime(f"{_shown(text)} lies outside the calendar. Write {ACCEPTED_TIMES}") from None
    except ValueError as error:
        raise BadTime(f"{_shown(text)} is not a time: {error}. Write {ACCEPTED_TIMES}") from None
    if found is None:
        raise BadTime(f"{_shown(text)} is not a time. Write {ACCEPTED_TIMES}")
    return found


def parse_day_in_numbers(text: str) -> datetime | None:
    """Returns the UTC time of a day that is written in numbers, alone or with a time of day; None for other text.

    Raises:
        ValueError: there is no such time, or the day and the month could be meant either way; the message says which.
    """
    wanted = " ".join(text.lower().split()) if len(text) <= _LONGEST_TEXT else ""
    found = _day_with_clock(wanted, _ANY, _ANY) if _IN_NUMBERS.match(wanted) else None
    return found and found.astimezone(UTC)


def parse_duration(text: str) -> int:
    """Returns the seconds of a duration.

    Raises:
        BadTime: the text is no duration, or one of less than a second or more than ten years.
    """
    wanted = " ".join(text.lower().split()) if len(text) <= _LONGEST_TEXT else ""
    steps = [] if _is_month_or_minute(text) else _steps(wanted)
    seconds = 0.0
    for number, unit in steps or []:
        seconds += number * _SECONDS.get(unit, 0)
        if unit not in _SECONDS:
            steps = None
    if not steps or not 1 <= seconds <= LONGEST_DURATION_SECONDS or seconds != int(seconds):
        raise BadTime(f"{_shown(text)} is not a duration such as {ACCEPTED_DURATIONS} (at most 3650d)")
    return int(seconds)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _parse(wanted: str, written: str, now: datetime) -> datetime | None:
    if _is_month_or_minute(written):
        raise ValueError("M may be minutes or months: 1m is a minute, 1mo a month")
    if wanted.startswith("+") or wanted.startswith("in "):
        raise ValueError("only what is past counts from now")
    midnight = datetime.combine(now.date(), time(), UTC)
    for attempt in (_relative, _epoch, _part_of_day, _written_out, _day_with_clock):
        found = attempt(wanted, now, midnight)
        if found is not None:
            return found.astimezone(UTC)
    return None


def _is_month_or_minute(text: str) -> bool:
    return re.fullmatch(r"-?\s*[0-9]+\s*M(\s+ago)?", text.strip(), re.ASCII) is not None


def _relative(wanted: str, now: datetime, _: datetime) -> datetime | None:
    if wanted == "now":
        return now
    wanted = re.sub(r"^(now ?- ?|-|the last |last |the past |past )\s*(?=[0-9])", "", wanted)
    steps = _steps(wanted.removesuffix(" ago"))
    if steps is None:
        return None
    for number, unit in steps:
        if unit in _SECONDS:
            now -= timedelta(seconds=number * _SECONDS[unit])
        elif number != int(number):
            raise ValueError(f"a part of a {unit} is no length of its own: give days")
        else:
            now = _months_before(now, int(number) * (12 if unit == "year" else 1))
    return now


def _steps(wanted: str) -> list[tuple[float, str]] | None:
    """Returns the numbers and units of `1h30m` or `2 days`, None if the text has anything else in it."""
    steps, at = [], 0
    while at < len(wanted):
        match = _STEP.match(wanted, at)
        if match is None or match[2] not in _UNIT_OF:
            return None
        words = {"a": 1.0, "h": 0.5}
        steps.append((words.get(match[1][0]) or float(match[1]), _UNIT_OF[match[2]]))
        at = match.end()
    return steps or None


def _months_before(moment: datetime, months: int) -> datetime:
    """Returns the same day so many months before, or the last of a month that is shorter."""
    years, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    if years < 1:
        raise ValueError("the calendar begins with the year 1")
    return moment.replace(year=years, month=month + 1, day=min(moment.day, monthrange(years, month + 1)[1]))


def _epoch(wanted: str, _: datetime, __: datetime) -> datetime | None:
    if not _EPOCH.fullmatch(wanted):
        return None
    digits = wanted.removeprefix("@")
    scale = 1000 if len(digits.partition(".")[0]) > 10 else 1
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(digits) / scale)


def _part_of_day(wanted: str, now: datetime, midnight: datetime) -> datetime | None:
    """Returns when a part of the day began that people name; a night lasts until the morning."""
    match wanted:
        case "this morning":
            return _latest(midnight + _MORNING, now, _DAY)
        case "tonight":
            return midnight + _EVENING - (_DAY if now - midnight < _MORNING else timedelta())
        case "last night":
            return midnight + _EVENING - _DAY
    return None


def _written_out(wanted: str, now: datetime, midnight: datetime) -> datetime | None:
    """Reads a date as tweets and mails have it: with its weekday, which must be that of the date."""
    if match := _YEAR_AFTER_CLOCK.fullmatch(wanted):
        wanted = f"{match['day']} {match['year']} {match['clock']}"
    named = _NAMED_WEEKDAY.fullmatch(wanted)
    if named is None:
        return _day_with_clock(wanted, now, midnight) if match else None
    index = _index_of(named[1], _WEEKDAYS)
    found = None if index is None else _day_with_clock(named[2], now, midnight)
    if found is not None and found.weekday() != index:
        raise ValueError(f"{found:%Y-%m-%d} is a {_WEEKDAYS[found.weekday()].title()}")
    return found


def _latest(moment: datetime, now: datetime, every: timedelta) -> datetime:
    """Returns the latest moment that has passed of those that return after so long."""
    return now - (now - moment) % every


def _day_with_clock(wanted: str, now: datetime, midnight: datetime) -> datetime | None:
    """Reads a day, a time of day, or both, in the orders `DAY CLOCK`, `DAYtCLOCK` and `CLOCK DAY`."""
    clock = _clock(wanted)
    if clock is not None and not wanted.isdigit():
        return _latest(_at(midnight, clock), now, _DAY)
    day = _day(wanted, midnight)
    if day is not None:
        return day
    splits = [match.span() for match in re.finditer(r"(?<=[0-9])t(?=[0-9])|_|,? at |,? ", wanted)]
    for start, end in splits:
        first, second = wanted[:start], wanted[end:]
        for day_text, clock_text in ((first, second), (second, first)):
            day, clock = _day(day_text, midnight), _clock(clock_text, basic=wanted[start:end] == "t")
            if day is None or clock is None:
                continue
            found = _at(day, clock)
            returns = _weekday(day_text, midnight) is not None and not day_text.startswith("last ")
            return _latest(found, now, _WEEK_LONG) if returns else found
    return None


def _at(day: datetime, clock: _Clock) -> datetime:
    return datetime.combine(day.date(), time(), clock.zone) + clock.since_midnight


def _clock(text: str, *, basic: bool = False) -> _Clock | None:
    """Returns the time of day, with its zone; `basic` allows the forms `12` and `1230` of ISO 8601."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        match = _BASIC_CLOCK.fullmatch(text) if basic else None
        return None if match is None else _time(int(match[1]), int(match[2]), int(match[3] or 0), 0, match["zone"])
    if match["word"]:
        return _time(12 if match["word"] == "noon" else 0, 0, 0, 0, match["zone"])
    if match["minute"] is None and match["half"] is None and not basic:
        return None
    hour = int(match["hour"])
    if match["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(f"there is no {hour} {match['half']}")
        hour = hour % 12 + (12 if match["half"] == "pm" else 0)
    microseconds = int((match["fraction"] or "0")[:6].ljust(6, "0"))
    return _time(hour, int(match["minute"] or 0), int(match["second"] or 0), microseconds, match["zone"])


def _time(hour: int, minute: int, second: int, microsecond: int, zone: str | None) -> _Clock:
    ended = (hour, minute, second, microsecond) == (24, 0, 0, 0)
    of_day = time(0 if ended else hour, minute, second, microsecond)
    since_midnight = _DAY if ended else datetime.combine(date.min, of_day) - datetime.combine(date.min, time())
    return _Clock(since_midnight, _offset((zone or "").strip()))


def _offset(zone: str) -> timezone:
    if zone in ("", "z", "utc", "gmt"):
        return UTC
    digits = zone[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
    if int(digits[2:] or 0) > 59:
        raise ValueError(f"{zone} is no offset of a zone")
    return timezone(timedelta(minutes=minutes if zone[0] == "+" else -minutes))


def _day(text: str, midnight: datetime) -> datetime | None:
    """Returns the beginning of the day, week, month or year of that name."""
    if text in _DAYS:
        return midnight + timedelta(days=_DAYS[text])
    found = _named_span(text, midnight) or _weekday(text, midnight) or _dated(text)
    return found or _with_month_name(text, midnight)


def _named_span(text: str, midnight: datetime) -> datetime | None:
    which, _, span = text.partition(" ")
    if which not in ("this", "last") or span not in ("week", "month", "year"):
        return None
    back = which == "last"
    if span == "week":
        return midnight - timedelta(days=midnight.weekday() + 7 * back)
    first = midnight.replace(day=1) if span == "month" else midnight.replace(month=1, day=1)
    return _months_before(first, (1 if span == "month" else 12) * back)


def _weekday(text: str, midnight: datetime) -> datetime | None:
    which, _, name = text.rpartition(" ")
    index = _index_of(name, _WEEKDAYS)
    if index is None or which not in ("", "last", "this", "on"):
        return None
    back = (midnight.weekday() - index) % 7
    return midnight - timedelta(days=back or (7 if which == "last" else 0))


def _index_of(name: str, names: tuple[str, ...]) -> int | None:
    """Returns the place of the name, of which the first three letters suffice."""
    return next((at for at, whole in enumerate(names) if len(name) >= 3 and whole.startswith(name)), None)


def _dated(text: str) -> datetime | None:
    if match := _NUMBERED_DAY.fullmatch(text):
        year, month, day = (
            (int(part) for part in match.group(1, 3, 4) if part) if match[1] else map(int, match.group(5, 6, 7))
        )
        return datetime(year, month, day, tzinfo=UTC)
    if match := _YEAR_LAST.fullmatch(text):
        return _with_year_last(*match.groups())
    if match := _WEEK.fullmatch(text):
        day_of_week = date.fromisocalendar(int(match[1]), int(match[2]), int(match[3] or 1))
        return datetime.combine(day_of_week, time(), UTC)
    if match := _ORDINAL.fullmatch(text):
        year, ordinal = int(match[1]), int(match[2])
        found = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=ordinal - 1)
        if found.year != year:
            raise ValueError(f"the year {year} has no day {ordinal}")
        return found
    if match := _MONTH.fullmatch(text):
        return datetime(int(match[1]), int(match[2] or 1), 1, tzinfo=UTC)
    return None


def _with_year_last(first: str, second: str, year: str) -> datetime:
    """Reads `18/04/2013` and `04/18/2013`: a number over 12 is no month."""
    if len(year) != 4 or (first != second and int(first) <= 12 and int(second) <= 12):
        raise ValueError("the day and the month could be meant either way; begin with the year")
    day, month = (second, first) if int(second) > 12 else (first, second)
    return datetime(int(year), int(month), int(day), tzinfo=UTC)


def _with_month_name(text: str, midnight: datetime) -> datetime | None:
    """Reads `1 March 2026`, `March 1`, `March 2026`; without a year it is the latest such day."""
    day = "1"
    if match := _NAMED_DAY.fullmatch(text):
        day, name, year = match.groups()
    elif match := _DAY_OF_MONTH.fullmatch(text):
        name, day, year = match.groups()
    elif match := _NAMED_MONTH.fullmatch(text):
        name, year = match.groups()
    else:
        return None
    index = _index_of(name, _MONTHS)
    if index is None:
        return None
    if year is not None:
        return datetime(int(year), index + 1, int(day), tzinfo=UTC)
    found = datetime(midnight.year, index + 1, int(day), tzinfo=UTC)
    return found if found <= midnight else found.replace(year=found.year - 1)
