"""Visual attention and visual gate (GVATT): what each word sees of the photo, as far as it should.

Lu et al. 2018, as Yu et al. 2020 take it up: "a visual attention mechanism followed by a visual gate to obtain
word-aware visual representations" (section 3.2). There are no equations there.
"""

import torch
from torch import Tensor, nn

from training.layers.attention.additive import AdditiveAttention


class RegionProjection(nn.Module):
    """`v = tanh(W ṽ + b)`: regions (B, R, V) -> (B, R, H), as wide as a word (Zhang et al. 2018, equation 1)."""

    def __init__(self, visual_width: int, word_width: int) -> None:
        super().__init__()
        self.project = nn.Linear(visual_width, word_width)

    def forward(self, regions: Tensor) -> Tensor:
        return torch.tanh(self.project(regions))


class GatedVisualAttention(nn.Module):
    """Word-aware vision, gated: words (B, T, H), regions (B, R, V), region mask (B, R) -> (B, T, 2H).

    ::

        v_t = additive attention of h_t over the projected regions   (B, T, H)
        g_t = sigmoid(W [h_t; v_t] + b)                               (B, T, H)
        out = [h_t; g_t * v_t]                                        (B, T, 2H)

    Without regions v_t is zero, and the second half with it. `gate=False` lets all of v_t through.

    Attributes:
        width: 2H.
    """

    def __init__(self, word_width: int, visual_width: int, *, gate: bool = True) -> None:
        super().__init__()
        self.width = 2 * word_width
        self.project = RegionProjection(visual_width, word_width)
        self.attend = AdditiveAttention(word_width, word_width, word_width)
        self.gate = nn.Linear(2 * word_width, word_width) if gate else None

    def forward(self, words: Tensor, regions: Tensor, region_mask: Tensor) -> Tensor:
        seen = self.attend(words, self.project(regions), region_mask)
        if self.gate is not None:
            seen = torch.sigmoid(self.gate(torch.cat([words, seen], dim=2))) * seen
        return torch.cat([words, seen], dim=2)
