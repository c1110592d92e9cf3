"""The served tagger: a compact transformer over tweet, hashtags and image words, with a CRF on top.

::

    pieces (B, L) ─▶ word embedding ──────────┐
    features (B, L, 6) ─▶ table, sum, linear ─┼─▶ + position + segment ─▶ transformer (B, L, D) ─▶ linear ─▶ (B, L, 9)
    segments (B, L) ──────────────────────────┘

After BERT-CRF as Yu et al. 2020 describe it (section 3.2, without images); the encoder is all-MiniLM-L6-v2 (22 M
parameters, six layers, D = 384) in place of BERT-base. Departures: three segments instead of one, features of case
and characters because the vocabulary is uncased, gold labels that may be unknown (`LinearChainCrf.loss`).
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from training.layers.crf import LinearChainCrf
from training.layers.word_features import WordFeatures
from workers.tagger.crf_decoder import TAGS
from workers.tagger.encoding import MAX_LENGTH

SEGMENTS = 3


class ThreeSegmentTagger(nn.Module):
    """Emissions for each piece: `forward(pieces (B, L), segments (B, L), features (B, L, 6)) -> (B, L, 9)`.

    Piece 0 is padding and is masked. `crf` scores sequences over the first pieces of the words.
    """

    def __init__(self, config: BertConfig, dropout: float = 0.1) -> None:
        super().__init__()
        self.config = config
        self.encoder = BertModel(config, add_pooling_layer=False)
        self.features = WordFeatures(config.hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(config.hidden_size, len(TAGS))
        self.crf = LinearChainCrf()

    @classmethod
    def from_pretrained(cls, folder: Path, dropout: float = 0.1) -> "ThreeSegmentTagger":
        """Starts from any BERT-like encoder in `folder`; its segment embedding is widened to three rows."""
        pretrained = BertModel.from_pretrained(str(folder), add_pooling_layer=False)
        config = BertConfig.from_pretrained(str(folder))
        config.type_vocab_size = SEGMENTS
        config.max_position_embeddings = MAX_LENGTH
        config._attn_implementation = "eager"
        tagger = cls(config, dropout)
        weights = pretrained.state_dict()
        segment = weights["embeddings.token_type_embeddings.weight"]
        weights["embeddings.token_type_embeddings.weight"] = torch.cat([segment[:1]] * SEGMENTS)
        positions = weights["embeddings.position_embeddings.weight"]
        weights["embeddings.position_embeddings.weight"] = positions[:MAX_LENGTH]
        weights.pop("embeddings.position_ids", None)
        tagger.encoder.load_state_dict(weights, strict=False)
        return tagger

    def forward(self, pieces: Tensor, segments: Tensor, features: Tensor) -> Tensor:
        embedded = self.encoder.embeddings.word_embeddings(pieces) + self.features(features)
        hidden = self.encoder(
            inputs_embeds=embedded, token_type_ids=segments, attention_mask=(pieces != 0).to(embedded.dtype)
        ).last_hidden_state
        emissions: Tensor = self.score(self.dropout(hidden))
        return emissions
