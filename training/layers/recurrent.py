"""Recurrent layers over sequences of different lengths, in which padding changes nothing.

The sequences stand at the beginning of their rows. Backward, each is reversed within its own length; a packed sequence
would do the same, but cannot be exported.
"""

from typing import Literal

import torch
from torch import Tensor, nn

Cell = Literal["lstm", "gru"]
_CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


class Bidirectional(nn.Module):
    """Reads both ways: (B, T, W) with its mask (B, T) -> (B, T, 2S), or with `last` the two last states, (B, 2S).

    Equation 2 of Zhang et al. 2018: `h_t = [forward h_t; backward h_t]`. At padding the outputs are anything; the last
    states of an empty sequence are zero.

    Attributes:
        width: 2S.
    """

    def __init__(self, width: int, size: int, cell: Cell = "lstm") -> None:
        super().__init__()
        self.forwards = _CELLS[cell](width, size, batch_first=True)
        self.backwards = _CELLS[cell](width, size, batch_first=True)
        self.width = 2 * size

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        there, back = self._both(vectors, mask)
        return torch.cat([there, reverse(back, mask)], dim=2)

    def last(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Returns (B, 2S): each direction's state when it has read everything."""
        there, back = self._both(vectors, mask)
        return torch.cat([last_state(there, mask), last_state(back, mask)], dim=1)

    def _both(self, vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return self.forwards(vectors)[0], self.backwards(reverse(vectors, mask))[0]


def reverse(vectors: Tensor, mask: Tensor) -> Tensor:
    """Returns each sequence (B, T, W) back to front within its length; padding stays where it is."""
    places = torch.arange(mask.shape[1], device=mask.device)
    lengths = mask.sum(1, keepdim=True)
    sources = torch.where(places < lengths, lengths - 1 - places, places)  # (B, T)
    return torch.gather(vectors, 1, sources[..., None].expand(-1, -1, vectors.shape[2]))


def last_state(states: Tensor, mask: Tensor) -> Tensor:
    """Returns (B, S): of states (B, T, S), that of the last place which is no padding; zero where all is padding."""
    lengths = mask.sum(1)
    places = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, states.shape[2])
    return torch.gather(states, 1, places).squeeze(1) * (lengths > 0)[:, None]
