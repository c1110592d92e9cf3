"""Where the hashtags of a text are: by our own rule, and by what a network says of them.

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
"""A hashtag that a network names, without its sign, and where that says it stands, if it says so."""


def hashtags_of(text: str) -> tuple[Hashtag, ...]:
    """The hashtags of the text in order; offsets are code points, `start` that of the sign."""
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


def _is_inside(text: str, place: int) -> bool:
    """Whether a word, a path or an HTML entity reaches up to `place`.

    A variation selector that ends an emoji is a mark but belongs to no word: so it is asked what the marks stand on.
    """
    before = place - 1
    if before >= 0 and text[before] in "&/":
        return True
    while before > 0 and _MARK.match(text, before):
        before -= 1
    return before >= 0 and _WORD_CHARACTER.match(text, before) is not None


def hashtags_named(text: str, claims: Iterable[Claim], taken: Sequence[tuple[int, int]] = ()) -> tuple[Hashtag, ...]:
    """The hashtags of a post: those that stand in its text, in order, then those that its network only lists.

    A network's offsets may count something else than code points, or be off by the sign or a space: then a hashtag is
    where its name stands in the text. Our rule finds those that are not named. `taken` are stretches of the text, in
    order and none over another, that are something else, such as a link.
    """
    starts = [start for start, _ in taken]
    found = [one for one in hashtags_of(text) if not _is_taken(one.place, starts, taken)]
    standing = {_folded(one.text) for one in found}
    missing: dict[str, str] = {}
    for name, start, end in islice(claims, MAX_HASHTAGS):
        if start is not None and end is not None and _stands(text, name, start, end):
            found.append(Hashtag(text=text[start + 1 : end], start=start, end=end))
            standing.add(_folded(name))
        else:
            missing.setdefault(_folded(name), name)
    listed = []
    for number, (folded, name) in enumerate(missing.items()):
        if folded in standing:
            continue
        written = _written(text, name) if number < MAX_SEARCHED and len(name) <= LONGEST_SEARCHED else []
        found += [one for one in written if not _is_taken(one.place, starts, taken)]
        if not written:
            listed.append(Hashtag(text=name))
    return (*_apart(found), *listed)


def _is_taken(place: tuple[int, int], starts: Sequence[int], taken: Sequence[tuple[int, int]]) -> bool:
    before = bisect_left(starts, place[1]) - 1  # the last stretch that begins before the hashtag ends
    return before >= 0 and taken[before][1] > place[0]


def _folded(name: str) -> str:
    """By what two spellings of a hashtag are one: networks list them in small letters, some without accents."""
    return folded_tag(name) or name.casefold()


def _stands(text: str, name: str, start: int, end: int) -> bool:
    within = 0 <= start < end <= len(text)
    return within and text[start] in "#＃" and text[start + 1 : end].casefold() == name.casefold()


def _written(text: str, name: str) -> list[Hashtag]:
    """The hashtags of this name by its letters alone: `#2024` and `#C++` are none by our rule."""
    pattern = regex.compile(rf"[#＃]{regex.escape(name)}(?![\p{{L}}\p{{M}}\p{{N}}_])", regex.IGNORECASE)
    spans = (found.span() for found in pattern.finditer(text))
    return [Hashtag(text=text[start + 1 : end], start=start, end=end) for start, end in spans]


def _apart(found: Iterable[Hashtag]) -> list[Hashtag]:
    """In order of the text, none over another: of two that begin at one place the longer."""
    apart: list[Hashtag] = []
    for one in sorted(found, key=lambda one: (one.place[0], -one.place[1])):
        if not apart or one.place[0] >= apart[-1].place[1]:
            apart.append(one)
    return apart
