"""CWI's reading of a word's characters: convolutions down a pyramid and up again (table 5)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.inputs.vocabulary import LONGEST_WORD
from training.layers.character_encoders import CharacterTable
from training.layers.targeted_dropout import SineRelu, TargetedDropout

FILTERS = 16


class CharacterPyramid(nn.Module):
    """Six convolutions over the 40 characters of a word: (B, T, C) -> (B, T, 640).

    Asgari-Chenaghlu et al., table 5, layers 2 to 17, as (characters, filters); layer numbers in brackets::

        40 x 40 embedded [2]
        40 x 16, pooled to 20 [4] ───────────────────────────────┐
        20 x 32, pooled to 10 [6] ────────────────┐              │
        10 x 64, pooled to  5 [8] ─┐              │              │
         5 x 64 [9] ───────────────┴▶ 10 x 64     │              │
        10 x 32 [11] ─────────────────────────────┴▶ 20 x 32     │
        20 x 16 [13] ────────────────────────────────────────────┴▶ 40 x 16 ─▶ dropout, activation, normalisation

    The shapes only meet with padding to the same length, and with the skips concatenated along the characters; the
    paper says neither. Every word is padded to 40 characters, so its vector depends on nothing else. Without SineReLU
    there is a plain ReLU, without the other two nothing.

    Attributes:
        width: 640.
    """

    def __init__(
        self, characters: int, *, targeted_dropout: bool = True, sine_relu: bool = True, group_norm: bool = True
    ) -> None:
        super().__init__()
        self.table = CharacterTable(characters, 40)
        self.down = nn.ModuleList([SameConvolution(40, 16, 2), SameConvolution(16, 32, 3), SameConvolution(32, 64, 4)])
        self.up = nn.ModuleList(
            [SameConvolution(64, 64, 4), SameConvolution(64, 32, 3), SameConvolution(32, FILTERS, 2)]
        )
        self.finish = nn.Sequential(
            TargetedDropout() if targeted_dropout else nn.Identity(),
            SineRelu() if sine_relu else nn.ReLU(),
            nn.GroupNorm(FILTERS, FILTERS) if group_norm else nn.Identity(),
        )
        self.width = LONGEST_WORD * FILTERS

    def forward(self, characters: Tensor) -> Tensor:
        read = functional.pad(characters, (0, LONGEST_WORD - characters.shape[2])).flatten(0, 1)
        level = self.table(read).transpose(1, 2)  # (B T, 40 wide, 40 characters)
        pooled = []
        for convolution in self.down:
            level = functional.max_pool1d(convolution(level), 2)
            pooled.append(level)
        for convolution, beside in zip(self.up, reversed(pooled), strict=True):
            level = torch.cat([beside, convolution(level)], dim=2)
        finished: Tensor = self.finish(level)  # (B T, 16, 40)
        return finished.reshape(*characters.shape[:2], self.width)


class SameConvolution(nn.Module):
    """A convolution whose output is as long as its input: (N, inputs, L) -> (N, outputs, L)."""

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(inputs, outputs, width)
        self.around = ((width - 1) // 2, width // 2)

    def forward(self, values: Tensor) -> Tensor:
        convolved: Tensor = self.convolution(functional.pad(values, self.around))
        return convolved
