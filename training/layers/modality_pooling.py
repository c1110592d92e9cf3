"""Additive attention over modalities: one vector of what text, photo and hashtags say, weighed for each token."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_NEVER = -1e9


class ModalityPooling(nn.Module):
    """Equations 11 and 12 of Alfaqeeh 2024: M features of (B, T, D), and which there are (B, M) -> (B, T, D).

    ::

        f'_i = W f_i + b                      (B, T, W)
        γ_i  = exp(u · tanh(f'_i))            (B, T)      0 where the modality is missing
        out  = Σ γ_i f_i / Σ γ_i              (B, T, D)

    W, b and u are the same for every modality, so a weight depends on what is said and not on who says it. At least one
    modality of each tweet is there.
    """

    def __init__(self, width: int, inner_width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, inner_width)
        self.score = nn.Linear(inner_width, 1, bias=False)

    def forward(self, features: Sequence[Tensor], present: Tensor) -> Tensor:
        stacked = torch.stack(list(features), dim=2)  # (B, T, M, D)
        scores = self.score(torch.tanh(self.inner(stacked))).squeeze(3)  # (B, T, M)
        # γ_i / Σ γ_i without its overflow.
        weights = torch.softmax(scores.masked_fill(~present[:, None], _NEVER), dim=2)
        return (weights[..., None] * stacked).sum(2)
