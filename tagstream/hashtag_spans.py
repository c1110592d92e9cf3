"""Where the hashtags of a text are, for sources whose network does not say.

A hashtag is `#` or `＃` and letters, marks, digits or underscores of any script. It begins with a letter, a digit or
an underscore and is neither a bare number nor underscores alone. It does not begin inside a word, a URL, a path or
an HTML entity such as `&#39;`.
"""

import regex

from tagstream.posts import Hashtag

_URL_OR_SIGN = regex.compile(r"(?:https?://|www\.)[\x21-\x7e]+|[#＃]", regex.IGNORECASE)
# The zero-width non-joiner (U+200C) is spelling in Persian and many Indic scripts.
_NAME = regex.compile(
    r"(?! (?:\p{N}++|_++) (?![\p{L}\p{M}\p{N}_\u200c]) ) [\p{L}\p{N}_][\p{L}\p{M}\p{N}_\u200c]*+", regex.VERBOSE
)
_WORD_CHARACTER = regex.compile(r"[\p{L}\p{N}_]")
_MARK = regex.compile(r"\p{M}")


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
