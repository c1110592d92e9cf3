"""BiLSTM-CRF, CNN-BiLSTM-CRF and HBiLSTM-CRF: the recurrent baselines, on text alone.

Huang et al. 2015, Ma and Hovy 2016, Lample et al. 2016, as the rows of table 2 of Zhang et al. 2018 and of Yu et al.
2020 have them (section 3.2, "Compared Systems").

::

    words (B, T), characters (B, T, C) ─▶ TweetEncoder (B, T, 200) ─▶ linear ─▶ emissions (B, T, 9) ─▶ CRF

Neither paper gives sizes for its baselines: they are those of ACN, 25 a direction for the characters of HBiLSTM-CRF.
No features made by hand, as in Zhang et al.; vectors of words and the CRF are as `acn.py` says.
"""

from torch import Tensor, nn

from training.inputs.batch import Sizes, TweetBatch
from training.layers.character_encoders import CharacterEncoding
from training.layers.crf import LinearChainCrf
from training.layers.tweet_encoder import TweetEncoder
from training.systems.base import TAG_COUNT, System


class BiLstmCrf(System):
    """`characters`: "none", "cnn" (Ma and Hovy) or "lstm" (Lample et al., the H)."""

    def __init__(
        self, sizes: Sizes, *, characters: CharacterEncoding = "none", size: int = 200, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.text = TweetEncoder(sizes, characters, size=size, dropout=dropout)
        self.score = nn.Linear(self.text.width, TAG_COUNT)
        self.decoder = LinearChainCrf()

    def encode(self, batch: TweetBatch) -> Tensor:
        emissions: Tensor = self.score(self.text(batch))
        return emissions
