"""The segmenter of hashtags: `#NewYorkCity` and `#newyorkcity` are `New York City` and `new york city`.

::

    hashtag ─▶ cut at underscores and punctuation ─▶ cut where the script changes ─▶ runs
    run of Latin letters and digits ─▶ language model ─▶ network, where the best answers are close ─▶ rules for capitals
                                       language_model.py   network.py                                  camel_case.py

Other scripts are never guessed at: only capitals and numbers divide a run of Cyrillic, Greek or Armenian, and only
numbers a run of Arabic, Hindi, Han or Thai. All of it is pure computation in bounded time: a hashtag that is too long
to be real is cut by its capitals and digits alone.
"""

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from sys import getsizeof
from typing import Self

from tagstream.text.plain_letters import plain_letters
from workers.hashtags.camel_case import before_episode, cut_into_parts, find_joiner, is_code
from workers.hashtags.language_model import LanguageModel, read
from workers.hashtags.network import Adviser
from workers.hashtags.shapes import ACRONYM_END, LOWER_UPPER, cut_kinds

COUNTS_FILE = Path(__file__).with_name("counts.bin")
NETWORK_FILE = Path(__file__).with_name("network.bin")
HASH_SIGNS = "#＃"
LONGEST_MODELLED_TAG = 200
CANDIDATES = 2
CACHE_BYTES = 32 * 2**20
LONGEST_CACHED_TAG = 100
_ENTRY_BYTES = 200

_UNSPACED_SCRIPTS = frozenset(["CJK", "THAI", "LAO", "MYANMAR", "KHMER"])
_NUMBER_EDGE = re.compile(r"(?<=\d)(?=[^\W\d])|(?<=[^\d])(?=\d)")
_SHORT_CODE = re.compile(r"[^\W\d_]{1,2}(?!0\d$|(?:19|20)\d\d$)\d{1,3}|\d{1,2}[^\W\d_]")

_UNDERSCORES = re.compile("(_+)")
_WORD_PUNCTUATION = "'’·"  # marks that join: don't, l·l
_LATIN, _DIGIT, _SEPARATOR, _INHERITED = "LATIN", "DIGIT", "", "*"
_SCRIPT_ALIASES = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "HALFWIDTH": "CJK", "FULLWIDTH": _LATIN}


@lru_cache(maxsize=16_384)
def _script(character: str) -> str:
    """Returns the script of a character, or one of the four kinds above; symbols and emoji are of the kind "SYMBOL"."""
    if character.isascii() and character.isalpha():
        return _LATIN
    if character in _WORD_PUNCTUATION:
        return _INHERITED
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Mc", "Cf", "Lm", "Sk"):
        return _INHERITED
    if category == "Nd":
        return _DIGIT
    if category[0] in "PZ" or category == "Cc":
        return _SEPARATOR
    if category[0] == "L":
        name = unicodedata.name(character, "UNNAMED").split(" ", 1)[0]
        return _SCRIPT_ALIASES.get(name, name)
    return "SYMBOL"


def _runs(tag: str) -> list[tuple[str, str]]:
    """Cuts a hashtag into runs of one script, without separators; digits go with the letters beside them."""
    runs: list[tuple[str, str]] = []
    start, script = 0, _SEPARATOR
    for offset, character in enumerate(tag):
        kind = _script(character)
        if kind == _INHERITED and script != _SEPARATOR:
            continue
        kind = "SYMBOL" if kind == _INHERITED else kind
        if kind == script or (kind == _DIGIT and script not in (_SEPARATOR, "SYMBOL")):
            continue
        if script == _DIGIT and kind not in (_SEPARATOR, "SYMBOL"):
            script = kind
            continue
        if script != _SEPARATOR:
            runs.append((script, tag[start:offset]))
        start, script = offset, kind
    if script != _SEPARATOR:
        runs.append((script, tag[start:]))
    return runs


def _lower(run: str) -> str:
    """Returns the run in lower case, of the same length: a letter whose lower case is longer stays as it is."""
    lower = run.lower()
    if len(lower) == len(run):
        return lower
    return "".join(small if len(small := character.lower()) == 1 else character for character in run)


def _cut_at(run: str, ends: list[int]) -> list[str]:
    return [run[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _cut_by_capitals(run: str) -> list[str]:
    """Splits a run by its capitals alone."""
    kinds = cut_kinds(run)
    ends = [offset for offset, kind in enumerate(kinds) if offset and kind in (LOWER_UPPER, ACRONYM_END)]
    return _cut_at(run, [*ends, len(run)])


def _words_of_other(script: str, run: str) -> list[str]:
    """Splits a run by its capitals and numbers; a letter or two with a short number are one word (T34).

    A letter of a script without spaces is a word or a syllable, so it makes no such code.
    """
    is_code = script not in _UNSPACED_SCRIPTS and _SHORT_CODE.fullmatch(run)
    pieces = [run] if is_code else _NUMBER_EDGE.split(run)
    return [word for piece in pieces for word in _cut_by_capitals(piece)]


def _as_written(words: Sequence[str], plain: str, hashtag: str) -> tuple[str, ...]:
    """Returns the words of a hashtag in its own styled letters, given those of the same hashtag in plain ones."""
    written, end = [], 0
    for word in words:
        start = plain.index(word, end)
        end = start + len(word)
        written.append(hashtag[start:end])
    return tuple(written)


def _cached_bytes(tag: str, words: tuple[str, ...]) -> int:
    """Estimates the memory of a cached answer: the strings, the tuple, and the entry of the dictionary."""
    return _ENTRY_BYTES + getsizeof(tag) + getsizeof(words) + sum(map(getsizeof, words))


class HashtagSegmenter:
    """A segmenter of hashtags, with a cache of at most `cache_bytes` for the hashtags used last.

    One thread at a time may call it. Several segmenters may share one model.
    """

    def __init__(self, model: LanguageModel, adviser: Adviser | None = None, cache_bytes: int = CACHE_BYTES) -> None:
        self._model = model
        self._adviser = adviser
        self._cache: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._cache_room = cache_bytes

    @classmethod
    def load(cls, counts: Path = COUNTS_FILE, network: Path = NETWORK_FILE) -> Self:
        """Opens a segmenter with the shipped counts and network.

        Raises:
            CorruptState: a file is missing or damaged.
        """
        return cls(read(counts), Adviser.load(network))

    def segment(self, hashtag: str) -> tuple[str, ...]:
        """Splits a hashtag, given with or without its `#`, into words in their own case.

        The words together are the hashtag without `#`, spaces and punctuation; a hashtag of nothing else has no words.
        Underscores are words of their own, so that the hashtag can be put together again. Never raises.
        """
        words = self._cache.get(hashtag)
        if words is not None:
            self._cache.move_to_end(hashtag)
            return words
        plain = plain_letters(hashtag)
        words = self._segment(plain)
        if plain != hashtag:
            words = _as_written(words, plain, hashtag)
        if len(hashtag) <= LONGEST_CACHED_TAG:
            self._remember(hashtag, words)
        return words

    def _remember(self, hashtag: str, words: tuple[str, ...]) -> None:
        self._cache[hashtag] = words
        self._cache_room -= _cached_bytes(hashtag, words)
        while self._cache_room < 0:
            self._cache_room += _cached_bytes(*self._cache.popitem(last=False))

    def _segment(self, hashtag: str) -> tuple[str, ...]:
        tag = hashtag.lstrip(HASH_SIGNS)
        is_modelled = len(tag) <= LONGEST_MODELLED_TAG
        if is_modelled and tag.isascii() and tag.isalnum():
            return tuple(self._words_of_latin(tag))
        words: list[str] = []
        for part in _UNDERSCORES.split(tag):
            if part.startswith("_"):
                words.append(part)
                continue
            for script, run in _runs(part):
                is_latin = is_modelled and script in (_LATIN, _DIGIT)
                words += self._words_of_latin(run) if is_latin else _words_of_other(script, run)
        return tuple(words)

    def _words_of_latin(self, run: str) -> list[str]:
        if is_code(run):
            return [run]
        episode = before_episode(run)
        if episode:
            return [*self._words_of_latin(run[:episode]), run[episode:]]
        ends = self._ends(run)
        if not run.isalnum():  # a mark or an apostrophe belongs to the letter before it
            ends = [end for end in ends if end == len(run) or _script(run[end]) != _INHERITED]
        return _cut_at(run, ends)

    def _ends(self, run: str) -> list[int]:
        """Returns the ends of the words of a run of letters and digits."""
        lower = _lower(run)
        joiner = find_joiner(run, lower, self._likeliest_ends, self._model)
        if joiner is None:
            return cut_into_parts(run, lower, self._likeliest_ends(run), self._model)
        start, after = joiner
        return [*self._ends(run[:start]), after, *(after + end for end in self._ends(run[after:]))]

    def _likeliest_ends(self, run: str) -> list[int]:
        if self._adviser is None:
            return self._model.split(run, _lower(run))
        return self._adviser.choose(run, self._model.best(run, _lower(run), CANDIDATES))
