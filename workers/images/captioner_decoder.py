"""The recurrent decoder of a captioner, which looks at another part of the photo for each word.

Alfaqeeh 2024, section IV-B and equation 8: features of a pretrained residual network, a recurrent network that predicts
the next word, and only that one trained. It names neither regions nor attention, which are added here after Xu et al.
2015, nor sizes: words 128 and states 256 wide, dropout of 0.5, and the likeliest word each time.

::

    regions (B, R, V) ─▶ mean ─▶ linear, tanh ─▶ first state h (B, S), memory c (B, S)
    word before (B) ─▶ table e (B, E) ──────────────────────────────────┐
    h (B, S) over regions ─▶ additive attention ─▶ z (B, V) ─────────────┴▶ LSTM cell ─▶ h (B, S)
    [h; z; e] ─▶ dropout ─▶ linear ─▶ scores of the next word (B, words)

Departures from Xu et al.: no gate on z, no penalty that spreads attention evenly, a linear layer over the three.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from workers.images.captioner_words import END, PADDING, START, UNKNOWN

_NEVER = (PADDING, START, UNKNOWN)


@dataclass(frozen=True, slots=True)
class _Sight:
    """What stays the same from word to word: regions (B, R, V), and their part of the attention (B, R, S)."""

    regions: Tensor
    keys: Tensor


class CaptionDecoder(nn.Module):
    """Scores of captions over what is seen; `words` counts the rows of the table, `visual` is the width of a region."""

    def __init__(
        self, words: int, visual: int, *, word_width: int = 128, size: int = 256, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.table = nn.Embedding(words, word_width, PADDING)
        # What all pictures have in common says nothing, and networks differ in scale: see `know`.
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
        """Learns mean and deviation of each feature from the regions (…, V) of the pictures that are trained on."""
        rows = regions.flatten(0, -2)
        self.mean.copy_(rows.mean(0))
        self.deviation.copy_(rows.std(0, correction=0).clamp(min=1e-6))

    def forward(self, regions: Tensor, words: Tensor) -> Tensor:
        """(B, T, words): at each place of the captions (B, T) the scores of the word after it."""
        sight, state, memory = self._begin(regions)
        scores = []
        for step in range(words.shape[1]):
            score, state, memory = self._step(sight, words[:, step], state, memory)
            scores.append(score)
        return torch.stack(scores, dim=1)

    def loss(self, regions: Tensor, captions: Tensor) -> Tensor:
        """The mean surprise at each word, end mark included, of captions (B, T) that begin with the start mark."""
        scores = self(regions, captions[:, :-1])
        return functional.cross_entropy(scores.flatten(0, 1), captions[:, 1:].flatten(), ignore_index=PADDING)

    @torch.inference_mode()
    def say(self, regions: Tensor, longest: int) -> list[list[int]]:
        """The likeliest word after each word, until each caption of the batch has its end mark or is long enough."""
        sight, state, memory = self._begin(regions)
        words = torch.full((len(regions),), START)
        said, ended = [], torch.zeros(len(regions), dtype=torch.bool)
        for _ in range(longest):
            score, state, memory = self._step(sight, words, state, memory)
            score[:, _NEVER] = -torch.inf
            words = score.argmax(1).masked_fill(ended, END)
            said.append(words)
            ended = ended | (words == END)
            if bool(ended.all()):
                break
        captions: list[list[int]] = torch.stack(said, dim=1).tolist()
        return captions

    def _begin(self, regions: Tensor) -> tuple[_Sight, Tensor, Tensor]:
        regions = (regions - self.mean) / self.deviation
        state, memory = torch.tanh(self.first_state(regions.mean(1))).chunk(2, dim=1)
        return _Sight(regions, self.key(regions)), state, memory

    def _step(self, sight: _Sight, words: Tensor, state: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        before = self.table(words)
        shares = torch.softmax(self.weight(torch.tanh(sight.keys + self.query(state)[:, None])), dim=1)  # (B, R, 1)
        seen = (shares * sight.regions).sum(1)
        state, memory = self.cell(torch.cat([before, seen], dim=1), (state, memory))
        score = self.score(self.dropout(torch.cat([state, seen, before], dim=1)))
        return score, state, memory
