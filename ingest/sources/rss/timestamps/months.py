"""The names of months, and of the halves of a day, in the languages of feeds (CLDR's).

Names are folded as `folded` does, so that `Février`, `fevrier` and `FÉVR.` are one. A name that means two months in
different languages (`listopad`) needs the feed's language, and is none without it. `months.json` holds the names, so
that the process that reads feeds starts fast: `python -m ingest.sources.rss.timestamps.months` writes it.
"""

import json
import sys
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tagstream.text.safe_text import normalise

TABLE = Path(__file__).with_name("months.json")

_LANGUAGES = (
    "af am ar ar_DZ ar_IQ ar_LB ar_MA ar_TN az be bg bn bs bs_Cyrl ca cs cy da de de_AT el en es et eu fa fi fil fo fr "
    "ga gl gu he hi hr hu hy id is it ka kk km kn ko ky lb lo lt lv mk ml mn mr ms my nb ne nl nn pa pl ps pt ro ru si "
    "sk sl so sq sr sr_Latn sv sw ta te th tr uk ur uz vi zh ja"
)
# Forms that people write and CLDR lacks: shorter or longer ones, and the name after a Hebrew preposition.
_MORE = {
    "en": {"sept": 9, "sep": 9, "june": 6, "july": 7},
    "de": {"maerz": 3, "jaen": 1, "jaenner": 1, "feber": 2, "okt": 10, "dez": 12, "mrz": 3},
    "fr": {"fev": 2, "fevr": 2, "juil": 7, "aou": 8, "dec": 12},
    "es": {"set": 9, "setiembre": 9, "sept": 9, "ene": 1, "dic": 12},
    "ru": {"сен": 9, "ноя": 11, "фев": 2, "мая": 5, "мар": 3, "июл": 7, "июн": 6},
    "pl": {"pazdziernika": 10, "wrz": 9},
    "tr": {"agu": 8, "eyl": 9},
    "id": {"agt": 8, "nop": 11, "pebruari": 2},
    "ar": {"ابريل": 4, "اغسطس": 8, "اكتوبر": 10, "حزيران": 6, "ايار": 5},
}
_HALVES = {
    "zh": dict.fromkeys(("凌晨", "早上", "清晨"), "am") | dict.fromkeys(("中午", "傍晚", "晚上"), "pm"),
    "ar": {"ص": "am", "م": "pm"},
}
_HOURS = {"am": 0, "pm": 12}
_LEFT_OUT = dict.fromkeys(map(ord, ". '’׳"))


def folded(text: str) -> str:
    """Returns the text without case, accents and the marks of letters, and without full-width forms."""
    parts = normalise("NFKD", text.casefold())
    return "".join(
        character
        for character in parts
        if not unicodedata.combining(character) and unicodedata.category(character) != "Cf"
    )


def month_of(word: str, language: str) -> int | None:
    """Returns the month that a folded word names; `language` is a tag, "" where it is unknown."""
    return _meant(_table()["months"].get(_bare(word), {}), language)


def half_of(word: str, language: str) -> int | None:
    """Returns the hour at which a half of the day begins (0 or 12), from its folded name.

    A short word in Latin letters is one only in its own language: `em` is also a preposition.
    """
    word = _bare(word)
    if word in _HOURS:
        return _HOURS[word]
    meanings = _table()["halves"].get(word, {})
    return _meant(meanings, language) if not word.isascii() or _primary(language) in meanings else None


def _meant(meanings: Mapping[str, int], language: str) -> int | None:
    if _primary(language) in meanings:
        return meanings[_primary(language)]
    return next(iter(meanings.values())) if len(set(meanings.values())) == 1 else None


def _primary(language: str) -> str:
    return language.partition("-")[0].lower()


def _bare(word: str) -> str:
    return word.translate(_LEFT_OUT)


@cache
def _table() -> dict[str, dict[str, dict[str, int]]]:
    found: dict[str, dict[str, dict[str, int]]] = json.loads(TABLE.read_bytes())
    return found


def table_of_cldr() -> str:
    """Returns the table of names as JSON, each with its meaning in each language."""
    from babel.core import Locale  # only here: it opens many files, and takes seconds

    table: dict[str, dict[str, dict[str, int]]] = {"months": {}, "halves": {}}

    def add(kind: str, name: str, language: str, value: int) -> None:
        word = _bare(folded(name))
        if word and not any(character.isdigit() for character in word):
            table[kind].setdefault(word, {}).setdefault(language.partition("_")[0], value)

    for language in _LANGUAGES.split():
        locale = Locale.parse(language)
        for context in locale.months.values():
            for width in ("wide", "abbreviated"):
                for month, name in context.get(width, {}).items():
                    add("months", name, language, month)
                    if language == "he":
                        add("months", f"ב{name}", language, month)
        for context in locale.day_periods.values():
            for periods in context.values():
                for half, hour in _HOURS.items():
                    if len(periods.get(half, "")) > 1:
                        add("halves", periods[half], language, hour)
    for language, names in _MORE.items():
        for name, month in names.items():
            add("months", name, language, month)
    for language, halves in _HALVES.items():
        for name, half in halves.items():
            add("halves", name, language, _HOURS[half])
    return json.dumps(table, ensure_ascii=False, indent=0, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.exit(TABLE.write_text(table_of_cldr(), encoding="utf-8") == 0)
