"""Names of languages as feeds write them, read as BCP 47 tags such as `en`, `pt-BR`, `zh-Hant`.

Feeds write `English`, `eng`, `en_US.UTF-8`, `EN`, `iw`, `unknown` or nonsense. Every source reads them here, so that a
language has one tag in every post and query. Names and codes are those of CLDR. Knows nothing of the languages that the
models read.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

from babel.core import Locale, get_global

UNDETERMINED = "und"
MAX_LANGUAGES = 16
_LONGEST = 100
_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-[a-z]{3}){0,3}(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?(?:-.*)?"
)
# Codes that stand for no language, for several at once or for what no list holds; X has some of its own.
_NO_LANGUAGE = frozenset(
    {"und", "unk", "mul", "mis", "zxx", "root", "art", "non", "xxx", "qam", "qct", "qht", "qme", "qst"}
)
_PRIVATE_USE = re.compile(r"q[a-t][a-z]")
# Countries that are often written for their language, and are no language themselves.
_COUNTRIES = {"us": "en", "gb": "en", "jp": "ja", "cn": "zh", "cz": "cs", "dk": "da", "gr": "el"}
# How the languages that are written most call themselves; their English names are CLDR's.
_OWN_NAMES = {
    "bahasa indonesia": "id",
    "bahasa melayu": "ms",
    "castellano": "es",
    "català": "ca",
    "dansk": "da",
    "deutsch": "de",
    "eesti": "et",
    "español": "es",
    "euskara": "eu",
    "farsi": "fa",
    "français": "fr",
    "gaeilge": "ga",
    "galego": "gl",
    "hrvatski": "hr",
    "italiano": "it",
    "kiswahili": "sw",
    "latviešu": "lv",
    "lietuvių": "lt",
    "magyar": "hu",
    "mandarin": "zh",
    "nederlands": "nl",
    "norsk": "no",
    "polski": "pl",
    "português": "pt",
    "română": "ro",
    "shqip": "sq",
    "slovenčina": "sk",
    "slovenščina": "sl",
    "suomi": "fi",
    "svenska": "sv",
    "tagalog": "fil",
    "tiếng việt": "vi",
    "türkçe": "tr",
    "čeština": "cs",
    "ελληνικά": "el",
    "български": "bg",
    "русский": "ru",
    "српски": "sr",
    "українська": "uk",
    "עברית": "he",
    "العربية": "ar",
    "فارسی": "fa",
    "हिन्दी": "hi",
    "বাংলা": "bn",
    "ไทย": "th",
    "한국어": "ko",
    "中文": "zh",
    "日本語": "ja",
}


@lru_cache(maxsize=4096)
def language_tag(said: str) -> str | None:
    """Returns the tag of a language as somebody wrote it: `und` where it is no language, None where it is empty."""
    words = " ".join(said[:_LONGEST].split()).casefold()
    if not words:
        return None
    return _of_code(words) or _of_name(words) or UNDETERMINED


def language_tags(said: Iterable[str]) -> tuple[str, ...]:
    """Returns the tags of several, each once, in order, at most `MAX_LANGUAGES`; `und` only where there is no other."""
    tags = dict.fromkeys(tag for name in said if (tag := language_tag(name)) is not None)
    named = [tag for tag in tags if tag != UNDETERMINED]
    return tuple(named[:MAX_LANGUAGES] or tags)


def spellings_found(tag: str) -> Iterator[str]:
    """Yields the tags that find a post in this language: its own and each wider one, in lower case (`en-us`, `en`)."""
    wider = tag.replace("_", "-").lower()
    while wider:
        yield wider
        wider = wider.rpartition("-")[0]


def _of_code(words: str) -> str | None:
    """Returns the tag of a code whose primary language CLDR knows; variants and extensions are left out."""
    code = re.split(r"[.@,;]", words, maxsplit=1)[0].strip().replace("_", "-")
    found = _TAG.fullmatch(code)
    if found is None or found["language"] in _NO_LANGUAGE or _PRIVATE_USE.fullmatch(found["language"]):
        return None
    language, script = _preferred(found["language"])
    if language not in _known():
        return None
    script = (found["script"] or script).title()
    region = (found["region"] or "").upper()
    (region, *_) = get_global("territory_aliases").get(region, [region])
    return "-".join(part for part in (language, script, region) if part)


def _of_name(words: str) -> str | None:
    name = re.split(r"[(,/;\[]", words, maxsplit=1)[0].strip()
    code = _OWN_NAMES.get(name) or _names().get(name)
    return None if code is None else "-".join(filter(None, _preferred(code)))


def _preferred(code: str) -> tuple[str, str]:
    """Returns the language and the script of a code by CLDR; mostly no script (`eng`: `en`, `sh`: `sr-Latn`)."""
    code = _COUNTRIES.get(code, code)
    parts = str(get_global("language_aliases").get(code, code)).split("_")
    return parts[0], parts[1] if len(parts) > 1 and len(parts[1]) == 4 else ""


@cache
def _known() -> frozenset[str]:
    return frozenset(Locale("en").languages)


@cache
def _names() -> dict[str, str]:
    """Returns the codes of languages by their English names in lower case."""
    names = {name.casefold(): code for code, name in Locale("en").languages.items() if "_" not in code}
    return {name: code for name, code in names.items() if code not in _NO_LANGUAGE}
