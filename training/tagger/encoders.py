"""The pretrained encoders that a tagger can begin with, behind one call.

Both read the word pieces of BERT's uncased vocabulary by its numbers, padding 0, and a segment for each piece:

- BERT and its like (Devlin et al. 2019), such as all-MiniLM-L6-v2: its table of two segments becomes one of three;
- MPNet (Song et al. 2020), such as all-mpnet-base-v2: no segments, so their table begins at zero; its vocabulary is
  BERT's behind four special pieces, so the rows of its table are put into BERT's order.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from transformers import AutoConfig, BertConfig, BertModel, MPNetConfig, MPNetModel

from tagstream.errors import BadSettings
from workers.tagger.encoding import MAX_LENGTH

SEGMENTS = 3
PIECES = 30522
_MPNET_SHIFT = 4
_MPNET_SPECIAL = {0: 1, 100: 104, 101: 0, 102: 2, 103: 30526}  # [PAD], [UNK], [CLS], [SEP], [MASK]


class BertEncoder(nn.Module):
    """BERT with three segments: embedded pieces (B, L, D), segments (B, L), visible (B, L) -> states (B, L, D)."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.model = BertModel(config, add_pooling_layer=False)

    @property
    def piece_embedding(self) -> nn.Embedding:
        """The table of word pieces."""
        return self.model.embeddings.word_embeddings

    def forward(self, embedded: Tensor, segments: Tensor, visible: Tensor) -> Tensor:
        hidden: Tensor = self.model(
            inputs_embeds=embedded, token_type_ids=segments, attention_mask=visible.to(embedded.dtype)
        ).last_hidden_state
        return hidden

    def load_pretrained(self, folder: Path) -> None:
        """Takes the weights of a pretrained encoder of the same sizes, of its first layers if it has more."""
        layers = self.model.config.num_hidden_layers
        pretrained = BertModel.from_pretrained(str(folder), add_pooling_layer=False, num_hidden_layers=layers)
        weights = pretrained.state_dict()
        first = weights["embeddings.token_type_embeddings.weight"][:1]
        weights["embeddings.token_type_embeddings.weight"] = first.repeat(SEGMENTS, 1)
        positions = weights["embeddings.position_embeddings.weight"]
        weights["embeddings.position_embeddings.weight"] = positions[:MAX_LENGTH]
        self.model.load_state_dict(weights)


class MpnetEncoder(nn.Module):
    """MPNet behind BERT's numbers of pieces; shapes as those of `BertEncoder`."""

    def __init__(self, config: MPNetConfig) -> None:
        super().__init__()
        self.model = MPNetModel(config, add_pooling_layer=False)
        self.segments = nn.Embedding(SEGMENTS, config.hidden_size)
        nn.init.zeros_(self.segments.weight)

    @property
    def piece_embedding(self) -> nn.Embedding:
        """The table of word pieces, in BERT's order."""
        return self.model.embeddings.word_embeddings

    def forward(self, embedded: Tensor, segments: Tensor, visible: Tensor) -> Tensor:
        hidden: Tensor = self.model(
            inputs_embeds=embedded + self.segments(segments), attention_mask=visible.to(embedded.dtype)
        ).last_hidden_state
        return hidden

    def load_pretrained(self, folder: Path) -> None:
        """Takes the weights of a pretrained encoder of the same sizes, of its first layers if it has more."""
        layers = self.model.config.num_hidden_layers
        pretrained = MPNetModel.from_pretrained(str(folder), add_pooling_layer=False, num_hidden_layers=layers)
        weights = pretrained.state_dict()
        own = [_MPNET_SPECIAL.get(piece, piece + _MPNET_SHIFT) for piece in range(PIECES)]
        weights["embeddings.word_embeddings.weight"] = weights["embeddings.word_embeddings.weight"][own]
        positions = weights["embeddings.position_embeddings.weight"]
        weights["embeddings.position_embeddings.weight"] = positions[: self.model.config.max_position_embeddings]
        self.model.load_state_dict(weights)


Encoders = BertEncoder | MpnetEncoder


def read_config(folder: Path) -> BertConfig | MPNetConfig:
    """Reads the configuration of a pretrained encoder, changed to what a tagger needs of it.

    Raises:
        BadSettings: the folder holds none, or an encoder of another kind.
    """
    try:
        config: Any = AutoConfig.from_pretrained(str(folder))
    except (OSError, ValueError) as error:
        raise BadSettings(f"{folder}: not the folder of a pretrained encoder: {error}") from error
    if not isinstance(config, BertConfig | MPNetConfig):
        raise BadSettings(f"{folder}: {config.model_type} cannot be the encoder of a tagger: take BERT or MPNet")
    config.vocab_size = PIECES
    config._attn_implementation = "eager"
    if isinstance(config, BertConfig):
        config.type_vocab_size = SEGMENTS
        config.max_position_embeddings = MAX_LENGTH
    else:
        config.pad_token_id = 0
        config.max_position_embeddings = MAX_LENGTH + 2
    return config


def stored_config(config: BertConfig | MPNetConfig) -> dict[str, Any]:
    """Returns a configuration as plain values, for a checkpoint."""
    values: dict[str, Any] = json.loads(config.to_json_string())
    return values


def restored_config(values: Mapping[str, Any]) -> BertConfig | MPNetConfig:
    """Returns the configuration that `stored_config` stored."""
    kind = BertConfig if values["model_type"] == BertConfig.model_type else MPNetConfig
    config: BertConfig | MPNetConfig = kind.from_dict(dict(values))
    config._attn_implementation = "eager"
    return config


def make_encoder(config: BertConfig | MPNetConfig) -> Encoders:
    """Makes an encoder with random weights."""
    return BertEncoder(config) if isinstance(config, BertConfig) else MpnetEncoder(config)
