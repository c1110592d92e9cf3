"""ACN, the adaptive co-attention network (AdaCAN-CNN-BiLSTM-CRF), and its ablations.

Zhang et al. 2018; every equation of the section "The Proposed Method".

::

    words, characters ─▶ TweetEncoder, characters by CNN: h (B, T, 200)                         equation 2
    regions (B, R, V) ─▶ tanh(W ṽ + b) (B, R, 200)                                              equation 1
    h, regions ─▶ AdaptiveCoattention: two attentions, fusion, filtration: m̂ (B, T, 200)
    m̂ ─▶ linear ─▶ emissions (B, T, 9) ─▶ CRF

Departures and choices; those of the co-attention stand in `training/layers/attention/adaptive_coattention.py`:

- The print trains by RMSprop at a rate of 0.19, which moves every weight by about as much a step
  (tried: the loss of 300 tweets is in the thousands after three epochs): the recipe says 1e-3.
- Tweets are read whole and words to 40 characters, where the paper cuts at 35 words and 30 characters.
- Its vectors of words come from 30 million tweets; the recipe's are fastText's, of the 155 thousand unlabelled tweets
  at hand and the training parts. Words that are only in other parts have the vector of their spelling, and keep it.
- Where dropout stands and how high it is, the paper does not say: 0.5 at what the LSTM reads and gives. Without it, two
  words in a hundred are still read as unknown ones (`word_table.py`), or their vector would never be learnt.
- The paper's CRF learns that I-PER does not follow B-LOC; here what BIO forbids is impossible (`layers/crf.py`).
- The filtration gate's output is the CRF's input there; a linear map gives it 9 scores here.
- What is seen are the regions, or the encoded caption, that the recipe names; the paper has 7 x 7 of VGG-16.
"""

from torch import Tensor, nn

from training.inputs.batch import Sizes, TweetBatch
from training.layers.attention.adaptive_coattention import AdaptiveCoattention
from training.layers.crf import LinearChainCrf
from training.layers.tweet_encoder import TweetEncoder
from training.systems.base import TAG_COUNT, System


class Acn(System):
    """`crf=False` is CBCFuFi, `fusion_gate=False` CBCFiC, `filtration_gate=False` CBCFuC, `dropout=0.0` table 3.

    `size` is the width of a word's hidden state and of all after it (table 4); `as_printed` the attention of the
    print, which no word guides.
    """

    def __init__(
        self,
        sizes: Sizes,
        *,
        crf: bool = True,
        fusion_gate: bool = True,
        filtration_gate: bool = True,
        as_printed: bool = False,
        size: int = 200,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.text = TweetEncoder(sizes, "cnn", size=size, dropout=dropout)
        self.coattention = AdaptiveCoattention(
            self.text.width,
            sizes.visual,
            fusion_gate=fusion_gate,
            filtration_gate=filtration_gate,
            as_printed=as_printed,
        )
        self.score = nn.Linear(self.coattention.width, TAG_COUNT)
        self.decoder = LinearChainCrf() if crf else None

    def encode(self, batch: TweetBatch) -> Tensor:
        joined = self.coattention(self.text(batch), batch.mask, batch.visual, batch.visual_mask)
        emissions: Tensor = self.score(joined)
        return emissions
