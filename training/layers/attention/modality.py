"""Modality attention: how much of each word is in its word, its characters and the photo.

After Moon et al. 2018, section 3.3, as others describe it: the paper is not at hand.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.layers.attention.masked_softmax import masked_softmax


class ModalityAttention(nn.Module):
    """Vectors x_m of each token, M modalities of (B, T, D), and which there are, (B, 1, M) -> (B, T, D).

    ::

        a_t   = sigmoid(W [x_1; …; x_M] + b)   (B, T, M)
        α_t   = softmax(a_t)                   over the modalities that are there
        out_t = Σ α_t,m x_t,m                  (B, T, D)
    """

    def __init__(self, modalities: int, width: int) -> None:
        super().__init__()
        self.importance = nn.Linear(modalities * width, modalities)

    def forward(self, modalities: Sequence[Tensor], present: Tensor) -> Tensor:
        importance = torch.sigmoid(self.importance(torch.cat(list(modalities), dim=2)))
        weights = masked_softmax(importance, present)  # (B, T, M)
        return (weights[..., None] * torch.stack(list(modalities), dim=2)).sum(2)
