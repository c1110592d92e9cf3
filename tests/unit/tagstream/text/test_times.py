"""Times and durations in the forms that people try."""

from contextlib import suppress
from datetime import UTC, datetime, time, timedelta, timezone
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagstream.text.times import ACCEPTED_TIMES, BadTime, parse_day_in_numbers, parse_duration, parse_time

NOW = datetime(2026, 3, 4, 15, 20, 30, tzinfo=UTC)  # a Wednesday
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-03-04T15:20:30"),
        ("2h", "2026-03-04T13:20:30"),
        ("2 H", "2026-03-04T13:20:30"),
        ("-2h", "2026-03-04T13:20:30"),
        ("now-2h", "2026-03-04T13:20:30"),
        ("last 2 hours", "2026-03-04T13:20:30"),
        ("2 hours ago", "2026-03-04T13:20:30"),
        ("1h30m", "2026-03-04T13:50:30"),
        ("1.5h", "2026-03-04T13:50:30"),
        ("an hour ago", "2026-03-04T14:20:30"),
        ("2 days 3 hours ago", "2026-03-02T12:20:30"),
        ("1mo", "2026-02-04T15:20:30"),
        ("3 months ago", "2025-12-04T15:20:30"),
        ("1y", "2025-03-04T15:20:30"),
        ("today", "2026-03-04"),
        (" Yesterday ", "2026-03-03"),
        ("tomorrow", "2026-03-05"),
        ("wednesday", "2026-03-04"),
        ("last wednesday", "2026-02-25"),
        ("THU", "2026-02-26"),
        ("last week", "2026-02-23"),
        ("this month", "2026-03-01"),
        ("last month", "2026-02-01"),
        ("last year", "2025-01-01"),
        ("9:30", "2026-03-04T09:30:00"),
        ("9am", "2026-03-04T09:00:00"),
        ("12am", "2026-03-04T00:00:00"),
        ("noon", "2026-03-04T12:00:00"),
        ("yesterday at 6pm", "2026-03-03T18:00:00"),
        ("18:00 yesterday", "2026-03-03T18:00:00"),
        ("monday 9:00", "2026-03-02T09:00:00"),
        ("8pm", "2026-03-03T20:00:00"),
        ("20:00", "2026-03-03T20:00:00"),
        ("15:21", "2026-03-03T15:21:00"),
        ("15:20", "2026-03-04T15:20:00"),
        ("17:00+02:00", "2026-03-04T15:00:00"),
        ("18:00+02:00", "2026-03-03T16:00:00"),
        ("01:00+14:00", "2026-03-04T11:00:00"),
        ("today 20:00", "2026-03-04T20:00:00"),
        ("wednesday 9:00", "2026-03-04T09:00:00"),
        ("wednesday 20:00", "2026-02-25T20:00:00"),
        ("20:00 wednesday", "2026-02-25T20:00:00"),
        ("last wednesday 20:00", "2026-02-25T20:00:00"),
        ("this morning", "2026-03-04T06:00:00"),
        ("tonight", "2026-03-04T18:00:00"),
        ("last night", "2026-03-03T18:00:00"),
        ("half an hour ago", "2026-03-04T14:50:30"),
        ("half a day", "2026-03-04T03:20:30"),
        ("18/04/2013", "2013-04-18"),
        ("18.4.2013", "2013-04-18"),
        ("04/18/2013", "2013-04-18"),
        ("4-4-2013", "2013-04-04"),
        ("18/04/2013 14:00", "2013-04-18T14:00:00"),
        ("2013-04-18 24:00", "2013-04-19"),
        ("20130418T240000Z", "2013-04-19"),
        ("24:00", "2026-03-04"),
        ("Thu Apr 18 01:00:00 +0000 2013", "2013-04-18T01:00:00"),
        ("Thu Apr 18 01:00:00 2013", "2013-04-18T01:00:00"),
        ("Thu, 18 Apr 2013 01:00:00 GMT", "2013-04-18T01:00:00"),
        ("Thu, 18 Apr 2013 01:00:00 +0200", "2013-04-17T23:00:00"),
        ("Thursday, April 18, 2013", "2013-04-18"),
        ("2026-03-01", "2026-03-01"),
        ("2026-3-1", "2026-03-01"),
        ("2026/03/01", "2026-03-01"),
        ("20260301", "2026-03-01"),
        ("2026-03", "2026-03-01"),
        ("2026", "2026-01-01"),
        ("2026-W10", "2026-03-02"),
        ("2026-060", "2026-03-01"),
        ("1 March 2026", "2026-03-01"),
        ("Mar 1, 2026", "2026-03-01"),
        ("march 2026", "2026-03-01"),
        ("december 31", "2025-12-31"),
        ("2026-03-01T12:30", "2026-03-01T12:30:00"),
        ("2026-03-01 12:30 UTC", "2026-03-01T12:30:00"),
        ("2026-03-01t12", "2026-03-01T12:00:00"),
        ("20260301T123015Z", "2026-03-01T12:30:15"),
        ("2026-03-01T01:30:15.25+02:00", "2026-02-28T23:30:15.250000"),
        ("1772323200", "2026-03-01"),
        ("1772323200000", "2026-03-01"),
        ("@5", "1970-01-01T00:00:05"),
    ],
)
def test_every_form_is_its_time(text: str, expected: str) -> None:
    assert parse_time(text, NOW) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Write 2026-03-01"),
        ("   ", "Write 2026-03-01"),
        ("2", "Write 2026-03-01"),
        ("soon", "Write 2026-03-01"),
        ("2h foo", "Write 2026-03-01"),
        ("yesterday yesterday", "Write 2026-03-01"),
        ("1h ago ago", "Write 2026-03-01"),
        ("2026-03-01 12:30 CET", "Write 2026-03-01"),
        ("٢h", "Write 2026-03-01"),
        ("x" * 100_000, "Write 2026-03-01"),
        ("1M", "minutes or months"),
        ("01/03/2026", "either way"),
        ("1.3.26", "either way"),
        ("18/04/13", "either way"),
        ("01/03/2026 12:00", "either way"),
        ("13/13/2013", "month must be"),
        ("00/18/2013", "month must be"),
        ("24:01", "hour must be"),
        ("2013-04-18 24:00:01", "hour must be"),
        ("Fri, 18 Apr 2013 01:00:00 GMT", "2013-04-18 is a Thursday"),
        ("Fri Apr 18 01:00:00 +0000 2013", "2013-04-18 is a Thursday"),
        ("monday 0900", "Write 2026-03-01"),
        ("half a month", "give days"),
        ("+2h", "only what is past"),
        ("in 2 hours", "only what is past"),
        ("2026-02-30", "day is out of range"),
        ("2026-13-01", "month must be"),
        ("2025-366", "no day 366"),
        ("25:00", "hour must be"),
        ("13pm", "no 13 pm"),
        ("1.5 months", "give days"),
        ("99999999h", "outside the calendar"),
        ("9999y", "calendar begins"),
        ("0001-01-01T00:00+10:00", "outside the calendar"),
        ("2026-03-01T12:30+99:00", "offset"),
    ],
)
def test_anything_else_is_refused_with_what_is_accepted(text: str, reason: str) -> None:
    with pytest.raises(BadTime) as refused:
        parse_time(text, NOW)
    assert reason in str(refused.value)
    assert ACCEPTED_TIMES in str(refused.value)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("13/03/2024 10:00", "2024-03-13T10:00:00"),
        ("3/13/2024 10:00:30 PM", "2024-03-13T22:00:30"),
        ("2024-03-13 10:00 am", "2024-03-13T10:00:00"),
        ("13.03.2024", "2024-03-13"),
    ],
)
def test_a_day_in_numbers_is_read(text: str, expected: str) -> None:
    assert parse_day_in_numbers(text) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "2h", "yesterday", "10:00", "2024", "2024-03", "20240313", "13/03/2024 soon"])
def test_no_other_time_is_a_day_in_numbers(text: str) -> None:
    assert parse_day_in_numbers(text) is None


@pytest.mark.parametrize("text", ["03/04/2024", "3.4.24 10:00"])
def test_a_day_in_numbers_that_may_be_two_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="either way"):
        parse_day_in_numbers(text)


@given(
    st.text(max_size=80) | st.from_regex(r"[0-9a-zA-Z :+./@-]{1,30}", fullmatch=True),
    st.datetimes(timezones=st.just(UTC)),
)
def test_any_text_is_a_time_in_utc_or_is_refused_at_once(text: str, now: datetime) -> None:
    start = process_time()
    with suppress(BadTime):
        assert parse_time(text, now).tzinfo is UTC
    assert process_time() - start < 0.05


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)), st.integers(-840, 840))
def test_iso_8601_is_read_as_the_standard_library_does(moment: datetime, minutes: int) -> None:
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_time(zoned.isoformat(), NOW) == zoned
    assert parse_time(moment.isoformat(sep=" "), NOW) == moment.replace(tzinfo=UTC)
    assert parse_time(f"{moment.date()}", NOW).date() == moment.date()


@given(
    st.integers(0, 9_999), st.sampled_from(sorted(UNITS)), st.sampled_from(["{}{}", "-{}{}", "{} {} ago", "last {} {}"])
)
def test_so_long_ago_is_now_less_that_long(number: int, unit: str, form: str) -> None:
    ago = timedelta(seconds=number * UNITS[unit])
    assert parse_time(form.format(number, unit), NOW) == NOW - ago
    assert parse_time(form.format(number, unit).upper().replace("M", "m"), NOW) == NOW - ago
    if number and ago <= timedelta(days=3650):
        assert parse_duration(f"{number}{unit}") == ago.total_seconds()


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)), st.sampled_from(["monday", "fri", "sunday"])
)
def test_a_weekday_is_the_latest_one(now: datetime, name: str) -> None:
    found = parse_time(name, now)
    assert found.strftime("%A").lower().startswith(name)
    assert timedelta() <= now - found < timedelta(days=7)
    assert parse_time(f"last {name}", now) < datetime(now.year, now.month, now.day, tzinfo=UTC)


@pytest.mark.parametrize(("hour", "tonight", "morning"), [(2, 3, 3), (7, 4, 4), (23, 4, 4)])
def test_a_night_lasts_until_the_morning(hour: int, tonight: int, morning: int) -> None:
    now = NOW.replace(hour=hour)
    assert parse_time("tonight", now) == datetime(2026, 3, tonight, 18, tzinfo=UTC)
    assert parse_time("last night", now) == datetime(2026, 3, 3, 18, tzinfo=UTC)
    assert parse_time("this morning", now) == datetime(2026, 3, morning, 6, tzinfo=UTC)


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    st.times(),
    st.sampled_from([("", 1), ("monday ", 7), ("on fri ", 7)]),
)
def test_a_time_of_day_is_the_latest_that_has_passed(now: datetime, clock: time, day: tuple[str, int]) -> None:
    found = parse_time(f"{day[0]}{clock:%H:%M:%S}", now)
    assert timedelta() <= now - found < timedelta(days=day[1])
    assert f"{found:%H:%M:%S}" == f"{clock:%H:%M:%S}"


@pytest.mark.parametrize(
    "text", ["", "h", "auto", "1", "0s", "0.5s", "1mo", "1M", "3651d", "2h ago", "-1h", "１h", "99999999999999999999d"]
)
def test_a_duration_has_a_number_and_a_unit(text: str) -> None:
    with pytest.raises(BadTime, match="90s, 15m, 6h"):
        parse_duration(text)


def test_durations_add_up() -> None:
    assert parse_duration("1h30m") == parse_duration("90 min") == parse_duration("1.5 Hours") == 5400
