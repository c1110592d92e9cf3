"""Dates as feeds write them, and what is none."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.rss.timestamps.dates import MAX_DATE_LENGTH, read_date
from ingest.sources.rss.timestamps.months import TABLE, table_of_cldr


def moment(said: str, language: str = "") -> str | None:
    seconds = read_date(said, language)
    return None if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("zone", "utc"),
    [
        ("GMT", "14:30"),
        ("Z", "14:30"),
        ("+0200", "12:30"),
        ("+02:00", "12:30"),
        ("-0430", "19:00"),
        ("GMT+2", "12:30"),
        ("UTC+02:00", "12:30"),
        ("CET", "13:30"),
        ("CEST", "12:30"),
        ("MESZ", "12:30"),
        ("EET", "12:30"),
        ("EEST", "11:30"),
        ("WEST", "13:30"),
        ("BST", "13:30"),
        ("MSK", "11:30"),
        ("IST", "09:00"),
        ("PKT", "09:30"),
        ("SGT", "06:30"),
        ("HKT", "06:30"),
        ("JST", "05:30"),
        ("KST", "05:30"),
        ("AEST", "04:30"),
        ("NZST", "02:30"),
        ("NPT", "08:45"),
        ("EST", "19:30"),
        ("EDT", "18:30"),
        ("CST", "20:30"),
        ("PDT", "21:30"),
        ("ET", "18:30"),
        ("BRT", "17:30"),
        ("NST", "18:00"),
        ("(CEST)", "12:30"),
        ("Central European Summer Time", "12:30"),
        ("Eastern Daylight Time", "18:30"),
        ("British Summer Time", "13:30"),
        ("Europe/Istanbul", "11:30"),
        ("europe/istanbul", "11:30"),
        ("(Asia/Kolkata)", "09:00"),
        ("+03:00[Europe/Istanbul]", "11:30"),
        ("[America/Argentina/Buenos_Aires]", "17:30"),
        ("Etc/GMT+3", "17:30"),
        ("US/Eastern", "18:30"),
        ("Turkey", "11:30"),
        ("XYZT", "14:30"),
        ("", "14:30"),
    ],
)
def test_zones(zone: str, utc: str) -> None:
    assert moment(f"Thu, 02 May 2024 14:30:00 {zone}") == f"2024-05-02 {utc}"
    assert moment(f"2024-05-02T14:30:00 {zone}") == f"2024-05-02 {utc}"


@pytest.mark.parametrize(
    ("zone", "language", "utc"),
    [("CST", "zh-CN", "06:30"), ("IST", "he", "12:30"), ("IST", "en-IE", "13:30"), ("BST", "bn", "08:30")],
)
def test_a_name_of_several_zones_is_what_it_is_where_the_language_is_spoken(zone: str, language: str, utc: str) -> None:
    assert moment(f"2024-05-02 14:30 {zone}", language) == f"2024-05-02 {utc}"


def test_the_time_of_the_east_coast_is_that_of_the_season() -> None:
    assert moment("10 Mar 2024 12:00 ET") == "2024-03-10 16:00"
    assert moment("9 Mar 2024 12:00 ET") == "2024-03-09 17:00"
    assert moment("3 Nov 2024 12:00 PT") == "2024-11-03 20:00"
    assert moment("2 Jan 2024 12:00 America/New_York") == "2024-01-02 17:00"
    assert moment("2 Jul 2024 12:00 America/New_York") == "2024-07-02 16:00"


@pytest.mark.parametrize(
    "said",
    [
        "May 2, 2024 2:30 PM",
        "2 May 2024 2:30 p.m.",
        "2:30 PM - 2 May 2024",
        "Thursday, May 2nd, 2024 at 2:30pm",
        "Thu May  2 14:30:00 2024",
        "Thu May 02 2024 16:30:00 GMT+0200 (Central European Summer Time)",
        "Thu May 2 16:30:00 CEST 2024",
        "2024-05-02T14:30:00.123456Z",
        "2024-05-02t14:30:00z",
        "20240502T143000Z",
        "2024/05/02 14:30",
        "2-May-2024 14:30:00",
        "Thu, 2 May 24 14:30 GMT",
        "1714660200",
        "1714660200.5",
        "1714660200000",
        "1714660200000000",
        "2024년 5월 2일 오후 2:30",
        "2024년 5월 2일 14시 30분",
        "2024年5月2日 14:30",
        "2024年5月2日 下午2时30分",
        "２０２４年５月２日　１４：３０",
        "2. Mai 2024, 14:30 Uhr",
        "Do, 02 Mai 2024 14:30:00 +0000",
        "2 mai 2024 à 14h30",
        "2 mai 2024 à 14 h 30",
        "mar. 2 mai 2024 14:30",
        "2 de mayo de 2024 14:30",
        "mar, 02 may 2024 14:30:00",
        "2 de maio de 2024 às 14:30",
        "2 maggio 2024 14:30",
        "2 мая 2024 г., 14:30",
        "2 травня 2024 14:30",
        "2 Mayıs 2024 14:30",
        "2 maja 2024 14:30",
        "2 mei 2024 14:30",
        "٢ مايو ٢٠٢٤ ١٤:٣٠",
        "2 أيار 2024 14:30",
        "الخميس, ٠٢ مايو ٢٠٢٤ ٢:٣٠ م",
        "2 במאי 2024 14:30",
        "2 พ.ค. 2567 14:30",
        "2 मई 2024 14:30",
        "2 tháng 5, 2024 14:30",
        "2. května 2024 14:30",
        "2 toukokuuta 2024 klo 14.30",
        "2024. május 2. 14:30",
        "02.05.2024 14:30",
        "02.05.2024 14.30",
    ],
)
def test_forms_and_languages(said: str) -> None:
    assert moment(said) == "2024-05-02 14:30"


@pytest.mark.parametrize(
    ("said", "language", "utc"),
    [
        ("13/05/2024", "", "2024-05-13 00:00"),
        ("05/13/2024", "", "2024-05-13 00:00"),
        ("02/05/2024", "fr", "2024-05-02 00:00"),
        ("02/05/2024", "en-GB", "2024-05-02 00:00"),
        ("02/05/2024", "en-US", "2024-02-05 00:00"),
        ("05/05/2024", "", "2024-05-05 00:00"),
        ("02/05/2024", "", None),
        ("02/05/2024", "en", None),
        ("24-05-02", "", None),
        ("2 listopada 2024", "pl", "2024-11-02 00:00"),
        ("2 listopada 2024", "hr", "2024-10-02 00:00"),
        ("2 listopada 2024", "", None),
        ("2 May 2024 12:30 AM", "", "2024-05-02 00:30"),
        ("2 May 2024 12:30 PM", "", "2024-05-02 12:30"),
        ("2 May 2024 24:00", "", "2024-05-03 00:00"),
        ("2 May 2024 23:59:60", "", "2024-05-02 23:59"),
        ("2567-05-02", "th", "2024-05-02 00:00"),
        ("2 de maio de 2024 9:30 em Lisboa", "pt", "2024-05-02 09:30"),
        ("2 maj 2024 9:30 em", "sv", "2024-05-02 21:30"),
    ],
)
def test_what_depends_on_the_language_or_on_the_numbers(said: str, language: str, utc: str | None) -> None:
    assert moment(said, language) == utc


@pytest.mark.parametrize(
    "said",
    [
        *(
            "",
            " ",
            "now",
            "yesterday",
            "2 hours ago",
            "May 2024",
            "2024",
            "Thursday",
            "14:30",
            "null",
            "0",
            "2024-02-30",
            "2 May 2024 14:30 Europe/Nowhere",
            "2 May 2024 14:30 America/New York",
            "31 Dec 9999 14:30 Europe/Istanbul",
        ),
        *("2024-13-01", "2 May 2024 25:00", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "0000-00-00 00:00:00"),
        *("Wed, 30 Nov -0001 00:00:00 +0000", "9999-12-31", "99999999999999999999", "1402/02/12", "1e9", "-5"),
        *("x" * 1000, "9" * 1000, "\ufdfa" * 100, "٣" * 100),
    ],
)
def test_what_is_no_date_is_none(said: str) -> None:
    assert read_date(said) is None


@given(
    st.text(alphabet="0123456789:./-+ TZapmMay,年月日\ufdfa", max_size=MAX_DATE_LENGTH), st.sampled_from(["", "en-US"])
)
def test_whatever_is_written_never_raises_and_takes_no_time(said: str, language: str) -> None:
    began = time.process_time()
    read_date(said, language)
    assert time.process_time() - began < 1


def test_the_names_of_months_are_those_of_cldr() -> None:
    assert TABLE.read_text(encoding="utf-8") == table_of_cldr(), (
        "python -m ingest.sources.rss.timestamps.months writes them"
    )
