"""A softmax over what is there."""

import torch
from torch import Tensor

# Far below any score, yet finite: a row of which nothing is there must not become NaN.
_NEVER = -1e9


def masked_softmax(scores: Tensor, mask: Tensor, dim: int = -1) -> Tensor:
    """Weights that sum to 1 where the mask is true and are 0 elsewhere; all 0 where nothing is there.

    The mask must broadcast to the shape of the scores.
    """
    return torch.softmax(scores.masked_fill(~mask, _NEVER), dim=dim) * mask
