"""The multimodal interaction of Yu et al. 2020 (section 2.3, figure 2b): words and regions read each other."""

import torch
from torch import Tensor, nn

from training.layers.transformer_layer import TransformerLayer


class MultimodalInteraction(nn.Module):
    """Each word as the photo colours it, and of the photo what concerns the word.

    ::

        regions U (B, R, V) ─▶ V = U·W ─┬─▶ P = layer(V over words) (B, R, D) ─▶ A = layer(words over P) (B, L, D) ─┐
        words (B, L, D) ────────────────┤                                                          gate (3) ──▶ [A; B]
                                        └─▶ Q = layer(words over V) (B, L, D) ──▶ B = g · Q ────────────────────────┘

    A is the image-aware word representation (2.3.1), Q the word-aware visual one (2.3.2). Where a tweet has no region,
    B is zero and A is of the word alone.

    Args:
        width: D, of words and of the layers.
        visual: V, of regions.
        image_aware_words: without them, A is the words as they come.
        visual_gate: without it, B = Q.
    """

    def __init__(
        self,
        width: int,
        visual: int,
        heads: int = 12,
        dropout: float = 0.1,
        *,
        image_aware_words: bool = True,
        visual_gate: bool = True,
    ) -> None:
        super().__init__()
        self.project = nn.Linear(visual, width)
        self.word_aware = TransformerLayer(width, heads, dropout)
        self.image_aware = ImageAwareWords(width, visual, heads, dropout) if image_aware_words else None
        self.gate = nn.Linear(2 * width, width) if visual_gate else None

    def forward(self, words: Tensor, word_mask: Tensor, regions: Tensor, region_mask: Tensor) -> Tensor:
        """Returns [A; B], (B, L, 2D), of words (B, L, D) and regions (B, R, V) with their masks."""
        aware = words
        if self.image_aware is not None:
            aware = self.image_aware(words, word_mask, regions, region_mask)
        seen = self.word_aware(words, self.project(regions), region_mask)
        if self.gate is not None:
            seen = torch.sigmoid(self.gate(torch.cat([aware, seen], 2))) * seen  # (3)
        return torch.cat([aware, seen * region_mask.any(1)[:, None, None]], 2)


class ImageAwareWords(nn.Module):
    """A coupled pair of cross-modal layers: regions look at words, and words at what those saw. (B, L, D) -> (B, L, D).

    The pair has a projection of the regions of its own.
    """

    def __init__(self, width: int, visual: int, heads: int = 12, dropout: float = 0.1) -> None:
        super().__init__()
        self.project = nn.Linear(visual, width)
        self.regions_over_words = TransformerLayer(width, heads, dropout)
        self.words_over_regions = TransformerLayer(width, heads, dropout)

    def forward(self, words: Tensor, word_mask: Tensor, regions: Tensor, region_mask: Tensor) -> Tensor:
        read = self.regions_over_words(self.project(regions), words, word_mask)  # P (B, R, D)
        aware: Tensor = self.words_over_regions(words, read, region_mask)  # A (B, L, D)
        return aware
