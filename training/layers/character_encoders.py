"""The encoders of a word's spelling: convolutions or an LSTM over its characters."""

from typing import Literal

import torch
from torch import Tensor, nn

from tagstream.errors import BadSettings
from training.inputs.vocabulary import PADDING
from training.layers.recurrent import Bidirectional
from training.layers.word_table import uniform_rows

CharacterEncoding = Literal["none", "cnn", "lstm"]


class CharacterTable(nn.Embedding):
    """Numbers of characters (…) -> vectors (…, width), from U(-0.25, 0.25); padding is zero and stays it."""

    def __init__(self, characters: int, width: int) -> None:
        super().__init__(characters, width, PADDING, _weight=uniform_rows(characters, width))


class CharacterCnn(nn.Module):
    """Convolutions of several widths, tanh, and the maximum over the word: (B, T, C) -> (B, T, filters * widths).

    Zhang et al. 2018: `F_j = tanh(C_j · F[i : i + l_j - 1] + b_j)`, `w_j = max F_j`, concatenated; characters 30 wide,
    32 filters of each of the widths 2, 3 and 4. The paper pads every word to 30 characters, and its maximum runs over
    windows of padding too. Here a window counts if it holds at least one character of the word, so that a word's
    vector depends on nothing else.

    Attributes:
        width: filters * widths.
    """

    def __init__(
        self, characters: int, character_width: int = 30, filters: int = 32, widths: tuple[int, ...] = (2, 3, 4)
    ) -> None:
        super().__init__()
        self.table = CharacterTable(characters, character_width)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(character_width, filters, width, padding=width - 1) for width in widths
        )
        self.widths = widths
        self.width = filters * len(widths)

    def forward(self, characters: Tensor) -> Tensor:
        words = characters.flatten(0, 1)  # (B T, C)
        lengths = (words != PADDING).sum(1)[:, None, None]
        embedded = self.table(words).transpose(1, 2)  # (B T, W, C)
        most = []
        for width, convolution in zip(self.widths, self.convolutions, strict=True):
            windows = torch.tanh(convolution(embedded))  # (B T, filters, C + width - 1)
            beyond = torch.arange(windows.shape[2], device=words.device) >= lengths + width - 1
            # -1 is the least that tanh gives.
            most.append(windows.masked_fill(beyond, -1.0).amax(dim=2))
        return torch.cat(most, dim=1).view(*characters.shape[:2], self.width)


class CharacterLstm(nn.Module):
    """The last states of an LSTM that reads the word both ways: (B, T, C) -> (B, T, 2 * size).

    Lample et al. 2016, the H of HBiLSTM-CRF: characters 25 wide there and states of 25; here the characters are as wide
    as ACN's.

    Attributes:
        width: 2 * size.
    """

    def __init__(self, characters: int, character_width: int = 30, size: int = 25) -> None:
        super().__init__()
        self.table = CharacterTable(characters, character_width)
        self.lstm = Bidirectional(character_width, size)
        self.width = self.lstm.width

    def forward(self, characters: Tensor) -> Tensor:
        words = characters.flatten(0, 1)
        return self.lstm.last(self.table(words), words != PADDING).view(*characters.shape[:2], self.width)


def character_encoder(kind: CharacterEncoding, characters: int) -> CharacterCnn | CharacterLstm | None:
    """Builds the encoder that a recipe names.

    Raises:
        BadSettings: there is no such one.
    """
    match kind:
        case "none":
            return None
        case "cnn":
            return CharacterCnn(characters)
        case "lstm":
            return CharacterLstm(characters)
    raise BadSettings(f"characters = {kind!r}: an encoder of characters is none, cnn or lstm")
