"""The image encoder: a residual network (He et al., 2016) sized for 56 x 56 pictures and a grid of 7 x 7 regions.

::

    pixels (B, 3, 56, 56) uint8 ─▶ normalised ─▶ stem /2 (B, 32, 28, 28)
      ─▶ 1 block   (B,  64, 28, 28)
      ─▶ 2 blocks  (B, 128, 14, 14)
      ─▶ 2 blocks  (B, 256,  7,  7) ─▶ regions (B, 49, 256)
                                    └▶ mean ─▶ linear ─▶ logits (B, 200)

Departures from the paper: the shortcut of a shrinking block averages instead of dropping three of four positions, and
the last scale of every block starts at zero, so that a block begins as its shortcut. Any side that 8 divides will do;
training begins with smaller ones.

Owns shapes and weights. Knows nothing of the data, the teacher or the files that ship.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 200
INPUT_SIDE = 56
STEM_WIDTH = 32
WIDTHS = (64, 128, 256)
BLOCKS = (1, 2, 2)
FEATURE_WIDTH = WIDTHS[-1]

# Of the training pictures, channel by channel, on the scale 0 to 255.
MEAN = (122.4, 114.1, 100.6)
DEVIATION = (69.8, 68.2, 71.0)


class Block(nn.Module):
    """Two convolutions of 3 x 3 and a shortcut around them: (B, C, H, W) to (B, width, H / stride, W / stride)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.first_scale = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.second_scale = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels != width:
            pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
            project = nn.Conv2d(channels, width, 1, bias=False)
            self.shortcut = nn.Sequential(pool, project, nn.BatchNorm2d(width))
        nn.init.zeros_(self.second_scale.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns the block's output, not negative."""
        hidden = functional.relu(self.first_scale(self.first(inputs)))
        return functional.relu(self.second_scale(self.second(hidden)) + self.shortcut(inputs))


class ResidualNetwork(nn.Module):
    """Logits and regions of pictures; `forward` takes what `normalise` gives."""

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, STEM_WIDTH, 5, 2, 2, bias=False)
        self.stem_scale = nn.BatchNorm2d(STEM_WIDTH)
        blocks: list[nn.Module] = []
        channels = STEM_WIDTH
        for number, (width, count) in enumerate(zip(WIDTHS, BLOCKS, strict=True)):
            for position in range(count):
                blocks.append(Block(channels, width, 2 if number and not position else 1))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.score = nn.Linear(FEATURE_WIDTH, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, classes) and the feature map (B, 256, H / 8, W / 8) of normalised pictures (B, 3, H, W)."""
        features = self.blocks(functional.relu(self.stem_scale(self.stem(inputs))))
        return self.score(features.mean((2, 3))), features


class ServedNetwork(nn.Module):
    """The network that is exported: `pixels` (B, 3, side, side) uint8 RGB to `logits` (B, classes) and `regions` (B,
    49, width).

    `network` gives logits and a feature map of pictures that are normalised by `mean` and `deviation`.
    """

    def __init__(
        self, network: nn.Module, mean: Sequence[float] = MEAN, deviation: Sequence[float] = DEVIATION
    ) -> None:
        super().__init__()
        self.network = network
        self.mean, self.deviation = tuple(mean), tuple(deviation)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Regions go row by row from the top left corner. Answers are float32, whatever the network's precision."""
        inputs = normalise(pixels, self.mean, self.deviation).to(next(self.network.parameters()).dtype)
        logits, features = self.network(inputs)
        return logits.float(), features.flatten(2).transpose(1, 2).float()


def normalise(pixels: Tensor, mean: Sequence[float] = MEAN, deviation: Sequence[float] = DEVIATION) -> Tensor:
    """Scales (B, 3, H, W) of 0 to 255, whole numbers or not, to zero mean and unit deviation."""
    return (pixels.float() - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(deviation).view(1, 3, 1, 1)
