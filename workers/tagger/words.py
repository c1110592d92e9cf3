"""The words of a text, with offsets, so that every answer of the model points back into the raw text.

An address, an @-mention, a hashtag, an HTML entity, an emoji and a number are one word each, on purpose. Training and
serving both split text here, and so get the same words. This module knows nothing of word pieces or models.
"""

from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

import regex

from tagstream.text.safe_text import unescape
from workers.tagger.addresses import EMAIL, HOST, MENTION, URL


class Kind(IntEnum):
    """The kind of a word. Its value is a feature of the model, so no value is ever used again for another kind."""

    WORD = 0
    NUMBER = 1
    SYMBOL = 2
    URL = 3
    MENTION = 4
    HASHTAG = 5
    REPOST = 6
    CHARACTER = 7
    SHORTCODE = 8
    APART = 9  # a word after a `#` that stands apart


class Word(NamedTuple):
    """A word of a text: the model reads `surface` for `text[start:end]`.

    An HTML entity is read as its character, and a word without its invisible characters (soft hyphens, joiners).
    """

    surface: str
    start: int
    end: int
    kind: Kind


# Scripts written without spaces: each character stands alone, or a sentence would be one word with one tag.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_LETTERS = rf"(?:(?![{_UNSPACED}])[\p{{L}}\p{{M}}\p{{N}}_])"
_UNSEEN = r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"

# PLAIN matches nothing that WORD would not match. It stands first for speed: most words of most posts are plain, and
# would otherwise be tried against seven other patterns.
_PATTERN = regex.compile(
    rf"""
      (?P<PLAIN>    [A-Za-z]++ (?= [\s,!?;] | $ ) )
    | (?P<URL>      (?=[\w.+\-]) (?: {URL} | {EMAIL} | {HOST} ) )
    | (?P<SHORTCODE> (?<![\w:]) (?: : [A-Za-z0-9_+\-]{{2,64}} : )+ (?![\w:]) )
    | (?P<ENTITY>   & (?: [A-Za-z]{{2,8}} | \#[0-9]{{1,7}} | \#[xX][0-9A-Fa-f]{{1,6}} ) ; )
    | (?P<MENTION>  {MENTION} )
    | (?P<HASHTAG>  (?<![\w&]) [\#＃] [\p{{L}}\p{{M}}\p{{N}}_\u200c]+ )
    | (?P<ACRONYM>  (?<!\w) (?: (?: \p{{Lu}} \. )+ \p{{Lu}} (?![\w.]) | (?: \p{{Lu}} \. ){{2,}} ) )
    | (?P<NUMBER>   (?<!\w) \p{{Nd}}+ (?: [.,:] \p{{Nd}}+ )* (?!\w) )
    | (?P<UNSPACED> [{_UNSPACED}] \p{{M}}* )
    | (?P<WORD>     {_LETTERS}+ (?: {_UNSEEN}+ {_LETTERS}+ )* )
    | (?P<POSSESSIVE> ['’] [sS] (?!\w) )
    | (?P<SYMBOL>   (?P<mark>[^\s\p{{C}}]) (?: (?P=mark) | \p{{M}} | \u200d [^\s\p{{C}}] )* )
    """,
    regex.VERBOSE,
)

_IGNORABLE = regex.compile(r"\p{Default_Ignorable_Code_Point}")

_KINDS = {
    "PLAIN": Kind.WORD,
    "URL": Kind.URL,
    "SHORTCODE": Kind.SHORTCODE,
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
    """Splits a text into words, in order and without overlap; only space and invisible characters lie between them.

    Offsets are code points of `text`. Never raises. Takes time linear in the length of the text.
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
        if kind is Kind.WORD:
            if surface == "RT":
                kind = Kind.REPOST
            elif not surface.isascii():
                surface = _IGNORABLE.sub("", surface) or surface
        words.append(Word(surface, start, end, kind))
    return words


_LINE_BREAK = regex.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def by_lines(text: str, words: list[Word]) -> tuple[list[Word], list[int]]:
    """Adds a comma where a line ends in a word; also returns the indices of the words that begin a line but the first.

    The model has learnt from single lines: without the comma it takes `Oslo` and `Rome` on two lines for one name.
    """
    if not _LINE_BREAK.search(text):
        return words, []
    found, starts = words[:1], []
    for before, word in pairwise(words):
        if line_break := _LINE_BREAK.search(text, before.end, word.start):
            if before.kind is not Kind.SYMBOL:
                found.append(Word(",", *line_break.span(), Kind.SYMBOL))
            starts.append(len(found))
        found.append(word)
    return found, starts
