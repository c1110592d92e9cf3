"""z-scores of words: by how many deviations the authors who use a word exceed an exponentially weighted past.

After SigniTrend (Schubert, Weiler, Kriegel, KDD 2014): significance (x - max(mean, bias)) / (deviation + bias). Exact
counts here, where the paper hashes them: the feeds of this measurement fit into memory.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from training.events.baselines.chain import WordBurst
from training.events.baselines.window import STEP, WordWindow, steps
from training.events.baselines.words import WordedPost

BIAS = 1.0
WARM_UP = timedelta(hours=1)
_FEWEST_AUTHORS = 4
_LOWEST_SCORE = 2.0


@dataclass(frozen=True, slots=True)
class WordScoreParameters:
    """The way in which words are counted: in a window of so many minutes, against a past of that half-life."""

    window_minutes: int
    half_life_hours: float
    fold_copies: bool


@dataclass(slots=True)
class _Past:
    """The exponentially weighted mean and variance of one word's counts, up to a number of windows."""

    windows: int
    mean: float = 0.0
    variance: float = 0.0

    def note(self, count: int, windows: int, alpha: float) -> None:
        """Takes the count of a window, after zeros for the windows since the last one."""
        silent = windows - self.windows - 1
        if silent > 0:
            # The closed form of `silent` updates with zero.
            kept = (1 - alpha) ** silent
            self.variance = kept * (self.variance + self.mean * self.mean * (1 - kept))
            self.mean *= kept
        step = count - self.mean
        self.mean += alpha * step
        self.variance = (1 - alpha) * (self.variance + alpha * step * step)
        self.windows = windows

    def expected(self, windows: int, alpha: float) -> tuple[float, float]:
        """Returns mean and variance as they stand after that many windows."""
        kept = (1 - alpha) ** max(0, windows - self.windows)
        return self.mean * kept, kept * (self.variance + self.mean * self.mean * (1 - kept))


@dataclass(slots=True)
class _Pasts:
    alpha: float
    windows: int = 0
    of_word: dict[str, _Past] = field(default_factory=dict)

    def note(self, counts: Mapping[str, int]) -> None:
        self.windows += 1
        alpha = max(self.alpha, 1 / self.windows)  # a plain mean while the feed is young
        for word, count in counts.items():
            past = self.of_word.get(word)
            if past is None:
                past = self.of_word[word] = _Past(0)
            past.note(count, self.windows, alpha)

    def score(self, word: str, count: int) -> float:
        past = self.of_word.get(word)
        mean, variance = past.expected(self.windows, self.alpha) if past else (0.0, 0.0)
        return (count - max(mean, BIAS)) / (math.sqrt(variance) + BIAS)


def word_bursts(posts: Sequence[WordedPost], parameters: WordScoreParameters) -> Iterator[list[WordBurst]]:
    """Yields the bursts of each step that has some; the first hour of a feed only teaches."""
    length = timedelta(minutes=parameters.window_minutes)
    window = WordWindow(length, fold_copies=parameters.fold_copies)
    pasts = _Pasts(1 - 0.5 ** (length / timedelta(hours=parameters.half_life_hours)))
    begin: datetime | None = None
    noted: datetime | None = None
    for now, of_step in steps(posts, STEP):
        for post in of_step:
            window.add(post)
        window.advance(now)
        begin, noted = begin or now, noted or now
        authors = {
            word: count for word, held in window.by_word.items() if (count := len({post.author for post in held})) > 0
        }
        bursts = [
            WordBurst(word, now, score, count, tuple(window.by_word[word]))
            for word, count in authors.items()
            if count >= _FEWEST_AUTHORS and (score := pasts.score(word, count)) >= _LOWEST_SCORE
        ]
        if now - noted >= length:
            pasts.note(authors)
            noted = now
        if bursts and now - begin >= WARM_UP:
            yield bursts
