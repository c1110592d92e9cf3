"""GVATT-BERT-CRF: BERT-CRF whose words also see the photo, by visual attention and a visual gate.

Lu et al. 2018 with BERT in place of its HBiLSTM, as Yu et al. 2020 compare it (section 3.2 and table 2).

::

    pieces (B, L) ─▶ encoder ─▶ words h (B, T, H) ─┐
    regions (B, R, V) ─────────────────────────────┴─▶ attention, gate ─▶ [h; g·v] (B, T, 2H) ─▶ linear ─▶ (B, T, 9)

The paper has one sentence on it and no equation. What we did: regions made as wide as a word as in ACN's equation 1,
additive attention of each word over them, g = σ(W [h; v] + b) with one value a dimension, emissions from [h; g·v].
Dropout is that of the encoder alone. Later pieces of a word are no positions, and `bert_crf.py` says what the encoder
is.
"""

from torch import Tensor, nn

from training.inputs.batch import Sizes, TweetBatch
from training.layers.attention.visual import GatedVisualAttention
from training.layers.crf import LinearChainCrf
from training.layers.piece_encoder import PieceEncoder
from training.systems.base import TAG_COUNT, System


class GvattBertCrf(System):
    """`visual_gate=False` lets all that a word sees through."""

    def __init__(self, sizes: Sizes, *, dropout: float = 0.1, visual_gate: bool = True) -> None:
        super().__init__()
        self.encoder = PieceEncoder(sizes.encoder, dropout)
        self.see = GatedVisualAttention(self.encoder.width, sizes.visual, gate=visual_gate)
        self.score = nn.Linear(self.see.width, TAG_COUNT)
        self.decoder = LinearChainCrf()

    def encode(self, batch: TweetBatch) -> Tensor:
        words, _ = self.encoder(batch)
        emissions: Tensor = self.score(self.see(words, batch.visual, batch.visual_mask))
        return emissions
