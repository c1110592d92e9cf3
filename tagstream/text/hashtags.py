"""The hashtags of a text: those that our rule finds, and those that its network names.

A hashtag is `#` or `＃` and letters, marks, digits or underscores of any script. It begins with a letter, a digit or
an underscore and is neither a bare number nor underscores alone. It does not begin inside a word, a URL, a path or
an HTML entity such as `&#39;`.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import islice

import regex

from tagstream.bounds import MAX_HASHTAGS
from tagstream.posts import Hashtag
from tagstream.text.analysis import tag as folded_tag

_URL_OR_SIGN = regex.compile(r"(?:https?://|www\.)[\x21-\x7e]+|[#＃]", regex.IGNORECASE)
# The zero-width non-joiner (U+200C) is spelling in Persian and many Indic scripts.
_NAME = regex.compile(
    r"(?! (?:\p{N}++|_++) (?![\p{L}\p{M}\p{N}_\u200c]) ) [\p{L}\p{N}_][\p{L}\p{M}\p{N}_\u200c]*+", regex.VERBOSE
)
_WORD_CHARACTER = regex.compile(r"[\p{L}\p{N}_]")
_MARK = regex.compile(r"\p{M}")
MAX_SEARCHED = 64  # names that our rule does not find are looked for one by one
# A longer name is on no network a hashtag that somebody wrote, and to look for it would take minutes.
LONGEST_SEARCHED = 300

Claim = tuple[str, int | None, int | None]
"""A hashtag that a network names, without its sign, and its start and end where the network gives them."""


def hashtags_of(text: str) -> tuple[Hashtag, ...]:
    """Returns the hashtags of the text in order; offsets are code points, `start` that of the sign."""
    if "#" not in text and "＃" not in text:
        return ()
    found, end = [], 0
    for sign in _URL_OR_SIGN.finditer(text):
        start = sign.start()
        if start < end or sign.end() - start > 1 or _is_inside(text, start):
            continue
        name = _NAME.match(text, start + 1)
        if name:
            end = name.end()
            found.append(Hashtag(text=name[0], start=start, end=end))
    return tuple(found)


def _is_inside(text: str, offset: int) -> bool:
    """Says whether a word, a path or an HTML entity reaches up to the offset.

    Marks are passed over, because a variation selector that ends an emoji is a mark but belongs to no word.
    """
    before = offset - 1
    if before >= 0 and text[before] in "&/":
        return True
    while before > 0 and _MARK.match(text, before):
        before -= 1
    return before >= 0 and _WORD_CHARACTER.match(text, before) is not None


def hashtags_named(text: str, claims: Iterable[Claim], taken: Sequence[tuple[int, int]] = ()) -> tuple[Hashtag, ...]:
    """Returns the hashtags of a post: those that stand in its text, in order, then those that its network only lists.

    The offsets of a network may not count code points, or be off by the sign or a space: then a hashtag is where its
    name stands in the text. Our rule finds hashtags that the network does not name. `taken` are the spans of links and
    the like, in order, without overlap.
    """
    starts = [start for start, _ in taken]
    found = [hashtag for hashtag in hashtags_of(text) if not _is_taken(hashtag.place, starts, taken)]
    standing = {_folded(hashtag.text) for hashtag in found}
    missing: dict[str, str] = {}
    for name, start, end in islice(claims, MAX_HASHTAGS):
        if start is not None and end is not None and _stands(text, name, start, end):
            found.append(Hashtag(text=text[start + 1 : end], start=start, end=end))
            standing.add(_folded(name))
        else:
            missing.setdefault(_folded(name), name)
    listed = []
    for index, (folded, name) in enumerate(missing.items()):
        if folded in standing:
            continue
        written = _written(text, name) if index < MAX_SEARCHED and len(name) <= LONGEST_SEARCHED else []
        found += [hashtag for hashtag in written if not _is_taken(hashtag.place, starts, taken)]
        if not written:
            listed.append(Hashtag(text=name))
    return (*_apart(found), *listed)


def _is_taken(span: tuple[int, int], starts: Sequence[int], taken: Sequence[tuple[int, int]]) -> bool:
    before = bisect_left(starts, span[1]) - 1  # the last taken span that begins before the hashtag ends
    return before >= 0 and taken[before][1] > span[0]


def _folded(name: str) -> str:
    """Returns the form that all spellings of a hashtag share: networks list them in small letters, without accents."""
    return folded_tag(name) or name.casefold()


def _stands(text: str, name: str, start: int, end: int) -> bool:
    within = 0 <= start < end <= len(text)
    return within and text[start] in "#＃" and text[start + 1 : end].casefold() == name.casefold()


def _written(text: str, name: str) -> list[Hashtag]:
    """Returns the hashtags of exactly this name: `#2024` and `#C++` are none by our rule."""
    pattern = regex.compile(rf"[#＃]{regex.escape(name)}(?![\p{{L}}\p{{M}}\p{{N}}_])", regex.IGNORECASE)
    spans = (found.span() for found in pattern.finditer(text))
    return [Hashtag(text=text[start + 1 : end], start=start, end=end) for start, end in spans]


def _apart(found: Iterable[Hashtag]) -> list[Hashtag]:
    """Returns the hashtags in order of the text, without overlap: of two that begin at one offset, the longer."""
    apart: list[Hashtag] = []
    for hashtag in sorted(found, key=lambda hashtag: (hashtag.place[0], -hashtag.place[1])):
        if not apart or hashtag.place[0] >= apart[-1].place[1]:
            apart.append(hashtag)
    return apart
