"""A post's text as the model reads it: words with offsets, so that every answer points back into the raw text.

Owns what counts as one word: URLs, @mentions, hashtags, HTML entities, emoji and numbers are each one on purpose.
Knows nothing of word pieces or models. Training and serving both read text through here, and so see the same words.
"""

from enum import IntEnum
from typing import NamedTuple

import regex

from tagstream.safe_text import unescape


class Kind(IntEnum):
    """What sort of word it is; the value is a feature of the model, so numbers are never reused."""

    WORD = 0
    NUMBER = 1
    SYMBOL = 2
    URL = 3
    MENTION = 4
    HASHTAG = 5
    REPOST = 6
    CHARACTER = 7


class Word(NamedTuple):
    """`surface` is what the model reads for `text[start:end]`: an HTML entity is read as its character."""

    surface: str
    start: int
    end: int
    kind: Kind


# Scripts written without spaces: each character stands alone, or a sentence would be one word with one tag.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_LETTERS = rf"(?:(?![{_UNSPACED}])[\p{{L}}\p{{M}}\p{{N}}_])"

# PLAIN finds nothing that WORD would not: it is most words of most posts, before seven patterns that they are none of.
_PATTERN = regex.compile(
    rf"""
      (?P<PLAIN>    [A-Za-z]++ (?= [\s,!?;] | $ ) )
    | (?P<URL>      (?<!\w) (?: https?://[^\s\p{{C}}]*[^\s\p{{C}}.,;:!?"'”’)\]}}…] | www\.[^\s\p{{C}}]*[\w/] ) )
    | (?P<ENTITY>   & (?: [A-Za-z]{{2,8}} | \#[0-9]{{1,7}} | \#[xX][0-9A-Fa-f]{{1,6}} ) ; )
    | (?P<MENTION>  (?<![\w@＠]) [@＠] [A-Za-z0-9_]{{1,64}} (?: @ [A-Za-z0-9.\-]{{1,128}} [A-Za-z0-9] )? )
    | (?P<HASHTAG>  (?<![\w&]) [\#＃] [\p{{L}}\p{{M}}\p{{N}}_]+ )
    | (?P<ACRONYM>  (?<!\w) (?: \p{{Lu}} \. ){{2,}} )
    | (?P<NUMBER>   (?<!\w) \p{{Nd}}+ (?: [.,:] \p{{Nd}}+ )* (?!\w) )
    | (?P<UNSPACED> [{_UNSPACED}] \p{{M}}* )
    | (?P<WORD>     {_LETTERS}+ )
    | (?P<POSSESSIVE> ['’] [sS] (?!\w) )
    | (?P<SYMBOL>   (?P<mark>[^\s\p{{C}}]) (?: (?P=mark) | \p{{M}} | \u200d [^\s\p{{C}}] )* )
    """,
    regex.VERBOSE,
)

_KINDS = {
    "PLAIN": Kind.WORD,
    "URL": Kind.URL,
    "MENTION": Kind.MENTION,
    "HASHTAG": Kind.HASHTAG,
    "NUMBER": Kind.NUMBER,
    "UNSPACED": Kind.CHARACTER,
    "ACRONYM": Kind.WORD,
    "WORD": Kind.WORD,
    "POSSESSIVE": Kind.SYMBOL,
    "SYMBOL": Kind.SYMBOL,
    "mark": Kind.SYMBOL,
}


def split_words(text: str) -> list[Word]:
    """The words of `text` in order, without overlap; what lies between them is space or invisible.

    Offsets are code points of `text`. Never raises; runs in time linear in the length of the text.
    """
    words = []
    for match in _PATTERN.finditer(text):
        group = match.lastgroup
        start, end = match.span()
        surface = match.group()
        if group == "ENTITY":
            surface = unescape(surface).strip()
            if not surface or surface.startswith("&"):
                surface = "&"
            words.append(Word(surface, start, end, Kind.WORD if surface.isalnum() else Kind.SYMBOL))
            continue
        kind = _KINDS[group or "SYMBOL"]
        if surface == "RT" and kind is Kind.WORD:
            kind = Kind.REPOST
        words.append(Word(surface, start, end, kind))
    return words
