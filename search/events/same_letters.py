"""The letters of a key: keys of the same letters count as one subject, whatever their type and spelling.

`Hong Kong`, a place, `#HongKong`, a hashtag, and `hongkong`, a word, are one; so are `O’Brien` and `OBrien`. Whether
they are counted apart decides how soon an event is seen: a dozen authors write one name in four ways.
"""

from functools import lru_cache

import regex

_NO_LETTER = regex.compile(r"[^\p{L}\p{M}\p{N}]+")


@lru_cache(maxsize=65_536)
def letters_of(key: str) -> str:
    """Returns the letters and digits of a key; the key itself if it has none, or signs that make the name (`C++`)."""
    if key.endswith(("+", "#")) or key.startswith("."):
        return key
    return _NO_LETTER.sub("", key) or key
