"""A vector for each word: pretrained where there is one, trained from random where not."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.inputs.vocabulary import PADDING, UNKNOWN

# Zhang et al. 2018 and Asgari-Chenaghlu et al. 2020 draw from the same range.
UNIFORM = 0.25


class WordTable(nn.Module):
    """(B, T) numbers of words -> (B, T, W).

    The first `words` rows are trained; they begin as `pretrained` (words or more, W), which decides the width where it
    is given, and as U(-0.25, 0.25) where that is zero or absent. Further rows of it stay as they are: no gradient would
    ever reach a word that training does not have, and an optimizer that visits it each step takes most of the time. The
    vocabulary holds every word of the training part, so nothing would teach the vector of unknown words either: in
    training, one word in `1 / unknown_rate` is read as unknown.

    Attributes:
        width: W.
    """

    unseen: Tensor

    def __init__(self, words: int, width: int, pretrained: Tensor | None = None, unknown_rate: float = 0.02) -> None:
        super().__init__()
        self.width = width if pretrained is None else pretrained.shape[1]
        self.unknown_rate = unknown_rate
        rows = uniform_rows(words, self.width)
        if pretrained is not None:
            begun = pretrained[:words]
            rows = torch.where(begun.any(dim=1, keepdim=True), begun, rows)
            rows[PADDING] = 0
        self.table = nn.Embedding(words, self.width, PADDING, _weight=rows)
        self.register_buffer("unseen", torch.empty(0, self.width) if pretrained is None else pretrained[words:].clone())

    def forward(self, words: Tensor) -> Tensor:
        if self.training and self.unknown_rate:
            hidden = (torch.rand(words.shape, device=words.device) < self.unknown_rate) & (words != PADDING)
            words = words.masked_fill(hidden, UNKNOWN)
        if not len(self.unseen):
            seen: Tensor = self.table(words)
            return seen
        trained = self.table.num_embeddings
        kept = functional.embedding((words - trained).clamp(min=0), self.unseen)
        return torch.where((words < trained)[..., None], self.table(words.clamp(max=trained - 1)), kept)


def uniform_rows(rows: int, width: int) -> Tensor:
    """Returns (rows, width) drawn from U(-0.25, 0.25), zeros for padding."""
    table = torch.empty(rows, width).uniform_(-UNIFORM, UNIFORM)
    table[PADDING] = 0
    return table
