"""Words, their spellings, and what stands around them: the text side of every recurrent system."""

import torch
from torch import Tensor, nn

from training.inputs.batch import Sizes, TweetBatch
from training.layers.character_encoders import CharacterEncoding, character_encoder
from training.layers.recurrent import Bidirectional
from training.layers.word_table import WordTable


class TweetEncoder(nn.Module):
    """Hidden states of the words of a tweet, (B, T, H).

    ::

        words (B, T) ─▶ table (B, T, 200) ──────────┐
        characters (B, T, C) ─▶ CNN or LSTM ─────────┴▶ dropout ─▶ BiLSTM ─▶ dropout (B, T, H)

    Zhang et al. 2018, "Feature Extractor": a word is `[table; characters]`, words are 200 wide, H = 200, 100 a
    direction. Where dropout stands is not said: at what the LSTM reads and at what it gives.

    Attributes:
        width: H.
    """

    def __init__(
        self, sizes: Sizes, characters: CharacterEncoding, *, size: int = 200, word_width: int = 200, dropout: float
    ) -> None:
        super().__init__()
        self.words = WordTable(sizes.words, word_width, sizes.word_vectors)
        self.characters = character_encoder(characters, sizes.characters)
        read = self.words.width + (self.characters.width if self.characters is not None else 0)
        self.lstm = Bidirectional(read, size // 2)
        self.dropout = nn.Dropout(dropout)
        self.width = self.lstm.width

    def forward(self, batch: TweetBatch) -> Tensor:
        read: Tensor = self.words(batch.words)
        if self.characters is not None:
            read = torch.cat([read, self.characters(batch.characters)], dim=2)
        hidden: Tensor = self.dropout(self.lstm(self.dropout(read), batch.mask))
        return hidden
