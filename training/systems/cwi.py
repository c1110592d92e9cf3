"""CWI, the character-word-image model, and CWI + attention.

Asgari-Chenaghlu et al. 2020 and 2021, section 3.1, equations 12 to 16, tables 5 to 8 (layer numbers in brackets).

::

    characters (B, T, C) ─▶ CharacterPyramid (B, T, 640) [17] ───────────────────────┐
    words (B, T) ─▶ table (B, T, W) ─▶ BiLSTM (B, T, 200) [24] ──────────────────────┼▶ (B, T, 890) [28]
    labels (B, 5) ─▶ table (B, 5, 50) ─▶ LSTM, last state (B, 50) [27], at each word ─┘
        ─▶ BiLSTM (B, T, 200) [31] (─▶ attention) ─▶ linear ─▶ emissions (B, T, 9) ─▶ CRF [32]

Departures and choices:

- W is 500 in the paper, GloVe's 200 and fastText's 300; here it is as wide as the recipe's vectors, and `word_width`
  where there are none. The table is trained, which the paper does not say of its own.
- Tables 5 and 6 cut tweets at 35 words; here they are read whole. GroupNorm and TargetedDropout look at one word at a
  time, where the tables leave open whether they see all 35 together.
- The paper's CRF learns that I-PER does not follow B-LOC; here what BIO forbids is impossible (`layers/crf.py`).
- Equation 13 takes the indices of the five likeliest classes of InceptionV3. Here labels are the first things, at most
  five, that the CATR caption of the photo names: classes with learnt vectors, padding masked. A tweet whose photo is
  missing has no label, and zeros in their place.
- Without TargetedDropout, two words in a hundred are still read as unknown ones (`word_table.py`).
- Table 8 lets the CRF read layer 30, the backward LSTM; it reads 31, both.
- Equations 14 to 16 give one vector β a tweet. `attention="words"` joins it to each word, [h_t; β], after layer 31, as
  the text has it; `attention="modalities"` weighs characters, words and labels at each word before layer 29, by the
  same equations, as the paper says elsewhere ("applied to this triplet").
- Equation 15 prints exp(h_tᵀ u_it), with no i on h: read as h_i · u_i. Equation 13 takes indices by arg sort,
  where the text under it speaks of probabilities that sum to at most one.
- "∘ is concatenation" in the equations of the LSTM is a slip for the elementwise product.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from tagstream.errors import BadSettings
from training.inputs.batch import Sizes, TweetBatch
from training.inputs.vocabulary import PADDING
from training.layers.attention.self_attention import SelfAttentivePooling
from training.layers.character_pyramid import CharacterPyramid
from training.layers.crf import LinearChainCrf
from training.layers.recurrent import Bidirectional, last_state
from training.layers.word_table import WordTable
from training.systems.base import TAG_COUNT, System

Attention = Literal["none", "words", "modalities"]
ATTENTIONS = get_args(Attention)


class Cwi(System):
    """`targeted_dropout`, `sine_relu` and `group_norm` are what table 10 takes away; `word_width` is table 9, without
    effect where words have pretrained vectors.
    """

    def __init__(
        self,
        sizes: Sizes,
        *,
        attention: Attention = "none",
        targeted_dropout: bool = True,
        sine_relu: bool = True,
        group_norm: bool = True,
        word_width: int = 500,
        size: int = 200,
    ) -> None:
        super().__init__()
        if attention not in ATTENTIONS:
            raise BadSettings(f"attention = {attention!r}: it is one of {', '.join(ATTENTIONS)}")
        self.characters = CharacterPyramid(
            sizes.characters, targeted_dropout=targeted_dropout, sine_relu=sine_relu, group_norm=group_norm
        )
        self.words = WordTable(sizes.words, word_width, sizes.word_vectors)
        self.text = Bidirectional(self.words.width, size // 2)
        self.labels = LabelReader(sizes.labels)
        widths = (self.characters.width, self.text.width, self.labels.width)
        self.weigh = WeighedModalities(widths, size) if attention == "modalities" else None
        self.fuse = Bidirectional(sum(widths) if self.weigh is None else size, size // 2)
        self.pool = SelfAttentivePooling(self.fuse.width) if attention == "words" else None
        self.score = nn.Linear(self.fuse.width * (1 if self.pool is None else 2), TAG_COUNT)
        self.decoder = LinearChainCrf()

    def encode(self, batch: TweetBatch) -> Tensor:
        words = self.text(self.words(batch.words), batch.mask)
        labels = self.labels(batch.labels)[:, None].expand(-1, words.shape[1], -1)
        read = [self.characters(batch.characters), words, labels]
        fused = torch.cat(read, dim=2) if self.weigh is None else self.weigh(read, batch.labels.bool().any(1))
        hidden = self.fuse(fused, batch.mask)  # layer 31
        if self.pool is not None:
            whole = self.pool(hidden, batch.mask)[:, None].expand_as(hidden)
            hidden = torch.cat([hidden, whole], dim=2)
        emissions: Tensor = self.score(hidden)
        return emissions


class LabelReader(nn.Module):
    """The labels of a photo, read in order by an LSTM: (B, 5) -> its last state (B, 50); zeros without labels."""

    def __init__(self, labels: int, width: int = 50) -> None:
        super().__init__()
        self.table = nn.Embedding(labels, width, PADDING)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.width = width

    def forward(self, labels: Tensor) -> Tensor:
        return last_state(self.lstm(self.table(labels))[0], labels != PADDING)


class WeighedModalities(nn.Module):
    """Characters, words and labels of each token, made equally wide and pooled: (B, T, …) three times -> (B, T, D).

    Each is `tanh(W x + b)`: were they of different magnitude, the largest would have all the weight for ever.
    The last of them, the labels, is left out of a tweet that has none: `labelled` (B,).
    """

    def __init__(self, widths: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(nn.Linear(each, width) for each in widths)
        self.pool = SelfAttentivePooling(width)

    def forward(self, modalities: list[Tensor], labelled: Tensor) -> Tensor:
        stacked = torch.tanh(
            torch.stack([project(one) for project, one in zip(self.project, modalities, strict=True)], dim=2)
        )
        there = torch.ones_like(labelled)
        mask = torch.stack([there, there, labelled], dim=1)[:, None].expand(-1, stacked.shape[1], -1)
        pooled: Tensor = self.pool(stacked, mask)
        return pooled
