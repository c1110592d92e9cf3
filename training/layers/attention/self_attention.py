"""One vector for several: each is weighed by itself (Asgari-Chenaghlu et al., equations 14 to 16)."""

import torch
from torch import Tensor, nn

from training.layers.attention.masked_softmax import masked_softmax


class SelfAttentivePooling(nn.Module):
    """(…, N, D) with a mask (…, N), -> (…, D), zeros where the mask is nowhere true.

    ::

        u_n = tanh(W h_n + b)                 equation 14
        α_n = exp(h_n · u_n) / Σ exp(h · u)   equation 15
        β   = Σ α_n h_n                       equation 16
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, width)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        scores = (vectors * torch.tanh(self.inner(vectors))).sum(-1)  # (…, N)
        weights = masked_softmax(scores, mask)
        return (weights[..., None] * vectors).sum(-2)
