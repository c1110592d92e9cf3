"""MobileNet v2 and the residual networks under the parameter names of torchvision's weight files.

The architectures are those of "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (Sandler et al., 2018) and "Deep
Residual Learning for Image Recognition" (He et al., 2016), the latter with the stride of a bottleneck on its 3 x 3
convolution. A module is named as its weights are in the file, so that a file can be read without torchvision.

Owns which file is of which network. Knows nothing of where the file came from.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tagstream.errors import BadSettings

SIDE = 224
# Of ImageNet on the scale 0 to 1, as these networks were trained with.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)

# Of MobileNet v2: how much wider a block is inside, its width, how many there are, the stride of the first.
_MOBILE_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_MOBILE_STEM, _MOBILE_FEATURES = 32, 1280


class WeightedNetwork(nn.Module):
    """A network that gives logits (B, classes) and a feature map (B, region_width, 7, 7) of normalised pictures."""

    region_width: int


def _scaled(channels: int, width: int, size: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, width, size, stride, size // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(width)]


def _clipped(channels: int, width: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(*_scaled(channels, width, size, stride, groups), nn.ReLU6())


class InvertedResidual(nn.Module):
    """Widened, filtered channel by channel, narrowed again; with a shortcut where the shape stays."""

    def __init__(self, channels: int, width: int, stride: int, widening: int) -> None:
        super().__init__()
        inside = channels * widening
        layers: list[nn.Module] = [_clipped(channels, inside, 1)] if widening > 1 else []
        layers.append(_clipped(inside, inside, 3, stride, groups=inside))
        self.conv = nn.Sequential(*layers, *_scaled(inside, width, 1))
        self.keeps_shape = stride == 1 and channels == width

    def forward(self, inputs: Tensor) -> Tensor:
        hidden: Tensor = self.conv(inputs)
        return inputs + hidden if self.keeps_shape else hidden


class MobileNetV2(WeightedNetwork):
    """3.5 M parameters with 1,000 classes."""

    region_width = _MOBILE_FEATURES

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [_clipped(3, _MOBILE_STEM, 3, 2)]
        channels = _MOBILE_STEM
        for widening, width, count, stride in _MOBILE_STAGES:
            for number in range(count):
                layers.append(InvertedResidual(channels, width, 1 if number else stride, widening))
                channels = width
        self.features = nn.Sequential(*layers, _clipped(channels, _MOBILE_FEATURES, 1))
        self.classifier = nn.Sequential(nn.Identity(), nn.Linear(_MOBILE_FEATURES, classes))

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(inputs)
        return self.classifier(features.mean((2, 3))), features


class ResidualBlock(nn.Module):
    """Two convolutions of 3 x 3 (`widening` 1) or a bottleneck of three (`widening` 4), and a shortcut around them."""

    def __init__(self, channels: int, inside: int, stride: int, widening: int) -> None:
        super().__init__()
        shapes: tuple[tuple[int, int, int, int], ...]
        if widening == 1:
            shapes = ((channels, inside, 3, stride), (inside, inside, 3, 1))
        else:
            shapes = ((channels, inside, 1, 1), (inside, inside, 3, stride), (inside, inside * widening, 1, 1))
        self.count = len(shapes)
        for number, shape in enumerate(shapes, 1):
            convolution, scale = _scaled(*shape)
            self.add_module(f"conv{number}", convolution)
            self.add_module(f"bn{number}", scale)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 or channels != inside * widening:
            self.downsample = nn.Sequential(*_scaled(channels, inside * widening, 1, stride))

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = inputs
        for number in range(1, self.count + 1):
            hidden = self.get_submodule(f"bn{number}")(self.get_submodule(f"conv{number}")(hidden))
            if number < self.count:
                hidden = functional.relu(hidden)
        return functional.relu(hidden + self.downsample(inputs))


class ResidualNetwork(WeightedNetwork):
    """`counts` blocks in each of the four stages."""

    def __init__(self, classes: int, counts: tuple[int, int, int, int], widening: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _scaled(3, 64, 7, 2)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = 64
        for stage, count in enumerate(counts):
            blocks = []
            for number in range(count):
                stride = 2 if stage and not number else 1
                blocks.append(ResidualBlock(channels, 64 << stage, stride, widening))
                channels = (64 << stage) * widening
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.region_width = channels
        self.fc = nn.Linear(channels, classes)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.maxpool(functional.relu(self.bn1(self.conv1(inputs))))
        for stage in range(1, 5):
            hidden = self.get_submodule(f"layer{stage}")(hidden)
        return self.fc(hidden.mean((2, 3))), hidden


NETWORKS: dict[str, Callable[[int], WeightedNetwork]] = {
    "mobilenet_v2": MobileNetV2,
    "resnet18": lambda classes: ResidualNetwork(classes, (2, 2, 2, 2), 1),
    "resnet34": lambda classes: ResidualNetwork(classes, (3, 4, 6, 3), 1),
    "resnet50": lambda classes: ResidualNetwork(classes, (3, 4, 6, 3), 4),
    "resnet101": lambda classes: ResidualNetwork(classes, (3, 4, 23, 3), 4),
    "resnet152": lambda classes: ResidualNetwork(classes, (3, 8, 36, 3), 4),
}
_LAST_LAYERS = ("classifier.1.weight", "fc.weight")


def network_of(weights: Mapping[str, Any], where: str) -> tuple[str, WeightedNetwork]:
    """The name of the network that these weights are of, and that network with them, in evaluation mode.

    Raises:
        BadSettings: they are of no network that is known here; `where` is for the message.
    """
    last = next((weights[name] for name in _LAST_LAYERS if isinstance(weights.get(name), Tensor)), None)
    shapes = {name: tuple(value.shape) for name, value in weights.items() if isinstance(value, Tensor)}
    if last is not None and last.ndim == 2 and 2 <= len(last) <= 100_000 and len(shapes) == len(weights):
        for name, build in NETWORKS.items():
            with torch.device("meta"):
                network = build(len(last))
            # Files from before this counter existed do not have it, and nothing here needs it.
            expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
            counters = {key for key in expected if key.endswith("num_batches_tracked")}
            if (
                expected.items() - shapes.items() <= {(key, ()) for key in counters}
                and shapes.keys() <= expected.keys()
            ):
                if not all(value.isfinite().all() for value in weights.values()):
                    raise BadSettings(
                        f"{where}: weights of {name}, but some are no finite numbers: the file is damaged"
                    )
                network = build(len(last))
                network.load_state_dict(dict(weights), strict=False)
                return name, network.float().eval()
    raise BadSettings(
        f"{where}: not the weights of {', '.join(NETWORKS)} as torchvision names them: give a state dictionary that "
        "torch.save wrote"
    )
