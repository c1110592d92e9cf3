"""AdaCAN-BERT-CRF: the adaptive co-attention network over BERT.

Zhang et al. 2018 (ACN) with BERT in place of its CNN-BiLSTM, as Yu et al. 2020 compare it (section 3.2 and table 2).

::

    pieces (B, L) ─▶ encoder ─▶ words (B, T, H) ─┐
    regions (B, R, V) ───────────────────────────┴─▶ co-attention, fusion, filtration (B, T, H) ─▶ linear ─▶ (B, T, 9)

The equations and the choices among them are those of `training/layers/attention/adaptive_coattention.py`; every size
there is H. The paper does not say more. Dropout is that of the encoder alone. Later pieces of a word are no positions,
and `bert_crf.py` says what the encoder is.
"""

from torch import Tensor, nn

from training.inputs.batch import Sizes, TweetBatch
from training.layers.attention.adaptive_coattention import AdaptiveCoattention
from training.layers.crf import LinearChainCrf
from training.layers.piece_encoder import PieceEncoder
from training.systems.base import TAG_COUNT, System


class AdacanBertCrf(System):
    """`as_printed` is the attention as ACN's paper prints it, which words do not guide."""

    def __init__(
        self,
        sizes: Sizes,
        *,
        dropout: float = 0.1,
        fusion_gate: bool = True,
        filtration_gate: bool = True,
        as_printed: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = PieceEncoder(sizes.encoder, dropout)
        self.attend = AdaptiveCoattention(
            self.encoder.width,
            sizes.visual,
            fusion_gate=fusion_gate,
            filtration_gate=filtration_gate,
            as_printed=as_printed,
        )
        self.score = nn.Linear(self.attend.width, TAG_COUNT)
        self.decoder = LinearChainCrf()

    def encode(self, batch: TweetBatch) -> Tensor:
        words, _ = self.encoder(batch)
        emissions: Tensor = self.score(self.attend(words, batch.mask, batch.visual, batch.visual_mask))
        return emissions
