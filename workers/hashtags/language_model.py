"""A language model of the words in hashtags, and the search for the likeliest words of a run of letters and digits.

The score of a segmentation is a sum over its words, over pairs of neighbours and over its cuts. A known word has a
score of its own; an unknown word is scored by its characters, its length and its shape. `training/hashtags/counts.py`
learns all scores and writes the file.
"""

import unicodedata
import zlib
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path

import msgpack
import numpy as np

from tagstream.errors import CorruptState
from workers.hashtags.shapes import ACRONYM_END, LOWER_UPPER, SINGLE_LOWER_UPPER, cut_kinds, shape_of

FORMAT = 1
STEP = 1 / 16
LONGEST_UNKNOWN = 30
BEAM = 3

ALPHABET = "^abcdefghijklmnopqrstuvwxyz0?"
_SIZE = len(ALPHABET)
_NO_PAIR = -(2**62)  # added to the id of any word, it is the key of no pair
_DIGIT, _OTHER = ALPHABET.index("0"), ALPHABET.index("?")


@lru_cache(maxsize=4096)
def character_class(character: str) -> int:
    """Returns the index in `ALPHABET` of a lower-case character, without its accent; all digits are one class."""
    base = unicodedata.normalize("NFD", character)[0]
    if "a" <= base <= "z":
        return ord(base) - 96
    return _DIGIT if base.isdecimal() else _OTHER


@dataclass(frozen=True)
class UnknownWords:
    """The scores that add up to that of an unknown word.

    They are `base`; `capital` for each capital inside that begins a word; `by_length[n]`, the last entry for all longer
    words; `by_shape[shape]`; and `characters[(a * 29 + b) * 29 + c]` for each character class `c` after `a` and `b`,
    where 0 is the edge of the word.
    """

    base: float
    capital: float
    by_length: tuple[float, ...]
    by_shape: tuple[float, ...]
    characters: list[float]


class UnknownPieces:
    """The scores of all pieces of one run as unknown words. Each takes constant time, unless the run has digits."""

    def __init__(self, model: UnknownWords, run: str, classes: list[int], kinds: list[int]) -> None:
        self._model = model
        self._run = run
        table = model.characters
        triples = zip(classes, classes[1:], classes[2:], strict=False)
        inside = [0.0, 0.0, *accumulate((table[(a * _SIZE + b) * _SIZE + c] for a, b, c in triples), initial=0.0)]
        neighbours = list(pairwise(classes))
        # The characters of a piece score heads[start] + tails[end]: the first two, those inside, and the edge.
        self._heads = [table[a] + table[a * _SIZE + b] - inside[i + 2] for i, (a, b) in enumerate(neighbours)]
        self._tails = [
            0.0,
            0.0,
            *(inside[i + 2] + table[(a * _SIZE + b) * _SIZE] for i, (a, b) in enumerate(neighbours)),
        ]
        self._alone = [table[c] + table[c * _SIZE] for c in classes]
        self._by_length = [model.base + by_length for by_length in model.by_length]
        self._has_digit = not run.isalpha()
        self._capitals = _capitals_before(kinds) if LOWER_UPPER in kinds or ACRONYM_END in kinds else None

    def score(self, start: int, end: int) -> float:
        """Returns the score of `run[start:end]`."""
        length = end - start
        by_length = self._by_length
        score = by_length[length if length < len(by_length) else -1]
        score += self._alone[start] if length == 1 else self._heads[start] + self._tails[end]
        if self._capitals:
            score += self._model.capital * (self._capitals[end] - self._capitals[start + 1])
        if self._has_digit:
            score += self._model.by_shape[shape_of(self._run[start:end])]
        return score


def _capitals_before(kinds: list[int]) -> list[int]:
    """Returns, for each offset and the end, how many capitalised words begin before it."""
    return [0, *accumulate(kind in (LOWER_UPPER, ACRONYM_END) for kind in kinds)]


# A way to an offset: score, id of the last word (-1: unknown), start of that word, rank of the way to its start.
Way = tuple[float, int, int, int]


@dataclass(frozen=True)
class LanguageModel:
    """A language model of hashtags. All scores are natural logarithms, up to a constant.

    `words` gives the id of a known word, `word_scores` its score, and `pairs` the bonus of two neighbours under
    `left * len(words) + right`. `half_known` and `both_unknown` are the bonuses of neighbours of which one or none is
    known. A cut adds `cuts[kind]` by its kind in `shapes.CUTS`, and `STEP * (boundaries[...] - 128)` by the classes of
    the two characters before and after it. A word of `styled`, spelled with its capitals inside (YouTube), adds
    `styled_bonus`.
    """

    words: dict[str, int]
    word_scores: list[float]
    pairs: dict[int, float]
    half_known: float
    both_unknown: float
    unknown: UnknownWords
    cuts: tuple[float, ...]
    boundaries: bytes
    longest: int
    styled: frozenset[str]
    styled_bonus: float

    def split(self, run: str, lower: str) -> list[int]:
        """Returns the ends of the words of `run`; `lower` is the run in lower case, of the same length."""
        return self.best(run, lower, 1)[0][1]

    def best(self, run: str, lower: str, count: int) -> list[tuple[float, list[int]]]:
        """Returns the `count` best segmentations (score, ends of words), the best first."""
        classes = [character_class(character) for character in lower]
        kinds = cut_kinds(run)
        cuts = self._cut_scores(kinds, classes)
        capitals = LOWER_UPPER in kinds or SINGLE_LOWER_UPPER in kinds
        unknown = UnknownPieces(self.unknown, lower, classes, kinds).score
        words, word_scores, pairs, longest = self.words, self.word_scores, self.pairs, self.longest
        length, beam = len(run), max(count, BEAM)
        ways: list[list[Way]] = [[] for _ in range(length + 1)]
        ways[0].append((0.0, -1, -1, 0))
        for start in range(length):
            here = ways[start]
            here.sort(reverse=True)
            del here[beam:]
            to_known, to_unknown = self._onward(here, start)
            del to_unknown[count:]
            cut = cuts[start]
            for end in range(start + 1, min(length, start + LONGEST_UNKNOWN) + 1):
                there = ways[end]
                number = words.get(lower[start:end]) if end - start <= longest else None
                if number is None:
                    step = unknown(start, end) + cut
                    for score, rank in to_unknown:
                        there.append((score + step, -1, start, rank))
                else:
                    step = word_scores[number] + cut
                    if capitals and run[start:end] in self.styled:
                        step += self.styled_bonus
                    for score, left, rank in to_known:
                        there.append((score + step + pairs.get(left + number, 0.0), number, start, rank))
        ways[length].sort(reverse=True)
        return [(ways[length][rank][0], _ends(ways, length, rank)) for rank in range(min(count, len(ways[length])))]

    def _cut_scores(self, kinds: list[int], classes: list[int]) -> list[float]:
        padded = [0, *classes, 0]
        scores = [0.0]
        for offset in range(1, len(classes)):
            a, b, c, d = padded[offset - 1 : offset + 3]
            boundary = self.boundaries[((a * _SIZE + b) * _SIZE + c) * _SIZE + d] - 128
            scores.append(self.cuts[kinds[offset]] + STEP * boundary)
        return scores

    def _onward(self, here: list[Way], start: int) -> tuple[list[tuple[float, int, int]], list[tuple[float, int]]]:
        """Returns the ways to `start` with the bonus of the next word.

        The first list is for a known next word: (score, half of the pair's key, rank). The second is for an unknown
        one: (score, rank), the best first.
        """
        if not start:
            return [(0.0, _NO_PAIR, 0)], [(0.0, 0)]
        size, half_known, both_unknown = len(self.words), self.half_known, self.both_unknown
        to_known, to_unknown = [], []
        for rank, (score, number, _, _) in enumerate(here):
            if number < 0:
                to_known.append((score + half_known, _NO_PAIR, rank))
                to_unknown.append((score + both_unknown, rank))
            else:
                to_known.append((score, number * size, rank))
                to_unknown.append((score + half_known, rank))
        to_unknown.sort(reverse=True)
        return to_known, to_unknown


def _ends(ways: list[list[Way]], end: int, rank: int) -> list[int]:
    ends = []
    while end > 0:
        ends.append(end)
        _, _, end, rank = ways[end][rank]
    return ends[::-1]


def pack(model: LanguageModel) -> bytes:
    """Packs the model as one compressed file, with scores rounded to `STEP`."""
    ordered = sorted(model.pairs)
    keys = np.array(ordered, dtype=np.int64)
    body = {
        "format": FORMAT,
        "words": "\n".join(model.words),
        "word_scores": _quantised(model.word_scores),
        "left": (keys // len(model.words)).astype("<u4").tobytes(),
        "right": (keys % len(model.words)).astype("<u4").tobytes(),
        "pair_scores": _quantised([model.pairs[key] for key in ordered]),
        "characters": _quantised(model.unknown.characters),
        "base": model.unknown.base,
        "capital": model.unknown.capital,
        "by_length": list(model.unknown.by_length),
        "by_shape": list(model.unknown.by_shape),
        "styled": "\n".join(sorted(model.styled)),
        "styled_bonus": model.styled_bonus,
        "half_known": model.half_known,
        "both_unknown": model.both_unknown,
        "cuts": list(model.cuts),
        "boundaries": model.boundaries,
    }
    packed: bytes = msgpack.packb(body)
    return zlib.compress(packed, 9)


def _quantised(scores: list[float]) -> bytes:
    return np.clip(np.round(np.array(scores) / STEP), -(2**15), 2**15 - 1).astype("<i2").tobytes()


def _restored(packed: bytes) -> list[float]:
    numbers = np.frombuffer(packed, "<i2")
    values, indices = np.unique(numbers, return_inverse=True)
    shared: list[float] = (values * STEP).tolist()  # equal scores are one object: a few thousand, not half a million
    return [shared[index] for index in indices.tolist()]


def read(path: Path) -> LanguageModel:
    """Reads the model from a file that `pack` wrote.

    Raises:
        CorruptState: the file is missing, damaged, or of another format.
    """
    try:
        body = msgpack.unpackb(zlib.decompress(path.read_bytes()))
        if body["format"] != FORMAT:
            raise CorruptState(f"{path}: format {body['format']}, expected {FORMAT}; install tagstream again")
        words = {word: number for number, word in enumerate(body["words"].split("\n"))}
        left = np.frombuffer(body["left"], "<u4").astype(np.int64)
        keys = left * len(words) + np.frombuffer(body["right"], "<u4")
        return LanguageModel(
            words=words,
            word_scores=_restored(body["word_scores"]),
            pairs=dict(zip(keys.tolist(), _restored(body["pair_scores"]), strict=True)),
            unknown=UnknownWords(
                base=body["base"],
                capital=body["capital"],
                by_length=tuple(body["by_length"]),
                by_shape=tuple(body["by_shape"]),
                characters=_restored(body["characters"]),
            ),
            half_known=body["half_known"],
            both_unknown=body["both_unknown"],
            cuts=tuple(body["cuts"]),
            boundaries=body["boundaries"],
            longest=max(map(len, words)),
            styled=frozenset(body["styled"].split("\n")),
            styled_bonus=body["styled_bonus"],
        )
    except (OSError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise CorruptState(f"{path}: cannot be read as hashtag counts ({error}); install tagstream again") from error
