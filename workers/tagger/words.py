"""The words of a text, with offsets, so that every answer of the model points back into the raw text.

An address, an @-mention, a hashtag, an HTML entity, an emoji and a number are one word each, on purpose. Training and
serving both split text here, and so get the same words. This module knows nothing of word pieces or models.
"""

from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

import regex

from tagstream.text.look_alikes import latin_look_alikes
from tagstream.text.plain_letters import ENCLOSED_LETTER, STROKES, plain_letters
from tagstream.text.safe_text import normalise, unescape
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

    An HTML entity is read as its character, a word without its invisible characters (soft hyphens, joiners) and the
    strokes through it, a styled letter as the plain one, and a letter with its accent as one character.
    """

    surface: str
    start: int
    end: int
    kind: Kind


# Scripts written without spaces: each character stands alone, or a sentence would be one word with one tag.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_LETTERS = rf"(?:(?![{_UNSPACED}])[\p{{L}}\p{{M}}\p{{N}}_])"
_UNSEEN = r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
_APOSTROPHE = r"(?: ['’´`′＇] | & (?: amp; )? (?: \#0?39 | \#[xX]27 | apos | rsquo | \#8217 | \#[xX]2019 ) ; )"
# A reference that was escaped again on its way: `&amp;amp;` and `&amp;lt;`.
_ESCAPED_TWICE = r"(?: amp; ){1,3} (?: amp | lt | gt | quot | apos | nbsp | \#[0-9]{2,4} )"
_ITEM = r"(?: [0-9] \ufe0f? \u20e3 | [\u2460-\u249b\u24ea-\u24ff\u2776-\u2793] )"

# PLAIN matches nothing that WORD would not match. It stands first for speed: most words of most posts are plain, and
# would otherwise be tried against seven other patterns.
_PATTERN = regex.compile(
    rf"""
      (?P<PLAIN>    [A-Za-z]++ (?= [\s,!?;] | $ ) )
    | (?P<URL>      (?=[\w.+\-]) (?: {URL} | {EMAIL} | {HOST} ) )
    | (?P<SHORTCODE> (?<![\w:]) (?: : [A-Za-z0-9_+\-]{{2,64}} : )+ (?![\w:]) )
    | (?P<POSSESSIVE> {_APOSTROPHE} [sS] (?!\w) )
    | (?P<ENTITY>   & (?: {_ESCAPED_TWICE} | [A-Za-z]{{2,8}} | \#[0-9]{{1,7}} | \#[xX][0-9A-Fa-f]{{1,6}} ) ; )
    | (?P<MENTION>  {MENTION} )
    | (?P<HASHTAG>  (?<![\w&]) [\#＃] [\p{{L}}\p{{M}}\p{{N}}_\u200c]+ )
    | (?P<ACRONYM>  (?<!\w) (?: (?: \p{{Lu}} \. )+ \p{{Lu}} (?![\w.]) | (?: \p{{Lu}} \. ){{2,}} ) )
    | (?P<ITEM>     {_ITEM} )
    | (?P<NUMBER>   (?<!\w) \p{{Nd}}+ (?: [.,:] \p{{Nd}}+ )* (?!\w) )
    | (?P<UNSPACED> [{_UNSPACED}] \p{{M}}* )
    | (?P<WORD>     {_LETTERS}+ (?: {_UNSEEN}+ {_LETTERS}+ )* )
    | (?P<ENCLOSED> {ENCLOSED_LETTER} (?: {_UNSEEN}* \ufe0f? {ENCLOSED_LETTER} )+ \ufe0f? )
    | (?P<SYMBOL>   (?P<mark>[^\s\p{{C}}]) (?: (?P=mark) | \p{{M}} | \u200d [^\s\p{{C}}] )* )
    """,
    regex.VERBOSE,
)

_NOT_READ = regex.compile(rf"\p{{Default_Ignorable_Code_Point}}|{STROKES}")
# These apostrophes are letters to Unicode, and part of Hawaiian and other names.
_LETTER_POSSESSIVE = regex.compile(r"(?<=[^ʻʼ][ʻʼ])[sS]\Z")

_KINDS = {
    "PLAIN": Kind.WORD,
    "URL": Kind.URL,
    "SHORTCODE": Kind.SHORTCODE,
    "MENTION": Kind.MENTION,
    "HASHTAG": Kind.HASHTAG,
    "NUMBER": Kind.NUMBER,
    "UNSPACED": Kind.CHARACTER,
    "ITEM": Kind.SYMBOL,
    "ACRONYM": Kind.WORD,
    "WORD": Kind.WORD,
    "ENCLOSED": Kind.WORD,
    "POSSESSIVE": Kind.SYMBOL,
    "SYMBOL": Kind.SYMBOL,
    "mark": Kind.SYMBOL,
}


def split_words(text: str) -> list[Word]:
    """Splits a text into words, in order and without overlap; only space and invisible characters lie between them.

    Offsets are code points of `text`. Never raises. Takes time linear in the length of the text.
    """
    words: list[Word] = []
    for match in _PATTERN.finditer(text):
        group = match.lastgroup
        start, end = match.span()
        surface = match.group()
        if group == "ENTITY":
            words.append(_referenced(surface, start, end))
            continue
        kind = _KINDS[group or "SYMBOL"]
        if kind is Kind.WORD:
            if surface == "RT":
                kind = Kind.REPOST
            elif not surface.isascii():
                words += _typographic(surface, start, end)
                continue
        elif group == "POSSESSIVE" and text[start] not in "'’":
            surface = "'" + surface[-1]
        elif kind is Kind.HASHTAG or kind is Kind.NUMBER:
            surface = latin_look_alikes(plain_letters(surface))
        words.append(Word(surface, start, end, kind))
    return words


def _referenced(reference: str, start: int, end: int) -> Word:
    """Returns an HTML entity as the character that it stands for, `&` where it stands for none."""
    surface = reference
    for _ in range(reference.count(";")):
        surface = unescape(surface).strip()
    if not surface or surface.startswith("&"):
        surface = "&"
    return Word(surface, start, end, Kind.WORD if surface.isalnum() else Kind.SYMBOL)


def _typographic(written: str, start: int, end: int) -> list[Word]:
    """Returns a word of other characters than ASCII as it is read; a possessive after it is a word of its own."""
    surface = normalise("NFC", latin_look_alikes(plain_letters(_NOT_READ.sub("", written)))) or written
    if _LETTER_POSSESSIVE.search(surface) and written[-2] in "ʻʼ":
        possessive = Word("'" + surface[-1], end - 2, end, Kind.SYMBOL)
        return [Word(surface[:-2], start, end - 2, Kind.WORD), possessive]
    return [Word(surface, start, end, Kind.WORD)]


LINE_BREAK = regex.compile(r"[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def by_lines(text: str, words: list[Word]) -> tuple[list[Word], list[int]]:
    """Adds a comma where a line ends in a word; also returns the indices of the words that begin a line but the first.

    A tab parts the columns of a table as a line break parts lines.

    The model has learnt from single lines: without the comma it takes `Oslo` and `Rome` on two lines for one name.
    """
    if not LINE_BREAK.search(text):
        return words, []
    found, starts = words[:1], []
    for before, word in pairwise(words):
        if line_break := LINE_BREAK.search(text, before.end, word.start):
            if before.kind is not Kind.SYMBOL:
                found.append(Word(",", *line_break.span(), Kind.SYMBOL))
            starts.append(len(found))
        found.append(word)
    return found, starts
