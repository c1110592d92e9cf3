"""MNER-MA: attention over word, characters and photo at every token.

Moon et al. 2018, section 3.3, the row "MNER-MA" of Alfaqeeh 2024. That paper is not at hand, and those that are
describe it in a sentence: the formulas of `training/layers/attention/modality.py`, one weight a modality, are ours.

::

    words (B, T) ─▶ table ─▶ linear (B, T, 200) ───────────────────┐
    characters (B, T, C) ─▶ LSTM both ways ─▶ linear (B, T, 200) ──┼▶ ModalityAttention ─▶ BiLSTM (B, T, 200)
    regions (B, R, V) ─▶ mean ─▶ linear (B, 1, 200) at each word ──┘    ─▶ linear ─▶ emissions (B, T, 9) ─▶ CRF

Departures: the photo is one vector there, the last layer of a classifier, and the mean over what is seen here; a tweet
without photo weighs the other two alone. Sizes and dropout are those of ACN.
"""

import torch
from torch import Tensor, nn

from training.inputs.batch import Sizes, TweetBatch
from training.layers.attention.modality import ModalityAttention
from training.layers.character_encoders import CharacterLstm
from training.layers.crf import LinearChainCrf
from training.layers.recurrent import Bidirectional
from training.layers.word_table import WordTable
from training.systems.base import TAG_COUNT, System


class MnerMa(System):
    """`visual=False` is its text alone: attention over word and characters."""

    def __init__(self, sizes: Sizes, *, visual: bool = True, size: int = 200, dropout: float = 0.5) -> None:
        super().__init__()
        self.words = WordTable(sizes.words, 200, sizes.word_vectors)
        self.characters = CharacterLstm(sizes.characters)
        self.project_words = nn.Linear(self.words.width, size)
        self.project_characters = nn.Linear(self.characters.width, size)
        self.project_photo = nn.Linear(sizes.visual, size) if visual else None
        self.weigh = ModalityAttention(3 if visual else 2, size)
        self.lstm = Bidirectional(size, size // 2)
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(self.lstm.width, TAG_COUNT)
        self.decoder = LinearChainCrf()

    def encode(self, batch: TweetBatch) -> Tensor:
        words = self.project_words(self.dropout(self.words(batch.words)))
        characters = self.project_characters(self.dropout(self.characters(batch.characters)))
        modalities = [words, characters]
        seen = batch.visual_mask.any(1)
        present = [torch.ones_like(seen), torch.ones_like(seen)]
        if self.project_photo is not None:
            photo = self.project_photo(mean_region(batch.visual, batch.visual_mask))[:, None]
            modalities.append(photo.expand_as(words))
            present.append(seen)
        weighed = self.weigh(modalities, torch.stack(present, dim=1)[:, None])
        hidden = self.dropout(self.lstm(weighed, batch.mask))
        emissions: Tensor = self.score(hidden)
        return emissions


def mean_region(regions: Tensor, mask: Tensor) -> Tensor:
    """Returns (B, V): the mean of regions (B, R, V) where the mask (B, R) is true; zeros where there are none."""
    weights = mask[..., None].to(regions.dtype)
    return (regions * weights).sum(1) / weights.sum(1).clamp(min=1.0)
