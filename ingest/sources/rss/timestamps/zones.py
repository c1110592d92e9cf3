"""The names of time zones as minutes east of Greenwich. Pure, except that the database of places is read once.

A name that several places use is read as most feeds mean it: BST is British Summer Time, IST Indian, CST, EST and their
summer times North American, AST Atlantic; unless the feed's own language says otherwise (`_IN_LANGUAGE`). An unknown
name counts as UTC, as RFC 5322 has it. But beside an unknown place (`Europe/Nowhere`) no time counts, because it would
be hours off.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_HOURS = {
    "-11": "sst",
    "-10": "hst",
    "-9": "akst hdt",
    "-8": "pst akdt",
    "-7": "mst pdt",
    "-6": "cst mdt",
    "-5": "est cdt cot pet ect",
    "-4": "edt ast bot vet amt clt",
    "-3:30": "nst",
    "-3": "adt art brt clst uyt",
    "-2:30": "ndt",
    "-2": "brst",
    "-1": "azot cvt",
    "0": "gmt utc ut uct z zulu wet azost",
    "1": "cet bst west wat met mez",
    "2": "cest eet cat sast mest mesz",
    "3": "eest msk eat trt idt",
    "3:30": "irst",
    "4": "msd gst samt azt get",
    "4:30": "irdt aft",
    "5": "pkt uzt yekt",
    "5:30": "ist slst",
    "5:45": "npt",
    "6": "omst almt",
    "6:30": "mmt",
    "7": "wib ict novt krat",
    "8": "hkt sgt pht awst wita myt irkt",
    "9": "jst kst wit yakt",
    "9:30": "acst",
    "10": "aest vlat chst",
    "10:30": "acdt",
    "11": "aedt magt sbt",
    "12": "nzst fjt pett",
    "13": "nzdt",
}
_IN_LANGUAGE = {
    "zh": {"cst": "8"},
    "he": {"ist": "2"},
    "ga": {"ist": "1"},
    "en-ie": {"ist": "1"},
    "ar": {"ast": "3"},
    "bn": {"bst": "6"},
    "hy": {"amt": "4"},
    "en-au": {"est": "10", "edt": "11", "cst": "9:30", "cdt": "10:30"},
}
_AMERICAN = {"et": "-5", "ct": "-6", "mt": "-7", "pt": "-8"}
_WRITTEN_OUT = re.compile(
    r"(eastern|central|mountain|pacific|atlantic|central european|eastern european|western european|british|india|"
    r"japan|korea|greenwich mean|coordinated universal) (?:(standard|daylight|summer) )?time"
)
_SHORT = {"coordinated universal": "ut", "greenwich mean": "gm"}
_PLACE = re.compile(
    r"\[?(?<![\w/])((?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Brazil|Canada|Chile|Etc|Europe|Indian|"
    r"Mexico|Pacific|US)(?:/[A-Za-z][A-Za-z0-9_+-]{0,29}){1,2})(?!\w)\]?",
    re.IGNORECASE | re.ASCII,
)


def _minutes(hours: str) -> int:
    whole, _, rest = hours.partition(":")
    return int(whole) * 60 + (-1 if whole.startswith("-") else 1) * int(rest or 0)


_MINUTES = {name: _minutes(hours) for hours, names in _HOURS.items() for name in names.split()}


def minutes_of_zone(name: str, language: str, day: date) -> int | None:
    """Returns the minutes east of Greenwich of a zone on that day; None for a word that names none."""
    name = name.casefold()
    if name in _AMERICAN:
        return _minutes(_AMERICAN[name]) + (60 if _american_summer(day) else 0)
    language = language.lower()
    for spoken in (language, language.partition("-")[0]):
        hours = _IN_LANGUAGE.get(spoken, {}).get(name)
        if hours is not None:
            return _minutes(hours)
    return _MINUTES.get(name)


@cache
def places() -> Mapping[str, ZoneInfo]:
    """Returns the zones of the world by their names in lower case (`europe/istanbul`), all read at once and never
    again.
    """
    found = {}
    for name in available_timezones():
        with suppress(ZoneInfoNotFoundError, OSError, ValueError):  # damaged, or gone meanwhile
            found[name.casefold()] = ZoneInfo(name)
    return found


def without_place(text: str) -> tuple[str, str]:
    """Returns the text without the zone that it names by a place, and that name; "" if there is none."""
    found = _PLACE.search(text)
    return (text, "") if found is None else (f"{text[: found.start()]} {text[found.end() :]}", found[1])


def minutes_of_place(name: str, timestamp: datetime) -> int:
    """Returns the minutes east of Greenwich at a place, at that hour of its own clocks.

    Raises:
        ValueError: there is no such place.
    """
    zone = places().get(name.casefold())
    if zone is None:
        raise ValueError(f"no such zone: {name}")
    return _minutes_east(zone, timestamp)


def minutes_of_country(text: str, timestamp: datetime) -> int | None:
    """Returns the same for a name without an area (`Turkey`, `Hongkong`); None where the text has none."""
    zone = next((places()[word] for word in re.findall(r"[a-z]+", text.lower()) if word in places()), None)
    return None if zone is None else _minutes_east(zone, timestamp)


def _minutes_east(zone: ZoneInfo, timestamp: datetime) -> int:
    return int((timestamp.replace(tzinfo=zone).utcoffset() or timedelta()).total_seconds() // 60)


def shortened(text: str) -> str:
    """Returns the text in lower case, with the short names (`cest`, `est`) of zones that it writes out."""
    return _WRITTEN_OUT.sub(_short, text.lower())


def _short(found: re.Match[str]) -> str:
    beginning = _SHORT.get(found[1]) or "".join(word[0] for word in found[1].split())
    season = {"standard": "s", "daylight": "d", "summer": "s"}.get(found[2] or "", "")
    if found[1].endswith("european"):
        season = "s" if found[2] == "summer" else ""
    elif found[1] in ("india", "japan", "korea", "british"):
        season = "s"
    return f"{beginning}{season}{'c' if beginning == 'ut' else 't'}"


def _american_summer(day: date) -> bool:
    """Says whether the day lies from the second Sunday in March to the first in November."""
    return _sunday(day.year, 3, 2) <= day < _sunday(day.year, 11, 1)


def _sunday(year: int, month: int, which: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=6 - first.weekday() + 7 * (which - 1))
