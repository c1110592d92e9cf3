"""The features of a segmentation: the evidence for and against its words, neighbours and cuts.

Every feature belongs to one word, one pair of neighbours or one cut, so that fitted weights fold into the tables of
`workers.hashtags.language_model.LanguageModel` and cost nothing at run time.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.hashtags.sources import Counts
from workers.hashtags.language_model import ALPHABET, STEP, LanguageModel, UnknownWords, character_class
from workers.hashtags.shapes import ACRONYM_END, CUTS, LOWER_UPPER, SHAPES, cut_kinds, shape_of

UNKNOWN_LENGTHS = 12
KNOWN_LENGTHS = 8
TWITTER_BINS = (1, 4, 21, 201)
WORD_SOURCES = ("text", "tags", "whole", "names")
LEAST_STYLED_BONUS = 3.0  # the training hashtags hold too few such words to learn it from
LEAST_BONUS = 0.5  # smaller ones cost 10 MB of memory and change nothing measurable
SURE_SOURCES = ("text", "tags", "clusters")
FEATURES = (
    "word",
    *(f"log_{source}" for source in WORD_SOURCES),
    *(f"in_{source}" for source in SURE_SOURCES),
    "only_in_names",
    *(f"twitter_{bound}" for bound in TWITTER_BINS),
    *(f"known_{length}" for length in range(1, KNOWN_LENGTHS + 1)),
    "styled",
    "unknown_characters",
    "unknown_capital",
    *(f"unknown_{length}" for length in range(1, UNKNOWN_LENGTHS + 1)),
    *(f"shape_{shape}" for shape in SHAPES),
    "pair_text",
    "pair_text_information",
    "pair_tags",
    "pair_names",
    "pair_twitter",
    "apart_text",
    "apart_twitter",
    "half_known",
    "both_unknown",
    "boundary",
    *(f"cut_{kind}" for kind in CUTS),
)
PLACE = {name: place for place, name in enumerate(FEATURES)}

Vector = dict[int, float]
_SIZE = len(ALPHABET)


def _classes(word: str) -> list[int]:
    return [character_class(character) for character in word]


def learn_characters(words: Counter[str]) -> NDArray[np.float64]:
    """Log-probabilities (29, 29, 29) of a character class after two others, from the spellings of words."""
    counts = np.full((_SIZE, _SIZE, _SIZE), 0.02)
    for word, count in words.items():
        classes = [0, 0, *_classes(word), 0]
        for a, b, c in zip(classes, classes[1:], classes[2:], strict=False):
            counts[a, b, c] += math.log1p(count)
    backoff = counts.sum(axis=0, keepdims=True)
    counts += 5.0 * backoff / backoff.sum(axis=2, keepdims=True)
    scores: NDArray[np.float64] = np.log(counts / counts.sum(axis=2, keepdims=True))
    return scores


def learn_boundaries(counts: Counts) -> NDArray[np.float64]:
    """Log-odds (29, 29, 29, 29) that a word ends between the second and the third of four character classes."""
    ends, inner = np.ones((_SIZE,) * 4), np.ones((_SIZE,) * 4)
    for (left, right), count in counts.pairs["text"].items():
        a, b = [0, *_classes(left)][-2:]
        c, d = [*_classes(right), 0][:2]
        ends[a, b, c, d] += math.log1p(count)
    for word, count in counts.words["text"].items():
        if count > 1:
            classes = [0, *_classes(word), 0]
            for a, b, c, d in zip(classes, classes[1:], classes[2:], classes[3:], strict=False):
                inner[a, b, c, d] += math.log1p(count)
    odds: NDArray[np.float64] = np.log(ends / inner)
    return odds


class Evidence:
    """The features of words, pairs and cuts, by the counts given."""

    def __init__(self, counts: Counts, characters: NDArray[np.float64], boundaries: NDArray[np.float64]) -> None:
        self.known = frozenset(counts.known())
        self._counts = counts
        self._characters = characters
        self._boundaries = boundaries
        self._styled = frozenset(counts.styled_words())
        self._total = sum(counts.words["text"].values())

    def word(self, word: str, capitals: int = 0) -> Vector:
        """Returns the features of one word, known or not, with so many capitals in it that could begin a word."""
        vector: Vector = {PLACE["word"]: 1.0}
        shape = shape_of(word)
        if shape:
            vector[PLACE[f"shape_{SHAPES[shape]}"]] = 1.0
        if word not in self.known:
            vector[PLACE["unknown_characters"]] = self._spelling(word)
            vector[PLACE[f"unknown_{min(len(word), UNKNOWN_LENGTHS)}"]] = 1.0
            vector[PLACE["unknown_capital"]] = capitals
            return vector
        counts = self._counts.words
        for source in WORD_SOURCES:
            vector[PLACE[f"log_{source}"]] = math.log1p(counts[source][word])
        for source in SURE_SOURCES:
            vector[PLACE[f"in_{source}"]] = float(counts[source][word] > 0)
        vector[PLACE["only_in_names"]] = float(not any(counts[source][word] for source in SURE_SOURCES))
        reached = [bound for bound in TWITTER_BINS if counts["twitter"][word] >= bound]
        if reached:
            vector[PLACE[f"twitter_{reached[-1]}"]] = 1.0
        if len(word) <= KNOWN_LENGTHS:
            vector[PLACE[f"known_{len(word)}"]] = 1.0
        return vector

    def pair(self, left: str, right: str) -> Vector:
        """Returns the features of two neighbours; none if both are known, but not to go together."""
        unknown = (left not in self.known) + (right not in self.known)
        if unknown:
            return {PLACE["half_known" if unknown == 1 else "both_unknown"]: 1.0}
        vector: Vector = {}
        pairs, words = self._counts.pairs, self._counts.words
        together = pairs["text"][left, right]
        if together > 1:
            expected = words["text"][left] * words["text"][right] / self._total
            vector[PLACE["pair_text"]] = 1.0
            vector[PLACE["pair_text_information"]] = math.log((together + 1) / (expected + 1))
        for source in ("tags", "names", "twitter"):
            if pairs[source][left, right] > 1:
                vector[PLACE[f"pair_{source}"]] = math.log(pairs[source][left, right])
        for source in ("text", "twitter"):
            apart, joined = pairs[source][left, right], words[source][left + right]
            if apart > 1 and joined:
                vector[PLACE[f"apart_{source}"]] = math.log(apart / joined)
        return vector

    def segmentation(self, run: str, words: Sequence[str]) -> NDArray[np.float64]:
        """Returns the features (F,) of one segmentation of `run` into words in lower case."""
        total = np.zeros(len(FEATURES))
        kinds = cut_kinds(run)
        classes = [0, *_classes("".join(words)), 0]
        start = 0
        for number, word in enumerate(words):
            inside = kinds[start + 1 : start + len(word)]
            _add(total, self.word(word, inside.count(LOWER_UPPER) + inside.count(ACRONYM_END)))
            total[PLACE["styled"]] += run[start : start + len(word)] in self._styled
            if number:
                total[PLACE["cut_lower_lower"] + kinds[start]] += 1.0
                total[PLACE["boundary"]] += self._boundaries[tuple(classes[start - 1 : start + 3])]
                _add(total, self.pair(words[number - 1], word))
            start += len(word)
        return total

    def _spelling(self, word: str) -> float:
        classes = [0, 0, *_classes(word), 0]
        triples = zip(classes, classes[1:], classes[2:], strict=False)
        return float(sum(self._characters[triple] for triple in triples))

    def model(self, weights: NDArray[np.float64]) -> LanguageModel:
        """Weights and counts folded into the tables of a language model."""
        weight = {name: float(weights[place]) for name, place in PLACE.items()}
        known = sorted(self.known)
        words = {word: number for number, word in enumerate(known)}
        boundaries = np.clip(np.round(weight["boundary"] * self._boundaries / STEP), -128, 127) + 128
        return LanguageModel(
            words=words,
            word_scores=[_value(weights, self.word(word)) for word in known],
            pairs=self._pair_bonuses(words, weights),
            half_known=weight["half_known"],
            both_unknown=weight["both_unknown"],
            unknown=UnknownWords(
                base=weight["word"],
                capital=weight["unknown_capital"],
                by_length=(0.0, *(weight[f"unknown_{length}"] for length in range(1, UNKNOWN_LENGTHS + 1))),
                by_shape=tuple(weight[f"shape_{shape}"] for shape in SHAPES),
                characters=(weight["unknown_characters"] * self._characters).ravel().tolist(),
            ),
            cuts=tuple(weight[f"cut_{kind}"] for kind in CUTS),
            boundaries=boundaries.astype(np.uint8).tobytes(),
            longest=max(map(len, known)),
            styled=self._styled,
            styled_bonus=max(weight["styled"], LEAST_STYLED_BONUS),
        )

    def _pair_bonuses(self, words: dict[str, int], weights: NDArray[np.float64]) -> dict[int, float]:
        bonuses: dict[int, float] = {}
        for counter in self._counts.pairs.values():
            for (left, right), count in counter.items():
                if count > 1 and left in words and right in words:
                    key = words[left] * len(words) + words[right]
                    if key not in bonuses:
                        bonuses[key] = _value(weights, self.pair(left, right))
        return {key: bonus for key, bonus in bonuses.items() if abs(bonus) >= LEAST_BONUS}


def _add(total: NDArray[np.float64], vector: Vector) -> None:
    for place, amount in vector.items():
        total[place] += amount


def _value(weights: NDArray[np.float64], vector: Vector) -> float:
    return float(sum(weights[place] * amount for place, amount in vector.items()))
