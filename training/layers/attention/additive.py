"""Additive attention: each query takes a weighted mean of the keys (Bahdanau et al. 2015)."""

import torch
from torch import Tensor, nn

from training.layers.attention.masked_softmax import masked_softmax


class AdditiveAttention(nn.Module):
    """`score(t, i) = w · tanh(W_key k_i + W_query q_t + b)`, softmax over i, mean of the k_i.

    Shapes: queries (B, T, Q), keys (B, N, K), mask (B, N) true at keys -> (B, T, K), zeros where there are no keys. A
    bias after `w` would add the same to every key and change nothing.

    `guided=False` leaves the query out, so that every query gets the same answer. That is what a softmax makes of
    `w · [tanh(W_key k_i); tanh(W_query q_t + b)]`: the second half of the concatenation is the same for every key.
    """

    def __init__(self, query_width: int, key_width: int, inner_width: int, *, guided: bool = True) -> None:
        super().__init__()
        self.key = nn.Linear(key_width, inner_width, bias=False)
        self.query = nn.Linear(query_width, inner_width) if guided else None
        self.score = nn.Linear(inner_width, 1, bias=False)

    def forward(self, queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        attended: Tensor = self.weights(queries, keys, mask) @ keys
        return attended.expand(-1, queries.shape[1], -1)

    def weights(self, queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Returns (B, T, N), or (B, 1, N) without guidance: each row sums to 1, or to 0 where there are no keys."""
        inner = self.key(keys)[:, None]  # (B, 1, N, W)
        if self.query is not None:
            inner = inner + self.query(queries)[:, :, None]  # (B, T, N, W)
        scores = self.score(torch.tanh(inner)).squeeze(3)
        return masked_softmax(scores, mask[:, None])
