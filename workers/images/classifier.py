"""What photos show: labels that the image model is certain enough of, and features of 49 regions.

::

    thumbnail (JPEG) ─▶ decoded ─▶ (3, side, side) uint8 ─▶ network ─▶ logits (classes) ─▶ probabilities ─▶ labels
                                                                   └─▶ regions (49, width)

Owns how a picture of any shape becomes the model's input, what logits mean, and the network in this process; on Triton
it is that of `workers/triton/image_network.py`. Knows nothing of posts.
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
from workers.models.image_repository import REGIONS, ImageDescription, ImageVersion
from workers.models.version_folder import MODEL

# Thumbnails are made by us: whatever is larger is none of ours, and is not decoded.
MAX_BYTES = 64 * 1024
MAX_SIDE = 256
MOST_LABELS = 5
# A wider picture loses its sides, a taller one its ends; less than that is squeezed, as pictures were in training.
WIDEST = 4 / 3

Pixels = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one picture shows: names with their probabilities, the most certain first, and the features of its regions,
    (49, width), row by row from the top left. Without regions it was no picture that we can read.
    """

    labels: tuple[tuple[str, float], ...]
    regions: FloatArray | None


NOT_A_PICTURE = Seen((), None)


class ImageNetwork(Protocol):
    """The network, wherever it runs."""

    def __call__(self, pictures: Sequence[Pixels], *, regions: bool) -> tuple[FloatArray, FloatArray | None]:
        """Logits (pictures, classes) and, where they are asked for, regions (pictures, 49, width).

        A picture is (3, side, side), and is answered alike alone and in any company; there is one at least.

        Raises:
            ModelUnavailable: it does not answer now, whatever the pictures.
        """
        ...


class ImageEncoder:
    """Thumbnails to labels, by any network of the described shape. May be called by several threads at once."""

    def __init__(self, description: ImageDescription, network: ImageNetwork) -> None:
        self.description = description
        self.network = network

    def see(
        self, thumbnails: Sequence[bytes], *, threshold: float | None = None, most: int = MOST_LABELS
    ) -> list[Seen]:
        """What each thumbnail shows: at most `most` labels of at least `threshold`, by default the version's own."""
        least = self.description.threshold if threshold is None else threshold
        seen = [NOT_A_PICTURE] * len(thumbnails)
        for place, logits, regions in self._answers(thumbnails, regions=True):
            seen[place] = Seen(self._labels(logits, least, most), regions)
        return seen

    def __call__(self, thumbnails: Sequence[bytes]) -> list[tuple[str, ...]]:
        """The labels of each thumbnail that it is certain enough of, the most certain first."""
        labels: list[tuple[str, ...]] = [()] * len(thumbnails)
        for place, logits, _ in self._answers(thumbnails, regions=False):
            labels[place] = tuple(name for name, _ in self._labels(logits, self.description.threshold, MOST_LABELS))
        return labels

    def _answers(
        self, thumbnails: Sequence[bytes], *, regions: bool
    ) -> Iterator[tuple[int, FloatArray, FloatArray | None]]:
        """The place of each thumbnail that is a picture, and what the network says of it."""
        read = ((place, read_thumbnail(data, self.description.side)) for place, data in enumerate(thumbnails))
        pictures = {place: pixels for place, pixels in read if pixels is not None}
        if not pictures:
            return
        logits, features = self.network(list(pictures.values()), regions=regions)
        for number, place in enumerate(pictures):
            yield place, logits[number], None if features is None else features[number]

    def _labels(self, logits: FloatArray, least: float, most: int) -> tuple[tuple[str, float], ...]:
        chances = probabilities(logits, self.description.temperature)
        # Stable, so that equal probabilities always come in the same order.
        ranked = np.argsort(-chances, kind="stable")[:most]
        names = self.description.labels
        return tuple((names[i], float(chances[i])) for i in ranked if chances[i] >= least)


def open_local_encoder(version: ImageVersion, threads: int) -> ImageEncoder:
    """The version in this process. Each thread that calls it uses one core.

    Raises:
        CorruptState: the version's file is not the model that its folder describes.
    """
    description = version.description
    network = OpenVinoImageNetwork(version.folder / MODEL, description.side, threads)
    expected = (len(description.labels), description.region_width)
    if (network.classes, network.region_width) != expected:
        raise CorruptState(
            f"{version.folder}: the network has {network.classes} classes and {network.region_width} "
            f"features a region, its description {expected[0]} and {expected[1]}: export the version again"
        )
    return ImageEncoder(description, OneByOne(network))


def probabilities(logits: npt.NDArray[np.floating], temperature: float) -> npt.NDArray[np.float64]:
    """Calibrated probabilities of logits (…, classes)."""
    scaled = logits.astype(np.float64) / temperature
    powers: npt.NDArray[np.float64] = np.exp(scaled - scaled.max(-1, keepdims=True))
    shares: npt.NDArray[np.float64] = powers / powers.sum(-1, keepdims=True)
    return shares


def read_thumbnail(data: bytes, side: int) -> Pixels | None:
    """The model's input (3, side, side) of a JPEG of at most 64 KiB and 256 x 256 pixels; None for anything else."""
    if len(data) > MAX_BYTES:
        return None
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            if max(image.size) > MAX_SIDE:
                return None
            return model_input(image.convert("RGB"), side)
    except MemoryError:
        raise
    except Exception:  # Broken bytes raise whatever the decoder trips over, of no common class.
        return None


def model_input(image: Image.Image, side: int) -> Pixels:
    """(3, side, side) of an RGB picture of any shape: the middle of it, squeezed where it is not square."""
    small = image.resize((side, side), Image.Resampling.BICUBIC, box=middle(*image.size))
    return np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1))


def middle(width: int, height: int) -> tuple[float, float, float, float]:
    """The part of a picture that is looked at: left, top, right and bottom, in pixels."""
    across, down = min(width, height * WIDEST), min(height, width * WIDEST)
    return (width - across) / 2, (height - down) / 2, (width + across) / 2, (height + down) / 2


class OpenVinoImageNetwork:
    """The network, one picture a call. Each thread that calls it has its own request.

    Raises:
        CorruptState: the file is not a model of our inputs and outputs.
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
                    # Pinned to what the file says: with bfloat16 a processor would answer differently from another.
                    "INFERENCE_PRECISION_HINT": "f32",
                },
            )
            taken = self._model.input("pixels").partial_shape
            if taken != openvino.PartialShape([-1, 3, side, side]):
                # Asked with other pictures, OpenVINO gives empty answers and no error.
                raise CorruptState(f"{path}: it takes pictures of the shape {taken}, not of {side} x {side} pixels")
            self._requests = threading.local()
            # The first call ever is made here: two threads that make it at once can wait for each other for good.
            logits, regions = self(np.zeros((3, side, side), np.uint8))
        except (RuntimeError, TypeError, KeyError) as error:
            raise CorruptState(f"{path}: OpenVINO cannot run it: {str(error)[:300]}") from error
        if regions.ndim != 2 or len(regions) != REGIONS or logits.ndim != 1:
            raise CorruptState(f"{path}: logits {logits.shape} and regions {regions.shape} are not what is served")
        self.classes, self.region_width = len(logits), regions.shape[1]

    def __call__(self, pixels: Pixels) -> tuple[FloatArray, FloatArray]:
        """Logits (classes,) and regions (49, width) of one input (3, side, side) uint8."""
        request = getattr(self._requests, "request", None)
        if request is None:
            request = self._requests.request = self._model.create_infer_request()
        answers = request.infer({"pixels": pixels[None]})
        # Copied: the next call writes into the same memory.
        return np.array(answers["logits"][0]), np.array(answers["regions"][0])


class OneByOne:
    """An `ImageNetwork` that asks for each picture alone, so that an answer cannot depend on the others."""

    def __init__(self, network: OpenVinoImageNetwork) -> None:
        self._network = network

    def __call__(self, pictures: Sequence[Pixels], *, regions: bool) -> tuple[FloatArray, FloatArray | None]:
        """Logits (pictures, classes) and regions (pictures, 49, width)."""
        logits, features = zip(*map(self._network, pictures), strict=True)
        return np.stack(logits), np.stack(features) if regions else None
