"""The image encoder: labels of a photo that are certain enough, and features of its 49 regions.

::

    thumbnail (JPEG) ─▶ (3, side, side) uint8 ─▶ network ─▶ logits (classes) ─▶ known? ─▶ probabilities ─▶ labels
                                                        └─▶ regions (49, width)

This module turns a picture of any shape into the model's input and logits into labels, and holds the network in this
process; the network on Triton is in `workers/triton/image_network.py`. It knows nothing of posts.
"""

import io
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import openvino
from PIL import Image

from tagstream.errors import CorruptState
from workers.models.image_rejection import Rejection
from workers.models.image_repository import REGIONS, ImageDescription, ImageVersion
from workers.models.version_folder import MODEL

# Thumbnails are made by this project: a larger picture is none of them, and is not decoded.
MAX_BYTES = 64 * 1024
MAX_SIDE = 256
MOST_LABELS = 5
# A wider picture loses its sides, a taller one its ends; others are squeezed to a square, as in training.
WIDEST = 4 / 3

Pixels = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class ImageFeatures:
    """The labels and the regions of one picture.

    `labels` are names with their probabilities, the most certain first. `regions` are features (49, width), row by row
    from the top left; None for something that is no picture that can be read.
    """

    labels: tuple[tuple[str, float], ...]
    regions: FloatArray | None


NOT_A_PICTURE = ImageFeatures((), None)


class ImageEncoderNetwork(Protocol):
    """The network of the image encoder. Several threads may call it at once."""

    def __call__(self, pictures: Sequence[Pixels], *, regions: bool) -> tuple[FloatArray, FloatArray | None]:
        """Returns logits (pictures, classes) and, on request, regions (pictures, 49, width).

        A picture is (3, side, side); there is at least one. The answer of a picture does not depend on the others.

        Raises:
            ModelUnavailable: the network does not answer now, whatever the pictures.
        """
        ...


class ImageEncoder:
    """An image model over any network of the described shape. Several threads may call it at once.

    A picture that `rejection` does not know has no labels; without a rejection the threshold alone decides.
    """

    def __init__(
        self, description: ImageDescription, network: ImageEncoderNetwork, rejection: Rejection | None = None
    ) -> None:
        self.description = description
        self.network = network
        self.rejection = rejection

    def see(
        self, thumbnails: Sequence[bytes], *, threshold: float | None = None, most: int = MOST_LABELS
    ) -> list[ImageFeatures]:
        """Returns the features of each thumbnail, with at most `most` labels of at least `threshold`.

        The default threshold is that of the version, which gives none to a picture that it rejects. A given threshold
        decides alone.

        Raises:
            ModelUnavailable: the network does not answer now.
        """
        features = [NOT_A_PICTURE] * len(thumbnails)
        for index, logits, regions in self._answers(thumbnails, regions=True):
            labels = self._certain(logits, most) if threshold is None else self._labels(logits, threshold, most)
            features[index] = ImageFeatures(labels, regions)
        return features

    def __call__(self, thumbnails: Sequence[bytes]) -> list[tuple[str, ...]]:
        """Returns the labels of each thumbnail that the version is certain enough of, the most certain first.

        Raises:
            ModelUnavailable: the network does not answer now.
        """
        labels: list[tuple[str, ...]] = [()] * len(thumbnails)
        for index, logits, _ in self._answers(thumbnails, regions=False):
            labels[index] = tuple(name for name, _ in self._certain(logits, MOST_LABELS))
        return labels

    def _answers(
        self, thumbnails: Sequence[bytes], *, regions: bool
    ) -> Iterator[tuple[int, FloatArray, FloatArray | None]]:
        """Yields the index of each thumbnail that is a picture, its logits and its regions."""
        read = ((index, read_thumbnail(data, self.description.side)) for index, data in enumerate(thumbnails))
        pictures = {index: pixels for index, pixels in read if pixels is not None}
        if not pictures:
            return
        logits, features = self.network(list(pictures.values()), regions=regions)
        for row, index in enumerate(pictures):
            yield index, logits[row], None if features is None else features[row]

    def _certain(self, logits: FloatArray, most: int) -> tuple[tuple[str, float], ...]:
        labels = self._labels(logits, self.description.threshold, most)
        if not labels or self.rejection is None or self.rejection.knows(logits, self.description.temperature):
            return labels
        return ()

    def _labels(self, logits: FloatArray, least: float, most: int) -> tuple[tuple[str, float], ...]:
        shares = probabilities(logits, self.description.temperature)
        # Stable, so that equal probabilities always come in the same order.
        ranked = np.argsort(-shares, kind="stable")[:most]
        names = self.description.labels
        return tuple((names[i], float(shares[i])) for i in ranked if shares[i] >= least)


def open_local_encoder(version: ImageVersion, threads: int) -> ImageEncoder:
    """Opens the version in this process. Each thread that calls it uses one core.

    Raises:
        CorruptState: the file of the version is not the model that its folder describes.
    """
    description = version.description
    network = OpenVinoImageNetwork(version.folder / MODEL, description.side, threads)
    expected = (len(description.labels), description.region_width)
    if (network.classes, network.region_width) != expected:
        raise CorruptState(
            f"{version.folder}: the network has {network.classes} classes and {network.region_width} "
            f"features a region, its description {expected[0]} and {expected[1]}: export the version again"
        )
    return ImageEncoder(description, OneByOne(network), version.rejection)


def probabilities(logits: npt.NDArray[np.floating], temperature: float) -> npt.NDArray[np.float64]:
    """Returns calibrated probabilities of logits (…, classes)."""
    scaled = logits.astype(np.float64) / temperature
    powers: npt.NDArray[np.float64] = np.exp(scaled - scaled.max(-1, keepdims=True))
    shares: npt.NDArray[np.float64] = powers / powers.sum(-1, keepdims=True)
    return shares


def read_thumbnail(data: bytes, side: int) -> Pixels | None:
    """Returns the model's input (3, side, side) of a JPEG of at most 64 KiB and 256 x 256 pixels; None otherwise."""
    if len(data) > MAX_BYTES:
        return None
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            if max(image.size) > MAX_SIDE:
                return None
            return model_input(image.convert("RGB"), side)
    except MemoryError:
        raise
    except Exception:  # broken bytes raise errors of many classes from within the decoder
        return None


def model_input(image: Image.Image, side: int) -> Pixels:
    """Returns the middle of an RGB picture as (3, side, side), squeezed where it is not square."""
    small = image.resize((side, side), Image.Resampling.BICUBIC, box=middle(*image.size))
    return np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1))


def middle(width: int, height: int) -> tuple[float, float, float, float]:
    """Returns the part of a picture that the model looks at: left, top, right and bottom, in pixels."""
    across, down = min(width, height * WIDEST), min(height, width * WIDEST)
    return (width - across) / 2, (height - down) / 2, (width + across) / 2, (height + down) / 2


class OpenVinoImageNetwork:
    """The network in this process, one picture a call. Each thread that calls it has its own request.

    Raises:
        CorruptState: the file is not a model with these inputs and outputs.
    """

    def __init__(self, path: Path, side: int, threads: int) -> None:
        try:
            self._model = openvino.Core().compile_model(
                str(path),
                "CPU",
                {
                    "PERFORMANCE_HINT": "THROUGHPUT",
                    "NUM_STREAMS": threads,
                    "INFERENCE_NUM_THREADS": threads,
                    # The precision of the file: a processor with bfloat16 would otherwise answer differently.
                    "INFERENCE_PRECISION_HINT": "f32",
                },
            )
            taken = self._model.input("pixels").partial_shape
            if taken != openvino.PartialShape([-1, 3, side, side]):
                # Given pictures of another shape, OpenVINO returns empty answers and no error.
                raise CorruptState(f"{path}: it takes pictures of the shape {taken}, not of {side} x {side} pixels")
            self._requests = threading.local()
            # The first call of the process, made by one thread: two first calls at once can deadlock.
            logits, regions = self(np.zeros((3, side, side), np.uint8))
        except (RuntimeError, TypeError, KeyError) as error:
            raise CorruptState(f"{path}: OpenVINO cannot run it: {str(error)[:300]}") from error
        if regions.ndim != 2 or len(regions) != REGIONS or logits.ndim != 1:
            raise CorruptState(f"{path}: logits {logits.shape} and regions {regions.shape} are not what is served")
        self.classes, self.region_width = len(logits), regions.shape[1]

    def __call__(self, pixels: Pixels) -> tuple[FloatArray, FloatArray]:
        """Returns logits (classes,) and regions (49, width) of one input (3, side, side) uint8."""
        request = getattr(self._requests, "request", None)
        if request is None:
            request = self._requests.request = self._model.create_infer_request()
        answers = request.infer({"pixels": pixels[None]})
        # Copied: the next call writes into the same memory.
        return np.array(answers["logits"][0]), np.array(answers["regions"][0])


class OneByOne:
    """An `ImageEncoderNetwork` that infers each picture alone, so that no answer depends on the others."""

    def __init__(self, network: OpenVinoImageNetwork) -> None:
        self._network = network

    def __call__(self, pictures: Sequence[Pixels], *, regions: bool) -> tuple[FloatArray, FloatArray | None]:
        """Returns logits (pictures, classes) and regions (pictures, 49, width)."""
        logits, features = zip(*map(self._network, pictures), strict=True)
        return np.stack(logits), np.stack(features) if regions else None
