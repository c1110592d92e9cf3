"""A vector for each word: pretrained where there is one, trained from random where not."""

import torch
from torch import Tensor, nn

from training.zoo.vocabulary import PADDING, UNKNOWN

# Zhang et al. 2018 and Asgari-Chenaghlu et al. 2020 draw from the same range.
UNIFORM = 0.25


class WordTable(nn.Module):
    """(B, T) numbers of words -> (B, T, W).

    `pretrained` (words, W) decides the width where it is given; its rows that are zero, and all rows without it, begin
    as U(-0.25, 0.25). All of them are trained. The vocabulary holds every word of the training part, so nothing would
    ever teach the vector of unknown words: in training, one word in `1 / unknown_rate` is read as unknown.

    Attributes:
        width: W.
    """

    def __init__(self, words: int, width: int, pretrained: Tensor | None = None, unknown_rate: float = 0.02) -> None:
        super().__init__()
        self.width = width if pretrained is None else pretrained.shape[1]
        self.unknown_rate = unknown_rate
        rows = uniform_rows(words, self.width)
        if pretrained is not None:
            rows = torch.where(pretrained.any(dim=1, keepdim=True), pretrained, rows)
            rows[PADDING] = 0
        self.table = nn.Embedding(words, self.width, PADDING, _weight=rows)

    def forward(self, words: Tensor) -> Tensor:
        if self.training and self.unknown_rate:
            hidden = (torch.rand(words.shape, device=words.device) < self.unknown_rate) & (words != PADDING)
            words = words.masked_fill(hidden, UNKNOWN)
        vectors: Tensor = self.table(words)
        return vectors


def uniform_rows(rows: int, width: int) -> Tensor:
    """(rows, width) drawn from U(-0.25, 0.25), zeros for padding."""
    table = torch.empty(rows, width).uniform_(-UNIFORM, UNIFORM)
    table[PADDING] = 0
    return table
