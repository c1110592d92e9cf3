"""A pretrained transformer over word pieces, read at the first piece of each word."""

import inspect
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedConfig

from tagstream.errors import BadSettings
from training.inputs.batch import TweetBatch
from training.inputs.vocabulary import LETTER_CASES


class PieceEncoder(nn.Module):
    """Any encoder that `transformers` knows: vectors of words (B, T, H) and of pieces (B, L, H).

    The letter case of each word is added to its first piece, because all-MiniLM-L6-v2, which stands in for
    BERT-base-cased here, has no capitals; that table begins at zero, so training begins with the encoder as it is.
    Segments are told apart where the encoder was made to.

    Args:
        encoder: a folder or a name, with its weights; or a configuration, for random ones.
        letter_case: whether the case of each word is added.

    Attributes:
        width: H.
    """

    def __init__(
        self, encoder: Path | str | PreTrainedConfig, dropout: float = 0.1, *, letter_case: bool = True
    ) -> None:
        super().__init__()
        self.model = load_encoder(encoder)
        self.width: int = self.model.config.hidden_size
        embedded: int = self.model.get_input_embeddings().embedding_dim  # some encoders embed in fewer dimensions
        self.cases = nn.Embedding(LETTER_CASES, embedded) if letter_case else None
        if self.cases is not None:
            nn.init.zeros_(self.cases.weight)
        self.dropout = nn.Dropout(dropout)
        self.segments: int = 1
        if "token_type_ids" in inspect.signature(self.model.forward).parameters:
            self.segments = getattr(self.model.config, "type_vocab_size", 1)

    def forward(self, batch: TweetBatch) -> tuple[Tensor, Tensor]:
        """Vectors of the words (B, T, H) and of all pieces (B, L, H)."""
        embedded = self.model.get_input_embeddings()(batch.pieces)
        if self.cases is not None:
            cases = self.cases(batch.letter_cases) * batch.mask[..., None]
            embedded = embedded.scatter_add(1, _places(batch.first_pieces, cases.shape[2]), cases)
        kinds = {"token_type_ids": batch.segments.clamp(max=self.segments - 1)} if self.segments > 1 else {}
        hidden = self.model(
            inputs_embeds=embedded, attention_mask=batch.piece_mask.to(embedded.dtype), **kinds
        ).last_hidden_state
        hidden = self.dropout(hidden)
        return first_pieces(hidden, batch), hidden


def load_encoder(encoder: Path | str | PreTrainedConfig) -> Any:
    """Loads the network that gives each piece its vector, without a layer for whole texts, which no loss would train.

    Raises:
        BadSettings: `transformers` cannot load it.
    """
    try:
        if isinstance(encoder, PreTrainedConfig):
            model: Any = AutoModel.from_config(encoder, attn_implementation="eager")
        else:
            model = AutoModel.from_pretrained(str(encoder), attn_implementation="eager")
    except Exception as error:  # weights that are cut off raise what their own reader raises
        raise BadSettings(f"{encoder}: not an encoder of transformers, by folder or name: {error}") from error
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    return model


def first_pieces(pieces: Tensor, batch: TweetBatch) -> Tensor:
    """Returns (B, T, H): of vectors (B, L, H), those of each word's first piece."""
    return torch.gather(pieces, 1, _places(batch.first_pieces, pieces.shape[2]))


def _places(places: Tensor, width: int) -> Tensor:
    return places[..., None].expand(-1, -1, width)
