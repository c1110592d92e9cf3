"""BERT and BERT-CRF: a pretrained encoder, a linear layer, and a softmax or a conditional random field.

After Yu et al. 2020 (UMT), section 3.2 and the rows "BERT" and "BERT-CRF" of table 2; text alone.

::

    pieces (B, L) ─▶ encoder (B, L, H) ─▶ first piece of each word (B, T, H) ─▶ linear ─▶ emissions (B, T, 9)

Departures: the encoder is whatever the recipe names (all-MiniLM-L6-v2, 22 M parameters, H = 384, where there is no
BERT-base-cased), and the letter case of each word is given to it, because that one is uncased; later
pieces of a word are no positions of the CRF, where the paper's code labels them X. Up to 512 pieces are read, where the
paper cuts at 128. The CRF makes impossible what BIO forbids (`training/layers/crf.py`); the paper's learns it.
"""

from torch import Tensor, nn

from training.inputs.batch import Sizes, TweetBatch
from training.layers.crf import LinearChainCrf
from training.layers.piece_encoder import PieceEncoder
from training.systems.base import TAG_COUNT, System


class BertCrf(System):
    """`crf=False` is the row "BERT"."""

    def __init__(self, sizes: Sizes, *, crf: bool = True, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = PieceEncoder(sizes.encoder, dropout)
        self.score = nn.Linear(self.encoder.width, TAG_COUNT)
        self.decoder = LinearChainCrf() if crf else None

    def encode(self, batch: TweetBatch) -> Tensor:
        words, _ = self.encoder(batch)
        emissions: Tensor = self.score(words)
        return emissions
