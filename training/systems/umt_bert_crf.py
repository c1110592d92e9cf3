"""UMT-BERT-CRF: the multimodal transformer, guided by where names are according to the text alone.

Yu et al. 2020, section 2.4: the span CRF, the conversion matrix, equation 7, and the loss of section 2.5.

::

    encoder C (B, L, H) ─┬─▶ multimodal transformer ─▶ E (B, T, 9) ───────────────────────┐
                         └─▶ transformer layer T ─▶ span logits S (B, T, 3) ─▶ S · W_c ───┴─▶ .5 E + .5 S·W_c ─▶ CRF
                                                                  └─▶ span CRF: λ of its loss is added

Where the paper is wrong or silent, and what we did, beside what `mt_bert_crf.py` lists:

- Equation 7 adds the logit of the *gold* span tag, which nobody has when decoding. What can work, and what the released
  code does: all span logits times the matrix, halved and added to half the emissions.
- W_c is "initialised" by the text, constant in the released code and here.
- Without the conversion matrix the span loss stays and its term falls away, and with it the halving.
- λ = .5, the best of the paper's grid. The span CRF learns at the rate of the layers, the other at its own: the paper
  has one rate for all.
"""

from torch import Tensor, nn
from torch.nn import functional

from training.inputs.batch import Sizes, TweetBatch
from training.layers.crf import LinearChainCrf
from training.layers.piece_encoder import first_pieces
from training.layers.span_tags import SPAN_TAGS, span_starts, span_tags, span_to_typed, span_transitions
from training.layers.transformer_layer import TransformerLayer
from training.systems.base import tag_loss
from training.systems.mt_bert_crf import MtBertCrf

_SHARE = 0.5  # of the multimodal emissions; the rest is the spans'


class UmtBertCrf(MtBertCrf):
    """The row "UMT-BERT-CRF", and its ablations.

    Args:
        span_weight: λ.
        conversion_matrix: without it, spans share the encoder with the tags and no more.
    """

    def __init__(
        self,
        sizes: Sizes,
        *,
        heads: int = 12,
        dropout: float = 0.1,
        image_aware_words: bool = True,
        visual_gate: bool = True,
        span_weight: float = 0.5,
        conversion_matrix: bool = True,
    ) -> None:
        super().__init__(
            sizes, heads=heads, dropout=dropout, image_aware_words=image_aware_words, visual_gate=visual_gate
        )
        self.span_text = TransformerLayer(self.encoder.width, heads, dropout)
        self.score_spans = nn.Linear(self.encoder.width, len(SPAN_TAGS))
        self.span_decoder = LinearChainCrf(span_transitions(), span_starts())
        self.span_weight = span_weight
        self.register_buffer("conversion", span_to_typed() if conversion_matrix else None, persistent=False)
        self.conversion: Tensor | None

    def encode(self, batch: TweetBatch) -> Tensor:
        emissions, _ = self._emissions(batch)
        return emissions

    def loss(self, batch: TweetBatch) -> Tensor:
        """Returns -log P(y | S, V) - λ log P(z | S), averaged over tweets (section 2.5)."""
        emissions, spans = self._emissions(batch)
        gold = functional.one_hot(span_tags(batch.tags), len(SPAN_TAGS)).bool()
        span_loss = self.span_decoder.loss(spans, gold, batch.mask)
        return tag_loss(self.decoder, emissions, batch) + self.span_weight * span_loss

    def _emissions(self, batch: TweetBatch) -> tuple[Tensor, Tensor]:
        """Those of the tags (B, T, 9) and of the spans (B, T, 3)."""
        _, pieces = self.encoder(batch)
        emissions = self.multimodal_emissions(pieces, batch)
        spans = self.score_spans(first_pieces(self.span_text(pieces, pieces, batch.piece_mask), batch))
        if self.conversion is not None:
            emissions = _SHARE * emissions + (1 - _SHARE) * (spans @ self.conversion)  # (7)
        return emissions, spans
