"""MT-BERT-CRF: the multimodal transformer, words and regions reading each other by cross-modal layers.

Yu et al. 2020, section 2.3: equations 1 to 6 and figure 2b.

::

    pieces (B, L) ─▶ encoder C (B, L, H) ─▶ transformer layer R (B, L, H) ─┐
    regions (B, R, V) ─────────────────────────────────────────────────────┴─▶ interaction (1–3) [A; B] (B, L, 2H)
                                    first piece of each word (B, T, 2H) ─▶ linear (6) ─▶ emissions E (B, T, 9) ─▶ CRF

Where the paper is wrong or silent, and what we did:

- R has n + 2 vectors, the marks included, though 2.3.1 says n + 1 once: the layers read all pieces and marks, and the
  CRF scores the first pieces of the words, where the released code labels later pieces X and scores them too.
- One layer a block, and two projections of the regions, as in the released code; the text has one projection.
- 2048 x 49 regions of ResNet-152 stand in the paper; here V and R are what the recipe's `visual` gives.
- The layers are BERT's, with GELU. Weight decay reaches all parameters; the released code spares biases and norms.
- The paper's CRF learns that I-PER does not follow B-LOC; here what BIO forbids is impossible (`layers/crf.py`).
- Every tweet there has a photo. Without one nothing is seen: B = 0.
- 12 heads must divide H: 384 for all-MiniLM-L6-v2, which is what there is in place of BERT-base-cased (`bert_crf.py`).
"""

from torch import Tensor, nn

from training.inputs.batch import Sizes, TweetBatch
from training.layers.attention.multimodal_interaction import MultimodalInteraction
from training.layers.crf import LinearChainCrf
from training.layers.piece_encoder import PieceEncoder, first_pieces
from training.layers.transformer_layer import TransformerLayer
from training.systems.base import TAG_COUNT, System


class MtBertCrf(System):
    """The row "MT-BERT-CRF", which is UMT without span detection.

    Args:
        image_aware_words: without them, A = R.
        visual_gate: without it, B = Q.
    """

    def __init__(
        self,
        sizes: Sizes,
        *,
        heads: int = 12,
        dropout: float = 0.1,
        image_aware_words: bool = True,
        visual_gate: bool = True,
    ) -> None:
        super().__init__()
        self.encoder = PieceEncoder(sizes.encoder, dropout)
        width = self.encoder.width
        self.text = TransformerLayer(width, heads, dropout)
        self.interact = MultimodalInteraction(
            width, sizes.visual, heads, dropout, image_aware_words=image_aware_words, visual_gate=visual_gate
        )
        self.score = nn.Linear(2 * width, TAG_COUNT)
        self.decoder = LinearChainCrf()

    def encode(self, batch: TweetBatch) -> Tensor:
        _, pieces = self.encoder(batch)
        return self.multimodal_emissions(pieces, batch)

    def multimodal_emissions(self, pieces: Tensor, batch: TweetBatch) -> Tensor:
        """Returns E (B, T, 9) of encoded pieces C (B, L, H) and the photo."""
        words = self.text(pieces, pieces, batch.piece_mask)  # R
        fused = self.interact(words, batch.piece_mask, batch.visual, batch.visual_mask)
        emissions: Tensor = self.score(first_pieces(fused, batch))  # (6)
        return emissions
