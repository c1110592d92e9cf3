"""The quality of the encoder on labelled pictures: accuracy, calibration, and the value of staying silent.

Everything is measured at the side at which it serves. Knows nothing of training.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from training.image.dataset import Classes, Pictures
from training.image.network import INPUT_SIDE, normalise
from workers.images.classifier import FloatArray, Pixels, model_input, probabilities

_CALIBRATION_BINS = 15


def served_pixels(pixels: Tensor) -> Tensor:
    """Returns (B, 3, 56, 56) uint8 of whole pictures (B, H, W, 3) uint8, shrunk as serving does it, many at once."""
    channels_first = pixels.permute(0, 3, 1, 2)
    return functional.interpolate(channels_first, size=(INPUT_SIDE, INPUT_SIDE), mode="bicubic", antialias=True)


@torch.no_grad()
def network_logits(network: nn.Module, pictures: Pictures, batch: int = 500) -> FloatArray:
    """Returns (count, classes) logits of the network in evaluation mode, in bfloat16 for speed."""
    network.eval()
    parts = []
    for start in range(0, len(pictures), batch):
        pixels = torch.from_numpy(np.array(pictures.pixels[start : start + batch]))
        inputs = normalise(served_pixels(pixels)).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            parts.append(network(inputs)[0].float().numpy())
    return np.concatenate(parts)


def served_logits(network: Callable[[Pixels], tuple[FloatArray, FloatArray]], pictures: Pictures) -> FloatArray:
    """Returns (count, classes) logits of a file that ships, through the very code that serves it."""
    return np.stack([network(model_input(Image.fromarray(picture), INPUT_SIDE))[0] for picture in pictures.pixels])


def accuracy(logits: npt.NDArray[np.floating], classes: Classes) -> tuple[float, float]:
    """Shares of the pictures whose class is the first answer, and among the first five."""
    five = np.argsort(-logits, axis=1)[:, :5]
    hits = five == classes[:, None]
    return float(hits[:, 0].mean()), float(hits.any(1).mean())


def fit_temperature(logits: FloatArray, classes: Classes) -> float:
    """Returns the temperature under which the classes are most likely, to a thousandth."""
    rows = np.arange(len(classes))

    def surprise(temperature: float) -> float:
        return float(-np.log(probabilities(logits, temperature)[rows, classes] + 1e-12).mean())

    low, high = 0.1, 10.0
    while high - low > 0.0005:
        # A golden section: the surprise has one valley in between.
        width = (high - low) * 0.381966
        if surprise(low + width) < surprise(high - width):
            high -= width
        else:
            low += width
    return round((low + high) / 2, 3)


def choose_threshold(chances: npt.NDArray[np.float64], classes: Classes, precision: float) -> float:
    """Returns the lowest probability, in hundredths, from which on first answers are right as often as `precision`.

    Raises:
        ValueError: no threshold below 1 reaches it.
    """
    for hundredths in range(1, 100):
        if abstention(chances, classes, hundredths / 100).precision >= precision:
            return hundredths / 100
    raise ValueError(f"no threshold gives a precision of {precision:.0%}: the network is too weak for it")


@dataclass(frozen=True, slots=True)
class Abstention:
    """The result of giving certain answers alone: the share that is right, and the share of pictures that get one."""

    precision: float
    coverage: float


def abstention(chances: npt.NDArray[np.float64], classes: Classes, threshold: float) -> Abstention:
    """Measures the first answers with a probability of at least `threshold`; precision 0 where there are none."""
    given = chances.max(1) >= threshold
    right = chances.argmax(1)[given] == classes[given]
    return Abstention(float(right.mean()) if given.any() else 0.0, float(given.mean()))


def calibration_error(chances: npt.NDArray[np.float64], classes: Classes) -> float:
    """Returns the expected calibration error: how far certainty and accuracy are apart, over 15 bins of equal width."""
    certainty, right = chances.max(1), chances.argmax(1) == classes
    bins = np.minimum((certainty * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
    gaps = [
        abs(float(certainty[bins == number].sum() - right[bins == number].sum())) for number in range(_CALIBRATION_BINS)
    ]
    return sum(gaps) / len(classes)
