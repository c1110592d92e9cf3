"""The recurrent decoder of the captioner, which looks at another part of the photo for each word.

Alfaqeeh 2024, section IV-B and equation 8: features of a pretrained residual network, a recurrent network that predicts
the next word, and only the recurrent network trained. The paper names neither regions nor attention, which are added
here after Xu et al. 2015, nor sizes: here words are 128 and states 256 wide, dropout is 0.5, and each step takes the
likeliest word.

::

    regions (B, R, V) ─▶ mean ─▶ linear, tanh ─▶ first state h (B, S), memory c (B, S)
    word before (B) ─▶ table e (B, E) ──────────────────────────────────┐
    h (B, S) over regions ─▶ additive attention ─▶ z (B, V) ─────────────┴▶ LSTM cell ─▶ h (B, S)
    [h; z; e] ─▶ dropout ─▶ linear ─▶ scores of the next word (B, words)

Departures from Xu et al.: no gate on z, no penalty that spreads attention evenly, a linear layer over the three.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

# The ids of a caption: padding, the marks of begin and end, a word unknown to training; words follow.
PADDING, START, END, UNKNOWN = range(4)
_FIRST_WORD = UNKNOWN + 1
_NEVER_SAID = (PADDING, START, UNKNOWN)


def caption_words(caption: str) -> list[str]:
    """Splits a caption into words, in lower case."""
    return caption.lower().split()


@dataclass(frozen=True, slots=True)
class CaptionWords:
    """The vocabulary of captions: `words` in the order of their ids, which begin at 4."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, captions: Iterable[str], least_count: int = 1) -> Self:
        """Collects every word that stands in the captions at least `least_count` times."""
        counts = Counter(word for caption in captions for word in caption_words(caption))
        return cls(tuple(sorted(word for word, count in counts.items() if count >= least_count)))

    @property
    def count(self) -> int:
        """The rows of an embedding table, those of the four special ids included."""
        return len(self.words) + _FIRST_WORD

    def numbers(self, captions: Sequence[str], longest: int) -> list[list[int]]:
        """Returns the ids of each caption between its marks, cut after `longest` words."""
        known = {word: number for number, word in enumerate(self.words, _FIRST_WORD)}
        return [
            [START, *(known.get(word, UNKNOWN) for word in caption_words(caption)[:longest]), END]
            for caption in captions
        ]

    def sentence(self, numbers: Sequence[int]) -> str:
        """Joins the words up to the end mark with spaces."""
        end = numbers.index(END) if END in numbers else len(numbers)
        return " ".join(self.words[number - _FIRST_WORD] for number in numbers[:end] if number >= _FIRST_WORD)


@dataclass(frozen=True, slots=True)
class _Picture:
    """The parts that stay the same from word to word: regions (B, R, V), and their keys of the attention (B, R, S)."""

    regions: Tensor
    keys: Tensor


class CaptionDecoder(nn.Module):
    """The scores of captions over the regions of pictures.

    `words` counts the rows of the embedding table, `visual` is the width of a region.
    """

    def __init__(
        self, words: int, visual: int, *, word_width: int = 128, size: int = 256, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.table = nn.Embedding(words, word_width, PADDING)
        # Features common to all pictures tell nothing, and image encoders differ in scale: see `know`.
        self.register_buffer("mean", torch.zeros(visual))
        self.register_buffer("deviation", torch.ones(visual))
        self.mean: Tensor
        self.deviation: Tensor
        self.first_state = nn.Linear(visual, 2 * size)
        self.key = nn.Linear(visual, size, bias=False)
        self.query = nn.Linear(size, size)
        self.weight = nn.Linear(size, 1, bias=False)
        self.cell = nn.LSTMCell(word_width + visual, size)
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(size + visual + word_width, words)

    def know(self, regions: Tensor) -> None:
        """Learns mean and deviation of each feature from the regions (…, V) of the training pictures."""
        rows = regions.flatten(0, -2)
        self.mean.copy_(rows.mean(0))
        self.deviation.copy_(rows.std(0, correction=0).clamp(min=1e-6))

    def forward(self, regions: Tensor, words: Tensor) -> Tensor:
        """Returns (B, T, words): at each position of the captions (B, T) the scores of the word after it."""
        picture, state, memory = self._begin(regions)
        scores = []
        for step in range(words.shape[1]):
            score, state, memory = self._step(picture, words[:, step], state, memory)
            scores.append(score)
        return torch.stack(scores, dim=1)

    def loss(self, regions: Tensor, captions: Tensor) -> Tensor:
        """Returns the mean cross-entropy of each word, end mark included; captions (B, T) begin with the start mark."""
        scores = self(regions, captions[:, :-1])
        return functional.cross_entropy(scores.flatten(0, 1), captions[:, 1:].flatten(), ignore_index=PADDING)

    @torch.inference_mode()
    def say(self, regions: Tensor, longest: int) -> list[list[int]]:
        """Returns the ids of captions by greedy search, each up to its end mark or to `longest` ids."""
        picture, state, memory = self._begin(regions)
        words = torch.full((len(regions),), START)
        steps, ended = [], torch.zeros(len(regions), dtype=torch.bool)
        for _ in range(longest):
            score, state, memory = self._step(picture, words, state, memory)
            score[:, _NEVER_SAID] = -torch.inf
            words = score.argmax(1).masked_fill(ended, END)
            steps.append(words)
            ended = ended | (words == END)
            if bool(ended.all()):
                break
        captions: list[list[int]] = torch.stack(steps, dim=1).tolist()
        return captions

    def _begin(self, regions: Tensor) -> tuple[_Picture, Tensor, Tensor]:
        regions = (regions - self.mean) / self.deviation
        state, memory = torch.tanh(self.first_state(regions.mean(1))).chunk(2, dim=1)
        return _Picture(regions, self.key(regions)), state, memory

    def _step(self, picture: _Picture, words: Tensor, state: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        before = self.table(words)
        attended = torch.tanh(picture.keys + self.query(state)[:, None])
        shares = torch.softmax(self.weight(attended), dim=1)  # (B, R, 1)
        seen = (shares * picture.regions).sum(1)
        state, memory = self.cell(torch.cat([before, seen], dim=1), (state, memory))
        score = self.score(self.dropout(torch.cat([state, seen, before], dim=1)))
        return score, state, memory
