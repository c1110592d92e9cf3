"""Where the hashtags of a text are, for sources whose network does not say.

A hashtag is `#` or `＃` and letters, marks, digits or underscores of any script. It begins with a letter, a digit or
an underscore and is neither a bare number nor underscores alone. It does not begin inside a word, a URL, a path or
an HTML entity such as `&#39;`.
"""

import regex

from tagstream.posts import Hashtag

# The zero-width non-joiner (U+200C) is spelling in Persian and many Indic scripts. A variation selector that ends an
# emoji is a mark but belongs to no word: hence "marks after a letter" before the sign rather than any mark.
_HASHTAG = regex.compile(
    r"""
      (?:https?://|www\.)[\x21-\x7e]+                                   # a URL: skipped whole
    | (?<! [\p{L}\p{N}_]\p{M}* | [&/] ) [#＃]
      (?! (?:\p{N}+|_+) (?![\p{L}\p{M}\p{N}_\u200c]) )
      ( [\p{L}\p{N}_][\p{L}\p{M}\p{N}_\u200c]* )
    """,
    regex.VERBOSE | regex.IGNORECASE,
)


def hashtags_of(text: str) -> tuple[Hashtag, ...]:
    """The hashtags of the text in order; offsets are code points, `start` that of the sign."""
    if "#" not in text and "＃" not in text:
        return ()
    return tuple(
        Hashtag(text=match[1], start=match.start(), end=match.end()) for match in _HASHTAG.finditer(text) if match[1]
    )
