"""The served tagger: a compact transformer over tweet, hashtags and image words, with a CRF on top.

::

    pieces (B, L) ─▶ word embedding ──────────┐
    features (B, L, 6) ─▶ table, sum, linear ─┼─▶ + position + segment ─▶ transformer (B, L, D) ─▶ linear ─▶ (B, L, 9)
    segments (B, L) ──────────────────────────┘

After BERT-CRF as Yu et al. 2020 describe it (section 3.2, without images); the encoder is all-MiniLM-L6-v2 (22 M
parameters, six layers, D = 384) or all-mpnet-base-v2 (110 M, twelve, D = 768) in place of BERT-base. Departures: three
segments instead of one, features of case and characters because the vocabulary is uncased, gold labels that may be
unknown (`LinearChainCrf.loss`).
"""

from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers import BertConfig, MPNetConfig

from training.layers.crf import LinearChainCrf
from training.layers.word_features import WordFeatures
from training.tagger.encoders import Encoders, make_encoder, read_config
from training.tagger.pretrained import encoder_folder
from workers.tagger.crf_decoder import TAGS


class ThreeSegmentTagger(nn.Module):
    """Emissions for each piece: `forward(pieces (B, L), segments (B, L), features (B, L, 6)) -> (B, L, 9)`.

    Piece 0 is padding and is masked. `crf` scores sequences over the first pieces of the words.
    """

    def __init__(self, config: BertConfig | MPNetConfig, dropout: float = 0.1) -> None:
        super().__init__()
        self.config = config
        self.encoder: Encoders = make_encoder(config)
        self.features = WordFeatures(config.hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(config.hidden_size, len(TAGS))
        self.crf = LinearChainCrf()

    @classmethod
    def from_pretrained(cls, folder: Path, dropout: float = 0.1, attention_dropout: float = 0.1) -> Self:
        """Starts from a pretrained encoder in `folder`: BERT and its like, or MPNet."""
        config = read_config(folder)
        config.attention_probs_dropout_prob = attention_dropout
        tagger = cls(config, dropout)
        tagger.encoder.load_pretrained(folder)
        return tagger

    def forward(self, pieces: Tensor, segments: Tensor, features: Tensor) -> Tensor:
        embedded = self.encoder.piece_embedding(pieces) + self.features(features)
        emissions: Tensor = self.score(self.dropout(self.encoder(embedded, segments, pieces != 0)))
        return emissions


def load_run(run: Path) -> tuple[ThreeSegmentTagger, dict[str, Any]]:
    """Reads the averaged weights of a run's best epoch, and what was recorded with them."""
    state = torch.load(run / "best.pt", weights_only=True)
    network = ThreeSegmentTagger(read_config(encoder_folder(state["recipe"]["encoder"])), 0.0)
    network.load_state_dict(state["weights"])
    return network.eval(), state
