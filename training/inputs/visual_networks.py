"""The regions of a photo, by an image network with a file of weights, or by our image model.

::

    photo ─▶ the middle of it, squeezed into a square ─▶ network ─▶ regions (R, V), row by row from the top left

    vgg16          224 x 224 ─▶  7 x 7 x  512   after the last pooling (Simonyan and Zisserman, 2015)
    resnet152      224 x 224 ─▶  7 x 7 x 2048   after the last block (He et al., 2016)
    inception_v3   299 x 299 ─▶  8 x 8 x 2048   after the last block (Szegedy et al., 2016)
    regions         56 x  56 ─▶  7 x 7 x  256   our own image model, as it is served

The first three are torchvision's, with weights in its layout. Owns which layer is read and what a network is given.
Knows nothing of corpora and caches.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor

from tagstream.errors import BadSettings, ServiceUnavailable, UnreadableInput
from tagstream.settings import REPOSITORY
from training.image.network import normalise
from training.image.torchvision_networks import DEVIATION, MEAN
from training.inputs.batch import Vectors
from workers.images.classifier import Pixels, model_input, open_local_encoder
from workers.models.image_repository import ImageVersion, open_image_version

OWN = "regions"
MAX_PIXELS = 50_000_000
_AT_A_TIME = 8


@dataclass(frozen=True, slots=True)
class _Known:
    """A network of torchvision: what it reads, its layer that is read and that layer's width, and its parts."""

    side: int
    layer: str
    width: int
    build: Callable[[], nn.Module]
    published: Any


_KNOWN = {
    "vgg16": _Known(224, "features", 512, lambda: models.vgg16(init_weights=False), models.VGG16_Weights),
    "resnet152": _Known(224, "layer4", 2048, models.resnet152, models.ResNet152_Weights),
    "inception_v3": _Known(
        299,
        "Mixed_7c",
        2048,
        # It was trained on another scale, and turns what it is given into that.
        lambda: models.inception_v3(init_weights=False, transform_input=True),
        models.Inception_V3_Weights,
    ),
}
NAMES = (OWN, *_KNOWN)
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


Look = Callable[[list[Pixels]], Vectors]


@dataclass(frozen=True, slots=True)
class RegionNetwork:
    """Regions of photos.

    Attributes:
        width: of a region.
        identity: tells it from others, and from itself with other weights.
        side: of the square that a photo becomes.
        open: gives what turns squares into regions (squares, R, V). It reads the weights, and so is called when there
            are photos to be seen and not before.
    """

    width: int
    identity: str
    side: int
    open: Callable[[], Look]

    def __call__(self, photos: Sequence[Path]) -> list[Vectors]:
        """The regions (R, V) of each photo; none of what is not there or is no photo.

        Raises:
            BadSettings: the weights are not of this network.
            UnreadableInput: they cannot be read.
            ServiceUnavailable: no file of them is given, and those that are published cannot be fetched.
            CorruptState: our image model is not whole.
        """
        look = self.open()
        seen: list[Vectors] = [np.zeros((0, self.width), np.float16)] * len(photos)
        for start in range(0, len(photos), _AT_A_TIME):
            read = ((start + place, path) for place, path in enumerate(photos[start : start + _AT_A_TIME]))
            pixels = {place: made for place, path in read if (made := read_photo(path, self.side)) is not None}
            if pixels:
                for place, regions in zip(pixels, look(list(pixels.values())), strict=True):
                    seen[place] = regions
        return seen


def region_network(visual: str, weights: str = "") -> RegionNetwork:
    """Opens the network that `visual` of a recipe names, with a file of weights or those that torchvision publishes.

    Raises:
        BadSettings: `visual` takes no weights.
        UnreadableInput: the file cannot be read.
    """
    if visual == OWN:
        if weights:
            raise BadSettings(f"visual = {OWN} is our image model, whose weights ship: leave --visual-weights out")
        version = open_image_version(REPOSITORY / "triton_models")
        description = version.description
        return RegionNetwork(
            description.region_width, f"{OWN}_{description.generation}", description.side, partial(_own, version)
        )
    known = _KNOWN[visual]
    identity = _digest(Path(weights)) if weights else Path(known.published.IMAGENET1K_V1.url).stem
    return RegionNetwork(known.width, f"{visual}_{identity}", known.side, partial(_open, visual, weights))


def read_photo(path: Path, side: int) -> Pixels | None:
    """Reads (3, side, side) of a JPEG, PNG or WebP file of at most 50 million pixels; None for anything else."""
    try:
        with Image.open(path, formats=("JPEG", "PNG", "WEBP")) as image:
            if image.size[0] * image.size[1] > MAX_PIXELS:
                return None
            return model_input(image.convert("RGB"), side)
    except MemoryError:
        raise
    except Exception:  # Broken bytes raise whatever the decoder trips over, of no common class.
        return None


def _own(version: ImageVersion) -> Look:
    encoder = open_local_encoder(version, torch.get_num_threads())

    def look(pixels: list[Pixels]) -> Vectors:
        _, regions = encoder.network(pixels, regions=True)
        assert regions is not None
        return regions.astype(np.float16)

    return look


def _open(visual: str, weights: str) -> Look:
    where = weights or "the published weights"
    network = _network(visual, _read(Path(weights)) if weights else _fetch(visual), where)

    @torch.inference_mode()
    def look(pixels: list[Pixels]) -> Vectors:
        scaled = torch.from_numpy(np.stack(pixels)).float() / 255
        (features,) = network(normalise(scaled, MEAN, DEVIATION)).values()  # (B, V, side, side)
        regions: Vectors = features.flatten(2).transpose(1, 2).half().numpy()
        if not np.isfinite(regions).all():
            raise BadSettings(
                f"{where}: a photo gives numbers beyond {np.finfo(np.float16).max:g}: not trained weights"
            )
        return regions

    return look


def _network(visual: str, state: Mapping[str, Any], where: str) -> nn.Module:
    """The layers up to the one that is read; what comes after them is never built."""
    known = _KNOWN[visual]
    with torch.device("meta"):
        whole = known.build().eval()
        network: nn.Module = create_feature_extractor(whole, {known.layer: "regions"}, suppress_diff_warning=True)
    wanted, all_names = network.state_dict(), whole.state_dict().keys()
    # Files from before this counter existed do not have it, and nothing here needs it.
    given = {name: torch.tensor(0) for name in wanted if name.endswith("num_batches_tracked")}
    given |= {name: value for name, value in state.items() if name in wanted and isinstance(value, Tensor)}
    missing = [name for name, value in wanted.items() if name not in given or given[name].shape != value.shape]
    if missing or not state.keys() <= all_names:
        of = missing or sorted(state.keys() - all_names)
        raise BadSettings(
            f"{where}: not the weights of {visual} as torchvision names them ({of[0]}, and {len(of) - 1} more, "
            f"{'are not there or of another shape' if missing else 'are not of this network'})"
        )
    if not all(value.isfinite().all() for value in given.values()):
        raise BadSettings(f"{where}: some weights are no finite numbers: the file is damaged")
    network.load_state_dict({name: given[name].to(value.dtype) for name, value in wanted.items()}, assign=True)
    return network.eval()


def _read(path: Path) -> Mapping[str, Any]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # Bytes that are no weights raise whatever they happen to resemble.
        raise BadSettings(f"{path}: not a state dictionary that torch.save wrote ({type(error).__name__})") from error
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise BadSettings(f"{path}: not a state dictionary: save `network.state_dict()`")
    return state


def _fetch(visual: str) -> Mapping[str, Any]:
    published = _KNOWN[visual].published.IMAGENET1K_V1
    try:
        state: Mapping[str, Any] = published.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise ServiceUnavailable(
            f"the weights of {visual} cannot be fetched from where torchvision publishes them ({error}): give a file "
            "of them by --visual-weights"
        ) from error
    return state


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:12]
    except OSError as error:
        raise UnreadableInput(f"cannot read {path}: {error.strerror}") from error
