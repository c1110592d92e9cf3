"""Dropout of what matters least (Gomez et al. 2018), and the activation that CWI puts after it (equation 12)."""

import torch
from torch import Tensor, nn


class TargetedDropout(nn.Module):
    """Dropout of each row's values of the lowest magnitude: (N, …) -> (N, …), in training only.

    The lowest `share` of a row are candidates; each becomes zero with probability `rate`. The rest is not scaled up,
    as what is dropped carries little. Asgari-Chenaghlu et al. write that neurons *over* a threshold are dropped; the
    method that they cite drops those under it.
    """

    def __init__(self, rate: float = 0.25, share: float = 0.4) -> None:
        super().__init__()
        self.rate, self.share = rate, share

    def forward(self, values: Tensor) -> Tensor:
        if not self.training:
            return values
        magnitudes = values.flatten(1).abs()
        candidates = int(self.share * magnitudes.shape[1])
        if candidates == 0:
            return values
        threshold = magnitudes.kthvalue(candidates, dim=1, keepdim=True).values
        dropped = (magnitudes <= threshold) & (torch.rand_like(magnitudes) < self.rate)
        return values.masked_fill(dropped.view_as(values), 0.0)


class SineRelu(nn.Module):
    """`max(x, ε (sin x - cos x))`: as the printed function, but for its jump of -ε at zero."""

    def __init__(self, epsilon: float = 0.0025) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, values: Tensor) -> Tensor:
        return torch.maximum(values, self.epsilon * (torch.sin(values) - torch.cos(values)))
