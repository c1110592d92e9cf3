"""Cyrillic and Greek letters that stand for Latin ones in a word of both: `Pаris` with a Cyrillic a is read as Paris.

Nobody writes one word in two alphabets, but who hides a name from filters does. A word whose letters are all of one
alphabet stays as it is, and so does one with a letter that looks like no Latin one.
"""

import regex

_LOOK_ALIKES = dict(
    zip(
        "аеорсухіјѕһԁԛԝАВЕКМНОРСТУХІЈЅԚԜ" + "οναικρυΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
        "aeopcyxijshdqwABEKMHOPCTYXIJSQW" + "ovaikpuABEZHIKMNOPTYX",
        strict=True,
    )
)
_TABLE = str.maketrans(_LOOK_ALIKES)
_LETTERS = "".join(_LOOK_ALIKES)
_MIXED = regex.compile(
    rf"""
      (?<!\p{{L}})
      (?= \p{{Latin}}*+ [{_LETTERS}] | [{_LETTERS}]++ \p{{Latin}} )
      [\p{{Latin}}{_LETTERS}]++
      (?!\p{{L}})
    """,
    regex.VERBOSE,
)
_LATIN = regex.compile(r"\p{Latin}")


def latin_look_alikes(text: str) -> str:
    """Returns the text, of the same length, with the look-alikes in words of mixed alphabets as Latin letters."""
    return text if text.isascii() else _MIXED.sub(_as_latin, text)


def _as_latin(word: regex.Match[str]) -> str:
    return word[0].translate(_TABLE) if _LATIN.search(word[0]) else word[0]
