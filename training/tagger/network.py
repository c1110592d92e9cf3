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
from pickle import UnpicklingError
from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers import BertConfig, MPNetConfig

from tagstream.errors import BadSettings, CorruptState
from training.layers.crf import LinearChainCrf
from training.layers.word_features import WordFeatures
from training.tagger.encoders import Encoders, make_encoder, read_config, restored_config
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
    def from_pretrained(
        cls, folder: Path, dropout: float = 0.1, attention_dropout: float = 0.1, layers: int | None = None
    ) -> Self:
        """Starts from a pretrained encoder in `folder`: BERT and its like, or MPNet; from its first layers or all."""
        config = read_config(folder)
        config.num_hidden_layers = layers or config.num_hidden_layers
        config.attention_probs_dropout_prob = attention_dropout
        tagger = cls(config, dropout)
        tagger.encoder.load_pretrained(folder)
        return tagger

    def forward(self, pieces: Tensor, segments: Tensor, features: Tensor) -> Tensor:
        embedded = self.encoder.piece_embedding(pieces) + self.features(features)
        emissions: Tensor = self.score(self.dropout(self.encoder(embedded, segments, pieces != 0)))
        return emissions


def load_run(run: Path) -> tuple[ThreeSegmentTagger, dict[str, Any]]:
    """Reads the averaged weights of a run's best epoch, and what was recorded with them.

    Raises:
        BadSettings: no epoch of a run has ended there.
        CorruptState: the checkpoint is damaged, or not of such a tagger.
    """
    path = run / "best.pt"
    if not path.is_file():
        raise BadSettings(f"{path}: no such file: train first (python -m training.tagger.train CONFIG --run {run})")
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        # Runs of former recipes do not say what their encoder looks like: its own folder does.
        stored = state.get("encoder")
        config = restored_config(stored) if stored else read_config(encoder_folder(state["recipe"]["encoder"]))
        network = ThreeSegmentTagger(config, 0.0)
        network.load_state_dict(state["weights"])
    except (OSError, EOFError, KeyError, TypeError, AttributeError, RuntimeError, UnpicklingError) as error:
        raise CorruptState(f"{path}: not the weights of a tagger: {error}") from error
    return network.eval(), state
