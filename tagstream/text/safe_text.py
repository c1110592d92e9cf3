"""Unescaping and normalising of text from any author, in linear time, without raising, a short piece at a time.

Normal forms of Unicode take quadratic time where combining marks pile up, and `html.unescape` raises where a character
reference has thousands of digits. Each call into C keeps the interpreter's lock until it ends. All code that normalises
or unescapes uses this file.
"""

import html
import unicodedata
from collections.abc import Iterator
from typing import Literal

import regex

PIECE_LENGTH = 4_096
MAX_MARKS = 30  # on one character: what the stream-safe text format of Unicode (UAX 15) allows

# Half-width voicing marks are no marks until they are normalised.
_MARK = r"[\p{M}\uff9e\uff9f]"
_PILE = regex.compile(rf"({_MARK}{{{MAX_MARKS}}}){_MARK}+")
# What a normal form may make one with the character before it: marks, and parts of Korean syllables.
_JOINS = regex.compile(r"[\p{M}\u1160-\u11ff\u3130-\u318f\ud7b0-\ud7ff\uff9e-\uffdf]")
_LONG_REFERENCE = regex.compile(r"&#(?:[0-9]{9,}|[xX][0-9A-Fa-f]{9,});?")
_LONGEST_NUMBER = 8


def unescape(text: str) -> str:
    """Returns the text with HTML character references as their characters; a number that is none is U+FFFD."""
    if "&" not in text:
        return text
    if "&#" in text:
        text = with_short_references(text)
    return html.unescape(text)


def with_short_references(text: str) -> str:
    """Returns the text with each numeric reference in at most eight digits: Python converts no thousands of them."""
    return _LONG_REFERENCE.sub(_short_reference, text)


def _short_reference(found: regex.Match[str]) -> str:
    digits = found[0][2:].removesuffix(";")
    hexadecimal = digits[:1] in ("x", "X")
    significant = digits[hexadecimal:].lstrip("0") or "0"
    if len(significant) > _LONGEST_NUMBER:
        return "\ufffd"
    return f"&#{'x' if hexadecimal else ''}{significant};"


def pieces(text: str) -> Iterator[str]:
    """Yields the text in pieces of about `PIECE_LENGTH`, cut where no character belongs to the one before it."""
    start = 0
    while len(text) - start > PIECE_LENGTH:
        end = start + PIECE_LENGTH
        while end < start + 2 * PIECE_LENGTH and _JOINS.match(text, end):
            end += 1
        yield text[start:end]
        start = end
    yield text[start:]


def normalise(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str) -> str:
    """Returns the text in a normal form of Unicode, with at most `MAX_MARKS` marks on a character."""
    if text.isascii():
        return text
    text = _PILE.sub(r"\1", text)
    if len(text) <= PIECE_LENGTH:
        return unicodedata.normalize(form, text)
    return "".join(unicodedata.normalize(form, piece) for piece in pieces(text))
