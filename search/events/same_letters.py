"""The letters of a key: keys of the same letters count as one subject, whatever their type and spelling.

`Hong Kong`, a place, `#HongKong`, a hashtag, and `hongkong`, a word, are one; so are `O’Brien` and `OBrien`. Whether
they are counted apart decides how soon an event is seen: a dozen authors write one name in four ways. Signs that make
another word stay: those of `C++` and `.NET`, between digits (`9/11` is not `911`), and of English contractions (`we'll`
is not `well`).
"""

from functools import lru_cache

import regex

_BETWEEN_DIGITS = r"(?<=\p{N})[^\p{L}\p{M}\p{N}]++(?=\p{N})"
_CONTRACTION = r"['’](?=(?:ll|ve|re|[dmst])(?![\p{L}\p{M}\p{N}]))"
_OTHER_SIGNS = r"[^\p{L}\p{M}\p{N}+#]++|(?<![\p{L}\p{M}\p{N}+#])[+#]"
_SIGNS = regex.compile(rf"(?P<kept>{_BETWEEN_DIGITS}|{_CONTRACTION})|{_OTHER_SIGNS}")


@lru_cache(maxsize=65_536)
def letters_of(key: str) -> str:
    """Returns the letters and digits of a key, and the signs that make another word; the key itself if it has none."""
    if key.startswith("."):
        return key
    return _SIGNS.sub(r"\g<kept>", key) or key
