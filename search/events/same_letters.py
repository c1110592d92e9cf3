"""The letters of a key: keys of the same letters count as one subject, whatever their type and spelling.

`Hong Kong`, a place, `#HongKong`, a hashtag, and `hongkong`, a word, are one; so are `O’Brien` and `OBrien`. Whether
they are counted apart decides how soon an event is seen: a dozen authors write one name in four ways. Signs that make
another word stay: those of `C++` and `.NET`, between digits (`9/11` is not `911`), and of English contractions (`we'll`
is not `well`).
"""

from functools import lru_cache

import regex

_SIGNS = regex.compile(
    r"(?<=\p{N})[^\p{L}\p{M}\p{N}]++(?=\p{N})(*SKIP)(*FAIL)"
    r"|['’](?=(?:ll|ve|re|[dmst])(?![\p{L}\p{M}\p{N}]))(*SKIP)(*FAIL)"
    r"|[^\p{L}\p{M}\p{N}+#]++|(?<![\p{L}\p{M}\p{N}+#])[+#]"
)


@lru_cache(maxsize=65_536)
def letters_of(key: str) -> str:
    """Returns the letters and digits of a key, and the signs that make another word; the key itself if it has none."""
    if key.startswith("."):
        return key
    return _SIGNS.sub("", key) or key
