"""Dates as feeds write them, in whatever form, zone and language, as seconds since 1970. Pure.

The forms are RFC 822, ISO 8601, `ctime`, JavaScript's, seconds and milliseconds since 1970, `2024년 5월 2일`, and a
day, a month (by its name in many languages) and a year in any order, with or without a time of 12 or 24 hours and a
zone. A time without a zone is UTC; a zone may be named by a place (`Europe/Istanbul`). `3/4/2024` is read only where
the language tells which is the day, or one is over 12.

Nothing is guessed: a text that lacks a year, a month or a day, a day that no calendar has, and what programs write for
"no date" (the years 0 to 1899, the first day of 1970) are no date. The caller decides what stands for it.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from ingest.sources.rss.timestamps.months import folded, half_of, month_of
from ingest.sources.rss.timestamps.zones import (
    minutes_of_country,
    minutes_of_place,
    minutes_of_zone,
    shortened,
    without_place,
)
from tagstream.text.safe_text import normalise

MAX_DATE_LENGTH = 120
_FIRST_YEAR = 1900
_LAST_YEAR = 9998
_NO_DATE_BEFORE_SECONDS = 86_400
_BUDDHIST_YEARS = 543
_THAI = re.compile("[\u0e00-\u0e7f]")
_EPOCH = re.compile(r"[0-9]{9,10}(?:\.[0-9]+)?|[0-9]{13}|[0-9]{16}")
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:T?([0-9]{2})([0-9]{2})([0-9]{2})?)?")
_YEAR_AND_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_DAY_OF_CHARACTERS = re.compile(r"([0-9]{4})\s?[年년],?\s?([0-9]{1,2})\s?[月월],?\s?([0-9]{1,2})\s?[日号號일]?")
_TIME_OF_CHARACTERS = re.compile(
    r"([0-9]{1,2})\s?[時时시点點](?:\s?([0-9]{1,2})\s?[分분])?(?:\s?([0-9]{1,2})\s?[秒초])?"
)
_TIME = re.compile(r"(?<![0-9:.])([0-9]{1,2})(?::|\s?h\s?)([0-9]{2})(?:[:.]([0-9]{2}))?(?:[.,][0-9]{1,9})?(?![0-9:])")
_BARE_HOUR = re.compile(r"(?<![0-9:./-])([0-9]{1,2})()()(?=\s?[ap]\.?\s?m\b)")
_DOTTED_TIME = re.compile(r"(?<![0-9:.])([0-9]{1,2})\.([0-9]{2})(?:\.([0-9]{2}))?(?![0-9:.])")
_OFFSET = re.compile(r"([+\u2212-])([0-9]{1,2})(?::?([0-9]{2}))?(?![0-9])")
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0900-\u0dff\u0e00-\u109f.'’׳])*")
_YEAR_FIRST = re.compile(r"(?<![0-9])([0-9]{4})[-/.]\s?([0-9]{1,2})[-/.]\s?([0-9]{1,2})(?![0-9])")
_YEAR_LAST = re.compile(r"(?<![0-9])([0-9]{1,2})([-/.])\s?([0-9]{1,2})\2\s?([0-9]{4}|[0-9]{2})(?![0-9])")
_VIETNAMESE = re.compile(r"\b(?:thang|thg)\s?([0-9]{1,2})\b")
_NUMBER = re.compile(r"[0-9]+")
_MONTH_FIRST = frozenset({"en-us", "en-ph", "es-us", "es-pr"})


@dataclass(frozen=True, slots=True)
class _Time:
    hour: int
    minute: int
    second: int
    before: str
    after: str


def read_date(text_of_date: str, language: str = "") -> int | None:
    """Reads a date; returns None for a text that is none.

    `language` is the tag of the feed's language, "" where it is unknown.
    """
    if len(text_of_date) > MAX_DATE_LENGTH:
        return None
    text = _plain(text_of_date)
    try:
        timestamp = _epoch(text) or _compact(text) or _written(text, language)
    except (ValueError, OverflowError):  # no such day or hour
        return None
    if timestamp is None or not _FIRST_YEAR <= timestamp.year <= _LAST_YEAR:
        return None
    seconds = int((timestamp - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    return None if 0 <= seconds < _NO_DATE_BEFORE_SECONDS else seconds


def _plain(text_of_date: str) -> str:
    """Returns the text on one line, with digits and signs of ASCII."""
    text = normalise("NFKC", " ".join(text_of_date.split()))
    return "".join(str(unicodedata.decimal(character)) if character.isdecimal() else character for character in text)


def _epoch(text: str) -> datetime | None:
    if not _EPOCH.fullmatch(text):
        return None
    epoch = float(text)
    return datetime.fromtimestamp(epoch / {13: 1e3, 16: 1e6}.get(len(text), 1), UTC)


def _compact(text: str) -> datetime | None:
    found = _COMPACT.fullmatch(text.removesuffix("Z"))
    if found is not None:
        return datetime(*(int(part or 0) for part in found.groups()), tzinfo=UTC)  # type: ignore[misc, arg-type]
    month = _YEAR_AND_MONTH.fullmatch(text)
    return datetime(int(month[1]), int(month[2]), 1, tzinfo=UTC) if month else None


def _written(text: str, language: str) -> datetime | None:
    text, zone_place = without_place(re.sub(r"(?<=[0-9])[Tt](?=[0-9])", " ", text))
    time = _time(text, language)
    rest = text if time is None else f"{time.before} | {time.after}"
    day = _day(rest, language)
    if day is None and time is None:
        return None
    if day is None or time is None:
        return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)
    timestamp = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(
        hours=time.hour, minutes=time.minute, seconds=time.second
    )
    east = _zone(time.after, language, day)
    if east is None:
        east = minutes_of_place(zone_place, timestamp) if zone_place else minutes_of_country(time.after, timestamp)
    return timestamp - timedelta(minutes=east or 0)


def _time(text: str, language: str) -> _Time | None:
    """Finds the time of day, and the text before and after it."""
    whole_day = _YEAR_LAST.search(text)
    without_day = text if whole_day is None else text.replace(whole_day[0], "|" * len(whole_day[0]))
    found = (
        _TIME.search(text)
        or _TIME_OF_CHARACTERS.search(text)
        or _BARE_HOUR.search(text.lower())
        or _DOTTED_TIME.search(without_day)
    )
    if found is None:
        return None
    hour, minute, second = (int(part or 0) for part in found.groups())
    before, after = text[: found.start()], text[found.end() :]
    half = _half(before, after, language)
    if half is not None and hour <= 12:
        hour = hour % 12 + half
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and minute):
        raise ValueError(f"no such time: {text}")
    return _Time(hour, minute, min(second, 59), before, after)


def _half(before: str, after: str, language: str) -> int | None:
    """Finds the half of the day next to the time, in one word or two (`p. m.`)."""
    following = [word[0] for word in _WORD.finditer(folded(after.lstrip()))][:2]
    preceding = [word[0] for word in _WORD.finditer(folded(before))][-1:]
    for words in (following[:1], following, preceding):
        half = half_of("".join(words), language) if words else None
        if half is not None:
            return half
    return None


def _zone(after: str, language: str, day: date) -> int | None:
    """Returns the minutes east of Greenwich after the time: a difference, else a name; None where there is neither."""
    for found in _OFFSET.finditer(after):
        minutes = int(found[2]) * 60 + int(found[3] or 0)
        if minutes <= 14 * 60 and int(found[3] or 0) < 60:
            return minutes if found[1] == "+" else -minutes
    for word in re.findall(r"[a-z]+", shortened(after)):
        minutes_east = minutes_of_zone(word, language, day)
        if minutes_east is not None:
            return minutes_east
    return None


def _day(text: str, language: str) -> date | None:
    found = _DAY_OF_CHARACTERS.search(text) or _YEAR_FIRST.search(text)
    if found is not None:
        return _date(text, language, int(found[1]), int(found[2]), int(found[3]))
    words = folded(text)
    # The last one, because short names of weekdays come first and some are months elsewhere (`mar, 2 may 2024`).
    for word in reversed(list(_WORD.finditer(words))):
        month = month_of(word[0], language)
        if month is not None:
            return _around(text, words[: word.start()] + " " + words[word.end() :], month, language)
    vietnamese = _VIETNAMESE.search(words)
    if vietnamese is not None:
        return _around(text, words.replace(vietnamese[0], " ", 1), int(vietnamese[1]), language)
    numeric = _YEAR_LAST.search(text)
    return None if numeric is None else _of_numbers(text, numeric, language)


def _around(text: str, rest: str, month: int, language: str) -> date | None:
    """Finds the day of a month by the numbers beside it: first the day, then the year."""
    numbers = _NUMBER.findall(rest)
    days = [int(epoch) for epoch in numbers if len(epoch) <= 2]
    years = [int(epoch) for epoch in numbers if len(epoch) == 4]
    if not days:
        return None
    if years:
        return _date(text, language, years[0], month, days[0])
    return _date(text, language, _whole_year(days[1]), month, days[0]) if len(days) > 1 else None


def _of_numbers(text: str, found: re.Match[str], language: str) -> date | None:
    """Reads a day and a month from their numbers; returns None where nobody can tell which is which."""
    first, second, year = int(found[1]), int(found[3]), int(found[4])
    if len(found[4]) == 2 and found[2] == "-":
        return None  # as likely the year first
    year = _whole_year(year) if len(found[4]) == 2 else year
    if second > 12 or language.lower() in _MONTH_FIRST:
        return _date(text, language, year, first, second)
    if found[2] == "." or first > 12 or first == second or language.lower() not in ("", "en", "und"):
        return _date(text, language, year, second, first)
    return None


def _date(text: str, language: str, year: int, month: int, day: int) -> date:
    if 2400 <= year < 2700 and (_THAI.search(text) or language.lower().startswith("th")):
        year -= _BUDDHIST_YEARS
    return date(year, month, day)


def _whole_year(year: int) -> int:
    return year + (2000 if year < 70 else 1900)
