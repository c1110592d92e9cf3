"""Makes examples for the hashtag network from what is not segmented by hand: phrases of tweets, names, marked hashtags.

An example is its words as they stand in the hashtag, joined by single spaces (`New York City`): the spaces are the
labels. Joining makes an endless supply of them; which of them are drawn, and how they are written, follows from a seed.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.hashtags.sources import (
    Gold,
    camel_words,
    cluster_words,
    name_lines,
    phrase_words,
    split_texts,
    tweets,
)

LONGEST_PHRASE = 40
# Shares of 1, 2, ... words in a phrase of running text: people's hashtags have half of them 1, a third 2.
PHRASE_LENGTHS = (0.10, 0.38, 0.26, 0.13, 0.07, 0.04, 0.02)
MOST_WORDS = len(PHRASE_LENGTHS)
# Shares of the sources: running text, single words, names, hashtags with capitals.
SHARES = (0.45, 0.22, 0.18, 0.15)
STYLES = ("lower", "title", "upper", "camel")
STYLE_SHARES = (0.67, 0.11, 0.09, 0.13)
_SMALL_WORDS = frozenset(("a", "an", "and", "at", "for", "in", "of", "on", "the", "to"))


@dataclass(frozen=True)
class Phrases:
    """The phrases that examples are drawn from.

    `runs` are the unbroken runs of words in tweets, lower case; `words` are drawn by `word_shares`; `names` are phrases
    of name lists; `tags` are hashtags whose capitals show their words, as written.
    """

    runs: list[list[str]]
    words: list[str]
    word_shares: NDArray[np.float64]
    names: list[list[str]]
    tags: list[list[str]]

    def draw(self, count: int, seed: int) -> list[str]:
        """Returns `count` examples; the same for the same seed."""
        random = np.random.default_rng(seed)
        sources = random.choice(len(SHARES), count, p=SHARES)
        words = random.choice(len(self.words), count, p=self.word_shares)
        examples: list[str] = []
        for source, word in zip(sources.tolist(), words.tolist(), strict=True):
            if source == 0:
                written = _styled(_part(self.runs[random.integers(len(self.runs))], random), random)
            elif source == 1:
                written = _styled([self.words[word]], random)
            elif source == 2:
                written = _styled(self.names[random.integers(len(self.names))], random)
            else:
                tag = self.tags[random.integers(len(self.tags))]
                written = tag if random.random() < 0.3 else _styled([part.lower() for part in tag], random)
            example = " ".join(written)
            if len(example) <= LONGEST_PHRASE:
                examples.append(example)
        return examples


def _part(run: Sequence[str], random: Generator) -> Sequence[str]:
    """Some neighbouring words of a run."""
    length = min(1 + int(random.choice(MOST_WORDS, p=PHRASE_LENGTHS)), len(run))
    start = int(random.integers(len(run) - length + 1))
    return run[start : start + length]


def _styled(words: Sequence[str], random: Generator) -> list[str]:
    """Words in lower case, as a hashtag may have them."""
    style = STYLES[int(random.choice(len(STYLES), p=STYLE_SHARES))]
    if style == "upper":
        return [word.upper() for word in words]
    if style == "title":
        return [words[0].capitalize(), *words[1:]]
    if style == "camel":
        small = random.random() < 0.3
        return [word if small and word in _SMALL_WORDS else word.capitalize() for word in words]
    return list(words)


def gather(data: Path, marked: Iterable[Gold]) -> Phrases:
    """Gathers phrases from the data sets: no test or development part, and no hashtag that people segmented."""
    runs: list[list[str]] = []
    tags = {tuple(accepted[0].split()) for _, accepted in marked}
    for running, tags_there in split_texts(tweets(data)):
        runs += _runs(phrase_words(running))
        tags.update(tuple(_as_written(tag)) for tag in tags_there if camel_words(tag))
    names = {tuple(phrase_words(line)) for line in name_lines(data)}
    names = {name for name in names if 0 < len(name) <= MOST_WORDS and all(name)}
    total = Counter(word for phrases in (runs, names) for phrase in phrases for word in phrase)
    total.update(word for cluster_word in cluster_words(data) for word in phrase_words(cluster_word)[:1] * 2 if word)
    words = sorted(word for word, count in total.items() if count > 1)
    shares = np.array([math.log(total[word]) for word in words])
    return Phrases(
        runs=runs,
        words=words,
        word_shares=shares / shares.sum(),
        names=[list(name) for name in sorted(names)],
        tags=[list(tag) for tag in sorted(tags) if tag and all(map(str.isalnum, tag))],
    )


def _runs(words: Sequence[str]) -> list[list[str]]:
    """Splits words where a phrase breaks, at each empty word; returns the words of each unbroken run."""
    return [list(run) for unbroken, run in groupby(words, key=bool) if unbroken]


def _as_written(tag: str) -> list[str]:
    """The words of a hashtag that its capitals part beyond doubt, their case kept."""
    ends = list(accumulate(map(len, camel_words(tag))))
    return [tag[start:end] for start, end in zip([0, *ends], ends, strict=False)]
