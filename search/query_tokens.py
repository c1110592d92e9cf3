"""The tokens of a query: values with their fields, operators, parentheses, each with its place in the text.

A parenthesis groups where it stands before or after something to look for. Elsewhere it is punctuation, as in `:-)`, or
a part of an address; within a word it is refused (`query_signs.py`). Pure, and linear in the length of the text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from search.query_signs import OPERATORS, Operator
from tagstream.text.analysis import terms


class Sign(Enum):
    """A sign that stands by itself."""

    OPEN = "("
    CLOSE = ")"
    MINUS = "-"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query.

    Attributes:
        start: its first character.
        end: the character after it.
        sign: the operator or sign that it is, None for a value.
        minus: whether a hyphen stands before the value.
        field: the field before the value's colon, empty without one.
        value: the value, without quotation marks.
        quoted: whether the value stands in quotation marks.
        closed: whether the quotation marks are closed.
        star: whether a star follows the closing quotation mark.
    """

    start: int
    end: int
    sign: Operator | Sign | None = None
    minus: bool = False
    field: str = ""
    value: str = ""
    quoted: bool = False
    closed: bool = True
    star: bool = False


_SPACE = re.compile(r"\s*")
_VALUE = re.compile(
    r"""(?P<minus>-)?(?:(?P<field>[A-Za-z_]+):(?!//))?(?:"(?P<quoted>[^"]*)(?P<closed>"?)(?P<star>\*)?|(?P<bare>[^\s"]+))""",
    re.VERBOSE,
)
_CHUNK = re.compile(r'[^\s"]*')
_TRAILING = re.compile(r"\)*\Z")


def tokens(text: str) -> Iterator[Token]:
    """Yields the tokens of a query in order; punctuation that opens or closes nothing is left out."""
    depth, at = 0, 0
    while (at := _end(_SPACE, text, at)) < len(text):
        opens_after_minus = text.startswith("-(", at) and _groups(text, at + 1)
        if opens_after_minus:
            yield Token(at, at + 1, Sign.MINUS)
            at += 1
        if opens_after_minus or (text[at] == "(" and _groups(text, at)):
            depth += 1
            yield Token(at, at + 1, Sign.OPEN)
            at += 1
        elif text[at] == ")" and (depth or _groups(text, at)):
            depth -= 1
            yield Token(at, at + 1, Sign.CLOSE)
            at += 1
        else:
            token = _value(text, at, in_group=depth > 0)
            at = token.end
            yield token


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _groups(text: str, at: int) -> bool:
    """Returns whether the parenthesis here groups: its word holds something to look for, or parentheses alone."""
    end = _end(_CHUNK, text, at)
    chunk = text[at:end]
    return text[end : end + 1] == '"' or not chunk.strip("()-") or bool(terms(chunk))


def _value(text: str, at: int, *, in_group: bool) -> Token:
    found = _VALUE.match(text, at)
    assert found is not None  # what is neither a space nor a quotation mark is a bare word
    if found["quoted"] is not None:
        return Token(
            at,
            found.end(),
            minus=bool(found["minus"]),
            field=found["field"] or "",
            value=found["quoted"],
            quoted=True,
            closed=bool(found["closed"]),
            star=bool(found["star"]),
        )
    bare = found["bare"]
    plain = not found["field"] and not found["minus"]
    surplus = _surplus(bare) if in_group or terms(bare) else 0
    bare, end = (bare[:-surplus], found.end() - surplus) if surplus else (bare, found.end())
    if plain and bare in OPERATORS:
        return Token(at, end, OPERATORS[bare])
    return Token(at, end, minus=bool(found["minus"]), field=found["field"] or "", value=bare)


def _surplus(bare: str) -> int:
    """Returns how many of the closing parentheses at the end have no opening one within the word."""
    trailing = _TRAILING.search(bare)
    assert trailing is not None
    return max(0, min(len(trailing[0]), bare.count(")") - bare.count("(")))
