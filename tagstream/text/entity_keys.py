"""The key of a name: the form by which mentions of one entity are counted together and searched.

One name has one key however it is typed: letter case, styled letters (𝗣𝗮𝗿𝗶𝘀, ᴘᴀʀɪꜱ), widths and ligatures, kinds of
apostrophes, dashes, quotation marks and spaces, marks that nobody sees, HTML references, commas, dots in acronyms and
after abbreviations, a possessive at the end, and marks around it (`Merkel's`, `“Merkel”`). A name in a hashtag has the
key of the words in it, so that `#HongKong` and `Hong Kong` are one. Accents count, spelling, and the signs that end or
begin a name (`C++`, `C#`, `.NET`). Aliases of an entity are no matter of this file.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import regex

from tagstream.bounds import MAX_TEXT_LENGTH
from tagstream.posts import Entity, SegmentedHashtag, TaggedPost
from tagstream.text.look_alikes import latin_look_alikes
from tagstream.text.plain_letters import STROKES, plain_letters
from tagstream.text.safe_text import normalise, unescape

_SIGNS = str.maketrans(
    dict.fromkeys(
        "\u2018\u2019\u201a\u201b\u02b9\u02bb\u02bc\u02bd\u02c8\u2032\u2035\u00b4`\uff07\uff40\u055a\u05f3\ua78c", "'"
    )
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb\u05f4\uff02", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u058a\u05be\ufe58\ufe63\uff0d", "-")
    | dict.fromkeys("＃﹟", "#")
    | dict.fromkeys("_,\uff3f\uff0c\u060c", " ")
    # Turkish has two letters i, and capitals of both that other languages read as one.
    | dict.fromkeys("\u0130\u0131", "i")
)
# And lines through letters, and the Arabic letter stretcher.
_UNSEEN = regex.compile(rf"\p{{Default_Ignorable_Code_Point}}+|{STROKES}+|\u0640+")
# Points that Arabic and Hebrew writers leave out as they like.
_POINTS = regex.compile(
    r"[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed]+"
)
_GREEK = regex.compile(r"\p{Greek}")
_GREEK_MARKS = regex.compile(r"(\p{Greek})\p{M}++")  # capitals have none
_INITIALS = regex.compile(r"(?<!\w)(\p{L}\.)\s+(?=\p{L}\.)")
_ACRONYM = regex.compile(r"(?<!\w)\p{L}(?:\.\p{L})+(?!\w)(\.(?=\w))?\.?")
_DOT = regex.compile(r"(?<=\p{Ll})\.(?=\p{Lu})|(?<!\.)\.++(?=\s|$)")
# Before a word it marks a hashtag; after one it belongs to the name.
_HASHTAG_SIGN = regex.compile(r"(?<![\p{L}\p{M}\p{N}#+])#++|(?<!#)#++(?=[\p{L}\p{M}\p{N}])")
_SIGNS_AFTER = regex.compile(r"[#+]++")
_DOT_BEFORE = regex.compile(r"(?:\A|(?<=[\s\"'(\[{<«]))\.\Z")
_EDGE_CHARACTER = regex.compile(r"[^\p{L}\p{M}\p{N}]")


def fold_key(text: str) -> str:
    """Returns the key of a name as it is written."""
    if text.isascii() and text.replace(" ", "").isalnum():
        return " ".join(text.lower().split())
    # Signs before the normal form, too: of an acute accent that stands for an apostrophe it would make a space.
    text = normalise("NFKC", plain_letters(unescape(text)).translate(_SIGNS))[:MAX_TEXT_LENGTH]
    text = _HASHTAG_SIGN.sub(" ", _UNSEEN.sub("", text.translate(_SIGNS)))
    if "." in text:
        text = _DOT.sub(" ", _ACRONYM.sub(_without_dots, _INITIALS.sub(r"\1", text)))
    folded = latin_look_alikes(text).casefold()
    if not folded.isascii():
        folded = _POINTS.sub("", folded)
        if _GREEK.search(folded):
            folded = _GREEK_MARKS.sub(r"\1", normalise("NFD", folded))
        folded = normalise("NFKC", folded).translate(_SIGNS).replace("i\u0307", "i")
    folded = " ".join(folded.split())
    return _within(folded) or folded


def _without_dots(acronym: regex.Match[str]) -> str:
    return acronym[0].replace(".", "") + (" " if acronym[1] else "")


def _within(folded: str) -> str:
    """Returns the name without a possessive at its end and marks around it; "" if nothing else is there."""
    start, end = 0, len(folded)
    while start < end and _EDGE_CHARACTER.match(folded, start):
        start += 1
    while end > start and _EDGE_CHARACTER.match(folded, end - 1):
        end -= 1
    if start < end:
        start -= bool(_DOT_BEFORE.search(folded, 0, start))
        end = signs.end() if (signs := _SIGNS_AFTER.match(folded, end)) else end
    name = folded[start:end]
    return (name.removesuffix("'s") or name)[:MAX_TEXT_LENGTH]


class NameKeys:
    """The keys of the names of one post, with its hashtags read as their words."""

    def __init__(self, text: str, hashtags: Iterable[SegmentedHashtag]) -> None:
        self._text = text
        self._hashtags = sorted((*hashtag.place, hashtag.words) for hashtag in hashtags if hashtag.words)
        self._ends = [end for _, end, _ in self._hashtags]

    def key(self, start: int, end: int) -> str:
        """Returns the key of the name `text[start:end]`, which may be a part of a hashtag or reach beyond it."""
        parts, done = [], start
        for index in range(bisect_right(self._ends, start), len(self._hashtags)):
            sign, after, words = self._hashtags[index]
            if sign >= end:
                break
            parts += [self._text[done:sign], self._words(words, max(start, sign + 1), min(end, after), sign, after)]
            done = min(end, after)
        name = self._text[start:end]
        return fold_key(" ".join([*parts, self._text[done:end]]) if parts else name) or name

    def _words(self, words: Sequence[str], start: int, end: int, sign: int, after: int) -> str:
        """Returns the words of a hashtag between `start` and `end`; `sign` and `after` bound the whole of it."""
        found, offset = [], sign + 1
        for word in words:
            offset = self._text.find(word, offset, after)
            if offset < 0:
                return " ".join(word for word in words if word.strip("_"))
            within = self._text[max(start, offset) : min(end, offset + len(word))]
            offset += len(word)
            if within.strip("_"):
                found.append(within)
        return " ".join(found)


def with_current_keys(post: TaggedPost) -> TaggedPost:
    """Returns the post with its entities' keys as this version makes them; the same object if nothing changes."""
    if not post.entities:
        return post
    keys = NameKeys(post.text, post.hashtags)
    entities = tuple(_with_current_key(entity, post.text, keys) for entity in post.entities)
    return post if entities == post.entities else post.model_copy(update={"entities": entities})


def _with_current_key(entity: Entity, text: str, keys: NameKeys) -> Entity:
    stands_there = text[entity.start : entity.end] == entity.text
    key = keys.key(entity.start, entity.end) if stands_there else fold_key(entity.text)
    return entity if entity.key == key else entity.model_copy(update={"key": key})
