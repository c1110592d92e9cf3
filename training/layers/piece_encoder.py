"""A pretrained transformer over word pieces, read at the first piece of each word."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel

from training.zoo.batch import Batch
from training.zoo.vocabulary import LETTER_CASES


class PieceEncoder(nn.Module):
    """Any encoder that `transformers` knows, by folder or name: vectors of words (B, T, H) and of pieces (B, L, H).

    Where the vocabulary has no capitals (all-MiniLM-L6-v2, which stands in for BERT-base-cased here), the letter case
    of each word is added to its first piece; that table begins at zero, so training begins with the encoder as it is.

    Attributes:
        width: H.
    """

    def __init__(self, encoder: Path | str, dropout: float = 0.1) -> None:
        super().__init__()
        self.model: Any = AutoModel.from_pretrained(str(encoder), attn_implementation="eager")
        self.width: int = self.model.config.hidden_size
        self.cases = nn.Embedding(LETTER_CASES, self.width)
        nn.init.zeros_(self.cases.weight)
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Vectors of the words (B, T, H) and of all pieces (B, L, H)."""
        embedded = self.model.get_input_embeddings()(batch.pieces)
        cases = self.cases(batch.letter_cases) * batch.mask[..., None]
        embedded = embedded.scatter_add(1, _places(batch.first_pieces, self.width), cases)
        kinds = batch.segments.clamp(max=self.model.config.type_vocab_size - 1)
        hidden = self.model(
            inputs_embeds=embedded, token_type_ids=kinds, attention_mask=batch.piece_mask.to(embedded.dtype)
        ).last_hidden_state
        hidden = self.dropout(hidden)
        return first_pieces(hidden, batch), hidden


def first_pieces(pieces: Tensor, batch: Batch) -> Tensor:
    """(B, T, H): of vectors (B, L, H), those of each word's first piece."""
    return torch.gather(pieces, 1, _places(batch.first_pieces, pieces.shape[2]))


def _places(places: Tensor, width: int) -> Tensor:
    return places[..., None].expand(-1, -1, width)
