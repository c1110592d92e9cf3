"""The signs of a query: its operators, and the signs of other query languages, which are refused with a hint.

A user who types such a sign means something by it. Searching its letters instead would answer another question, mostly
with nothing. Text in quotation marks is searched as it is, and never checked here.
"""

import re
from enum import Enum

from tagstream.text.analysis import is_short_code


class Operator(Enum):
    """An operator between two parts of a query, or before a part."""

    AND = "and"
    OR = "or"
    NOT = "not"


OPERATORS = {"AND": Operator.AND, "&&": Operator.AND, "OR": Operator.OR, "||": Operator.OR, "NOT": Operator.NOT}

_LETTER = re.compile(r"\w")
_PARENTHESIS = re.compile(r"[()]")
_DISTANCE = re.compile(r"\A(NEAR|ONEAR|WITHIN)(/[0-9]+)?\Z")
_OPTION = re.compile(r"\A-+[A-Za-z]")
_QUESTION_MARK_WITHIN = re.compile(r"\w\?\w")
_WEIGHT = re.compile(r"(\A|\w)[~^][0-9.]*\Z")
_JOINED = re.compile(r"\|+|&&+")
_EXPRESSION = re.compile(r"\A/.+/\Z")
_QUOTE = "To look for the characters themselves, put them in quotation marks."


def unknown_sign(word: str, *, negated: bool, field: str) -> str | None:
    """Returns the hint for a word that holds a sign of another query language, None if it holds none.

    Args:
        word: the word, without quotation marks.
        negated: whether a hyphen stands before the word.
        field: the field of the word, empty without one.
    """
    shown, link = word[:60], "://" in word
    if negated and _OPTION.match(word):
        return (
            f"-{shown} looks like an option of the command: options stand before the query, and before `--`. "
            "To leave out a word write one hyphen."
        )
    if _PARENTHESIS.search(word) and not link and _LETTER.search(word):
        return (
            f"{shown!r}: parentheses stand before and after parts, such as (a OR b) c, not within a word or after a "
            f"colon. {_QUOTE}"
        )
    if _JOINED.search(word) and _LETTER.search(word) and not link:
        return _glued(word, field)
    if not word.strip("*"):
        return "A star stands at the end of a word, such as merk*; alone it stands for nothing."
    if "*" in word.rstrip("*") and not link and _LETTER.search(word):
        return f"{shown!r}: a star can only stand at the end of a word, such as merk*. {_QUOTE}"
    return None if field or link else _of_other_languages(word, shown)


def _glued(word: str, field: str) -> str:
    """Returns the hint for parts that are joined without a space: `merkel|macron`."""
    parts = [f"{field}:{part}" if field else part for part in _JOINED.split(word[:60]) if part]
    operator = "OR" if "|" in word else "AND"
    advice = f"write {f' {operator} '.join(parts)}" if len(parts) > 1 else f"write {operator} between two words"
    return f"{word[:60]!r}: {advice}. {_QUOTE}"


def unknown_star(quoted: str) -> str | None:
    """Returns the hint for a star in quotation marks that would be dropped, None if there is none."""
    words = quoted.split()
    starred = [place for place, word in enumerate(words) if ends_with_star(word)]
    if not starred:
        return None
    if starred[0] < len(words) - 1:
        return f'{quoted[:60]!r}: a star in quotation marks can only stand at their end, such as "angela merk*".'
    return None


def ends_with_star(word: str) -> bool:
    """Returns whether the text ends with the beginning of a word and a star; `5*` and `f***` do not."""
    return word.endswith("*") and word[-2:-1].isalnum() and not word[:-1].isdecimal()


def _of_other_languages(word: str, shown: str) -> str | None:
    if _DISTANCE.match(word):
        return (
            f'{shown} is not understood: words side by side are written "angela merkel". To search the word, quote it.'
        )
    if word == "XOR":
        return 'XOR is not understood. To search the word, quote it: "xor".'
    if word in ("|", "!"):
        return f"{shown!r} alone is not understood: write OR for either, and - or NOT for without."
    if word.startswith("!") and _LETTER.match(word[1:]):
        return f"{shown!r}: to leave out a word write -{shown[1:]} or NOT {shown[1:]}. {_QUOTE}"
    if _QUESTION_MARK_WITHIN.search(word):
        return f"{shown!r}: a question mark stands for no letter. {_QUOTE}"
    if is_short_code(word):
        name = shown.strip(":").replace("::", " ")
        return f"{shown!r}: the names of pictures between colons are not searched; write {name} for the word."
    if _WEIGHT.search(word):
        return f"{shown!r}: words have neither weights nor distances here. {_QUOTE}"
    if _EXPRESSION.match(word) and _LETTER.search(word):
        return f"{shown!r}: regular expressions are not understood. {_QUOTE}"
    return None
