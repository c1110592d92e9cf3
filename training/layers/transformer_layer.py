"""The transformer layer of BERT (Devlin et al. 2018), and the cross-modal one, which differs in whom it attends to."""

import math

import torch
from torch import Tensor, nn

from tagstream.errors import BadSettings


class TransformerLayer(nn.Module):
    """Multi-head attention and a feed-forward network, each added to what it is of and normalised.

    ::

        queries (B, Q, D) ─▶ attention over context (B, K, D) ─▶ +, norm ─▶ feed-forward ─▶ +, norm ─▶ (B, Q, D)

    With the queries as their own context it is the standard layer; with the other modality as context it is the
    cross-modal layer of Tsai et al. 2019 as Yu et al. 2020 have it (CA, MH-CA, equations 1 and 2). Where a row has no
    context at all, its attention adds nothing but a constant.
    """

    def __init__(self, width: int, heads: int = 12, dropout: float = 0.1) -> None:
        super().__init__()
        if width % heads:
            raise BadSettings(f"heads = {heads} do not divide the width {width} of the encoder: choose a divisor of it")
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.merge = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=1e-12)
        self.feed_forward = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.output_norm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, context: Tensor, context_mask: Tensor) -> Tensor:
        """Returns (B, Q, D) of queries (B, Q, D) and context (B, K, D), of which (B, K) says what is there."""
        attended = self.merge(self._attend(queries, context, context_mask))
        hidden = self.attention_norm(queries + self.dropout(attended))  # (1)
        output: Tensor = self.output_norm(hidden + self.dropout(self.feed_forward(hidden)))  # (2)
        return output

    def weights(self, queries: Tensor, context: Tensor, context_mask: Tensor) -> Tensor:
        """Returns (B, heads, Q, K): each row sums to 1, or to 0 where there is no context."""
        query, key = self._split(self.query(queries)), self._split(self.key(context))  # (B, heads, Q or K, D / heads)
        scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[3])
        there = context_mask[:, None, None, :]
        # The second mask is for rows without any context, whose softmax is even over what is not there.
        return scores.masked_fill(~there, torch.finfo(scores.dtype).min).softmax(3) * there

    def _attend(self, queries: Tensor, context: Tensor, context_mask: Tensor) -> Tensor:
        weights = self.dropout(self.weights(queries, context, context_mask))
        attended: Tensor = weights @ self._split(self.value(context))
        return attended.transpose(1, 2).flatten(2)

    def _split(self, vectors: Tensor) -> Tensor:
        rows, places, width = vectors.shape
        return vectors.view(rows, places, self.heads, width // self.heads).transpose(1, 2)
