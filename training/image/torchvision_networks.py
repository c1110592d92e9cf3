"""The networks of torchvision that can stand in the place of the image model, found out by their weights.

MobileNet v2 (Sandler et al., 2018) and the residual networks (He et al., 2016). Owns which file is of which network,
and where its feature map is. Knows nothing of where the file came from.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models

from tagstream.errors import BadSettings

SIDE = 224
# Of ImageNet on the scale 0 to 1, as these networks were trained with.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
NETWORKS = ("mobilenet_v2", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
_LAST_LAYERS = ("classifier.1.weight", "fc.weight")


class WeightedNetwork(nn.Module):
    """Normalised pictures (B, 3, 224, 224) -> logits (B, classes), and the feature map (B, region_width, 7, 7) below.

    `network` is one of `NETWORKS`, as torchvision builds it: what is before its pooling, and the classifier after it.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        parts = OrderedDict(network.named_children())
        self.head = parts.pop("classifier" if "classifier" in parts else "fc")
        parts.pop("avgpool", None)
        self.body = nn.Sequential(parts)
        last = list(self.head.modules())[-1]
        assert isinstance(last, nn.Linear)
        self.region_width, self.classes = last.in_features, last.out_features

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        features: Tensor = self.body(inputs)
        return self.head(features.mean((2, 3))), features


def network_of(weights: Mapping[str, Any], where: str) -> tuple[str, WeightedNetwork]:
    """Returns the name of the network that these weights are of, and that network with them, in evaluation mode.

    Raises:
        BadSettings: they are of no network that is known here; `where` is for the message.
    """
    last = next((weights[name] for name in _LAST_LAYERS if isinstance(weights.get(name), Tensor)), None)
    shapes = {name: tuple(value.shape) for name, value in weights.items() if isinstance(value, Tensor)}
    if last is not None and last.ndim == 2 and 2 <= len(last) <= 100_000 and len(shapes) == len(weights):
        for name in NETWORKS:
            with torch.device("meta"):
                network = models.get_model(name, num_classes=len(last))
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
                network = models.get_model(name, num_classes=len(last))
                network.load_state_dict(dict(weights), strict=False)
                return name, WeightedNetwork(network).float().eval()
    raise BadSettings(
        f"{where}: not the weights of {', '.join(NETWORKS)} as torchvision names them: give a state dictionary that "
        "torch.save wrote"
    )
