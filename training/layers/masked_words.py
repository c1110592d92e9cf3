"""Masked words (Devlin et al. 2018): an encoder learns a language by guessing the pieces that were hidden from it."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

HIDDEN = 0.15  # of all pieces; of those, 8 in 10 are shown as the mask, 1 as any other piece, 1 as it is


class MaskedWords(nn.Module):
    """An encoder with the layer that guesses: hidden pieces (N, H) -> dense, norm, scores over all pieces (N, pieces).

    The scores share the encoder's table of pieces. They are worked out at the hidden places alone.
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        pieces, embedded = encoder.get_input_embeddings().weight.shape
        self.transform = nn.Sequential(
            nn.Linear(encoder.config.hidden_size, embedded), nn.GELU(), nn.LayerNorm(embedded, eps=1e-12)
        )
        self.bias = nn.Parameter(torch.zeros(pieces))

    def loss(self, shown: Tensor, mask: Tensor, hidden: Tensor, pieces: Tensor) -> Tensor:
        """Returns the cross-entropy of a hidden piece, averaged over them; 0 where none is hidden.

        Args:
            shown: (B, L), what the encoder reads.
            mask: (B, L), true where there is anything.
            hidden: (B, L), true where it must guess.
            pieces: (B, L), what really stands there.
        """
        vectors = self.encoder(input_ids=shown, attention_mask=mask.long()).last_hidden_state[hidden]
        scores = functional.linear(self.transform(vectors), self.encoder.get_input_embeddings().weight, self.bias)
        return functional.cross_entropy(scores.float(), pieces[hidden], reduction="sum") / max(1, len(vectors))


def hide(
    pieces: Tensor, may_hide: Tensor, mask_piece: int, count: int, chance: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Hides pieces: returns those that are shown (B, L) and a mask of those to be guessed (B, L).

    Args:
        may_hide: (B, L), true at pieces that are neither marks nor padding.
        mask_piece: what is shown for a hidden one.
        count: pieces in the vocabulary.
    """
    draw = torch.rand(pieces.shape, generator=chance)
    hidden = (draw < HIDDEN) & may_hide
    kind = draw / HIDDEN  # evenly between 0 and 1 at the hidden ones
    others = torch.randint(count, pieces.shape, generator=chance)
    shown = torch.where(hidden & (kind < 0.8), mask_piece, pieces)
    shown = torch.where(hidden & (kind >= 0.8) & (kind < 0.9), others, shown)
    return shown, hidden
