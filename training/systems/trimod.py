"""TriMod: words of a tweet, a caption of its photo and the words of its hashtags, pooled by attention at each token.

Alfaqeeh 2024, section IV, the row "TriMod".

::

    words (B, T) ─▶ table (B, T, 200) (1) ────────────────┐
    characters (B, T, C) ─▶ table ─▶ Bi-GRU (B, T, 30) (3) ┴▶ [;] (4) ─▶ Bi-GRU h (B, T, 150) (5-7) ─▶ linear f1 ─┐
    caption (B, K) ─▶ table (B, K, 200) ─▶ Bi-GRU, last states (B, 150) ─▶ linear f2 at each token (B, T, 150) ────┤
    hashtags (B, H) ─▶ table (B, H, 200) ─▶ mean (B, 200) ─▶ linear f3 at each token (B, T, 150) ──────────────────┤
                                                  ModalityPooling (11, 12) (B, T, 150) ─▶ linear ─▶ CRF (13-16) ◀──┘

Where the text is wrong or silent:

- Equations 3 and 7 call the concatenated states d_c and d wide, table II 30 and 150: 15 and 75 a direction.
- How the caption becomes a feature is not said: its words go through the tweet's table and a Bi-GRU of their own.
  Nor is it for hashtags: the mean of the words that they are split into, by the project's segmenter: a language model,
  and where it is in doubt the network of equations 9 and 10. Captions are BLIP-2's; the paper's own kind of captioner
  (ResNet-50 and a recurrent network) is `training/captioner`, which no recipe uses.
- "Transformer-attention" is the additive pooling of equations 11 and 12; the linear layer that the prose sets after the
  exponential would undo its positive weights, and has no place in the equations. Self-attention "within each modality",
  which only the conclusion names, is in no equation either.
- Equation 11 wants features of one width: a linear layer each, also where the text stands alone, so that a variant is
  less than its parent by nothing else. A modality that a tweet lacks weighs nothing.
- Dropout stands on the vectors of words and characters; without it, two words in a hundred are still read as unknown
  ones (`word_table.py`), or their vector would never be learnt. L1 and weight decay are the recipe's; batch
  normalisation stands before the scores of the tags.
- Equation 11 prints W_2 as m x d and u as d long, which agree for m = d alone: m = d = 150. Equations 5 and 6 call each
  of the two directions a Bi-GRU.
- "Object-level visual features" and a number of objects to choose are spoken of, and in no equation: there are none.
- The paper's CRF learns that I-PER does not follow B-LOC; here what BIO forbids is impossible (`layers/crf.py`).
- Word vectors are word2vec; here whatever the recipe names.
"""

import torch
from torch import Tensor, nn

from training.inputs.batch import Sizes, TweetBatch
from training.inputs.vocabulary import PADDING
from training.layers.character_encoders import CharacterTable
from training.layers.crf import LinearChainCrf
from training.layers.masked_batch_norm import MaskedBatchNorm
from training.layers.modality_pooling import ModalityPooling
from training.layers.recurrent import Bidirectional
from training.layers.word_table import WordTable
from training.systems.base import TAG_COUNT, System


class TriMod(System):
    """`caption=False` and `hashtags=False` leave a modality out; without both nothing is pooled."""

    def __init__(
        self,
        sizes: Sizes,
        *,
        caption: bool = True,
        hashtags: bool = True,
        dropout: float = 0.55,
        batch_norm: bool = False,
        size: int = 150,
    ) -> None:
        super().__init__()
        self.words = WordTable(sizes.words, 200, sizes.word_vectors)
        self.characters = CharacterTable(sizes.characters, 30)
        self.spell = Bidirectional(30, 15, "gru")
        self.read = Bidirectional(self.words.width + self.spell.width, size // 2, "gru")
        self.project = nn.Linear(self.read.width, size)
        self.caption = ReadWords(self.words.width, size) if caption else None
        self.hashtags = MeanOfWords(self.words.width, size) if hashtags else None
        self.pool = ModalityPooling(size, size) if caption or hashtags else None
        self.normalise = MaskedBatchNorm(size) if batch_norm else None
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(size, TAG_COUNT)
        self.decoder = LinearChainCrf()

    def encode(self, batch: TweetBatch) -> Tensor:
        fused = self.project(self._read(batch))  # f1 (B, T, 150)
        if self.pool is not None:
            features, present = [fused], [batch.mask.any(1)]
            for feature, words in ((self.caption, batch.caption), (self.hashtags, batch.hashtags)):
                if feature is not None:
                    said = feature(self._embed(words), words != PADDING)  # f2, f3 (B, 150)
                    features.append(said[:, None].expand_as(fused))
                    present.append((words != PADDING).any(1))
            fused = self.pool(features, torch.stack(present, dim=1))
        if self.normalise is not None:
            fused = self.normalise(fused, batch.mask)
        emissions: Tensor = self.score(fused)
        return emissions

    def _read(self, batch: TweetBatch) -> Tensor:
        """h (B, T, 150)."""
        spellings = batch.characters.flatten(0, 1)  # (B T, C)
        spelled = self.spell.last(self.dropout(self.characters(spellings)), spellings != PADDING)
        words = torch.cat([self._embed(batch.words), spelled.view(*batch.words.shape, -1)], dim=2)
        hidden: Tensor = self.read(words, batch.mask)
        return hidden

    def _embed(self, words: Tensor) -> Tensor:
        embedded: Tensor = self.dropout(self.words(words))
        return embedded


class ReadWords(nn.Module):
    """Vectors of words (B, K, W) with their mask (B, K), read both ways -> (B, size)."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.read = Bidirectional(width, size // 2, "gru")
        self.project = nn.Linear(self.read.width, size)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        projected: Tensor = self.project(self.read.last(words, mask))
        return projected


class MeanOfWords(nn.Module):
    """Vectors of words (B, H, W) with their mask (B, H), averaged -> (B, size)."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, size)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        weights = mask[..., None].to(words.dtype)
        projected: Tensor = self.project((words * weights).sum(1) / weights.sum(1).clamp(min=1.0))
        return projected
