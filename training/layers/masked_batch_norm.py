"""Batch normalisation (Ioffe and Szegedy 2015) of tokens, in which padding does not count."""

from torch import Tensor, nn
from torch.nn import functional


class MaskedBatchNorm(nn.Module):
    """(B, T, W) with its mask (B, T) -> (B, T, W): each of the W over all tokens of the batch; 0 at padding.

    Out of training the statistics are those gathered in training, and a tweet's answer depends on no other tweet. A
    batch of one token has no deviation: it is read as out of training.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        if self.training and mask.sum() > 1:
            return vectors.new_zeros(vectors.shape).masked_scatter(mask[..., None], self.norm(vectors[mask]))
        norm = self.norm
        known = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        shifted = functional.batch_norm(vectors.transpose(1, 2), *known, training=False, eps=norm.eps)
        return shifted.transpose(1, 2).masked_fill(~mask[..., None], 0.0)
