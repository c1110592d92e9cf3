"""MSB-Tiny and MSB-Small: a small BERT that reads the tweet and, after a separator, what its photo shows.

Asgari-Chenaghlu et al. 2021, section 3.2, table 2 and figure 5; each with a CRF and without.

::

    [CLS] tweet [SEP] labels of the photo [SEP]  (B, L) ─▶ BERT (B, L, H) ─▶ first piece of each word (B, T, H)
        segment 0          segment 1                                          ─▶ linear ─▶ emissions (B, T, 9)

    tiny: 2 layers, H = 128, 2 heads; small: 4 layers, H = 512, 8 heads; feed-forward 4 H

Where the paper is wrong or silent, and what we did:

- Google's weights where `weights` names a folder of them, random ones where it names none; either way the paper trains
  on masked words of tweets before, then on those of NER text: `python -m training.experiments.pretrain`, whose
  `encoder` folder is what `weights` names in the recipes. The vocabulary is that of the recipe's encoder:
  all-MiniLM-L6-v2 has the 30,522 pieces of BERT, which are WordPiece and not, as the text has it, BPE.
- Masked words are learnt without labels: segment 1 is as at random when tagging begins. One encoder, of one seed, is
  what the runs of all seeds begin with.
- URLs are removed (the recipe's `urls`), but their tags are still due: they are read at the mark after the tweet.
- The labels are five classes of InceptionV3 there, and the first five things of a caption here; they stand in segment
  1, and have no tags.
- The CRF is equation 4, and makes impossible what BIO forbids (`training/layers/crf.py`).
- 8e-5 and 10 epochs are said of the first model of that paper; of this one only that it trains for two days.
- The pieces are lower-cased, and nothing gives the letter case back.
- The last classifier is not described: one linear layer, without a CRF a softmax at each word.
"""

from pathlib import Path

from torch import Tensor, nn
from transformers import AutoConfig, BertConfig

from tagstream.errors import BadSettings
from training.inputs.batch import Sizes, TweetBatch
from training.layers.crf import LinearChainCrf
from training.layers.piece_encoder import PieceEncoder
from training.systems.base import TAG_COUNT, System

# Layers, width, heads.
SIZES = {"tiny": (2, 128, 2), "small": (4, 512, 8)}


class Msb(System):
    """`size` is `tiny` or `small`; `weights` a folder with a pretrained encoder of that size, empty for random ones."""

    def __init__(
        self, sizes: Sizes, *, size: str = "tiny", crf: bool = False, weights: str = "", dropout: float = 0.1
    ) -> None:
        super().__init__()
        if weights and not Path(weights).is_dir():
            raise BadSettings(
                f"weights = {weights}: no such folder; `python -m training.experiments.pretrain` makes one"
            )
        expected = small_bert(size, AutoConfig.from_pretrained(str(sizes.encoder)).vocab_size)
        self.encoder = PieceEncoder(weights or expected, dropout, letter_case=False)
        _check(self.encoder.model.config, expected, weights)
        self.score = nn.Linear(self.encoder.width, TAG_COUNT)
        self.decoder = LinearChainCrf() if crf else None

    def encode(self, batch: TweetBatch) -> Tensor:
        words, _ = self.encoder(batch)
        emissions: Tensor = self.score(words)
        return emissions


def small_bert(size: str, pieces: int) -> BertConfig:
    """Returns the configuration of a size in table 2.

    Raises:
        BadSettings: there is no such size.
    """
    if size not in SIZES:
        raise BadSettings(f"size = {size!r}: there are {' and '.join(SIZES)}")
    layers, width, heads = SIZES[size]
    return BertConfig(
        vocab_size=pieces,
        num_hidden_layers=layers,
        hidden_size=width,
        num_attention_heads=heads,
        intermediate_size=4 * width,
    )


def _check(found: BertConfig, expected: BertConfig, weights: str) -> None:
    for name in ("vocab_size", "num_hidden_layers", "hidden_size", "num_attention_heads"):
        there, wanted = getattr(found, name), getattr(expected, name)
        if there != wanted:
            raise BadSettings(f"weights = {weights}: {name} is {there} there, and {wanted} by the recipe")
