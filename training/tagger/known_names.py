"""The names that the training sets hold, and what they tell of hashtags whose annotation cannot be trusted.

The sets mark names in hashtags unevenly: Twitter-2015 marks `#Paris` and leaves `#JebBush` out, BTC marks the whole of
`#PrayForParis`. So a hashtag of several words that holds a known name, and is not marked as one, is unknown; one that
is marked as a whole is narrowed to the known name in it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from training.datasets import ALL_TAGS, OUTSIDE, Example, mask
from workers.tagger.words import Kind, Word, split_words

_MOST_WORDS = 4
_LEAST_LETTERS = 4  # of a known name of one word
_LEAST_COUNT = 2  # of a known name of one word
_TYPES = ("PER", "LOC", "ORG", "MISC")
_IN_HASHTAG = (Kind.HASHTAG, Kind.APART)


class KnownNames:
    """Names of several words, and those of one word that are seldom anything else; each with its commonest type."""

    def __init__(self, examples: Iterable[Example]) -> None:
        named: dict[tuple[str, ...], Counter[str]] = {}
        written: Counter[str] = Counter()
        for example in examples:
            written.update(word.surface.lower() for word in split_words(example.text))
            for name in example.names:
                words = tuple(word.surface.lower() for word in split_words(example.text[name.start : name.end]))
                if name.type in _TYPES and 1 <= len(words) <= _MOST_WORDS and all(map(str.isalnum, words)):
                    named.setdefault(words, Counter())[name.type] += 1
        self._types = {
            words: types.most_common(1)[0][0]
            for words, types in named.items()
            if len(words) > 1 or self._is_a_name(words[0], types.total(), written)
        }

    @staticmethod
    def _is_a_name(word: str, named: int, written: Counter[str]) -> bool:
        return len(word) >= _LEAST_LETTERS and named >= _LEAST_COUNT and named > 0.8 * written[word]

    def find(self, words: Sequence[str]) -> tuple[int, int, str] | None:
        """Returns the longest known name in the words of a hashtag: start, end, type."""
        lower = [word.lower() for word in words]
        for length in range(min(_MOST_WORDS, len(lower)), 0, -1):
            for start in range(len(lower) - length + 1):
                kind = self._types.get(tuple(lower[start : start + length]))
                if kind is not None:
                    return start, start + length, kind
        return None

    def mend(self, words: Sequence[Word], allowed: list[int]) -> None:
        """Changes the allowed tags of hashtags of several words where their annotation cannot be trusted."""
        for is_inside, group in groupby(range(len(words)), lambda index: words[index].kind in _IN_HASHTAG):
            members = list(group)
            if is_inside and len(members) > 1:
                self._mend(words, members, allowed)

    def _mend(self, words: Sequence[Word], members: Sequence[int], allowed: list[int]) -> None:
        known = self.find([words[index].surface for index in members])
        if known is None:
            return
        start, end, kind = known
        marks = [allowed[index] for index in members]
        if all(mark & OUTSIDE for mark in marks):
            for index in members:
                allowed[index] = ALL_TAGS
        elif not any(mark & OUTSIDE for mark in marks) and marks[0] == mask(kind, first=True):
            for place, index in enumerate(members):
                if not start <= place < end:
                    allowed[index] = OUTSIDE
                else:
                    allowed[index] = mask(kind, first=place == start)
