"""GVATT-HBiLSTM-CRF: words look at regions of the photo, and a gate says how much of it they need.

Lu et al. 2018, as Yu et al. 2020 set it against theirs: "integrates HBiLSTM-CRF with the visual context by proposing a
visual attention mechanism followed by a visual gate to obtain word-aware visual representations" (section 3.2).

::

    words, characters ─▶ TweetEncoder, characters by LSTM: h (B, T, 200)
    regions (B, R, V) ─▶ GatedVisualAttention(h): [h; g * v] (B, T, 400) ─▶ linear ─▶ emissions (B, T, 9) ─▶ CRF

That sentence is all there is. Chosen here: regions made as wide as a word as in ACN's equation 1, additive attention, a
gate of the width of a word, the CRF on words and gated vision side by side; dropout where HBiLSTM-CRF has it, so that
nothing but vision is added. The paper looks at regions of pixels; these are what the recipe names. A tweet without
photo has zeros in their place.
"""

from torch import Tensor, nn

from training.inputs.batch import Sizes, TweetBatch
from training.layers.attention.visual import GatedVisualAttention
from training.layers.crf import LinearChainCrf
from training.layers.tweet_encoder import TweetEncoder
from training.systems.base import TAG_COUNT, System


class GvattHBiLstmCrf(System):
    """`visual_gate=False` lets all that the attention sees through."""

    def __init__(self, sizes: Sizes, *, visual_gate: bool = True, size: int = 200, dropout: float = 0.5) -> None:
        super().__init__()
        self.text = TweetEncoder(sizes, "lstm", size=size, dropout=dropout)
        self.look = GatedVisualAttention(self.text.width, sizes.visual, gate=visual_gate)
        self.score = nn.Linear(self.look.width, TAG_COUNT)
        self.decoder = LinearChainCrf()

    def encode(self, batch: TweetBatch) -> Tensor:
        seen = self.look(self.text(batch), batch.visual, batch.visual_mask)
        emissions: Tensor = self.score(seen)
        return emissions
