"""An image encoder from weights that somebody has: MobileNet v2 or a residual network, as torchvision saves them.

::

    weights ─┐
    names ───┼─▶ network at 224 x 224, 7 x 7 regions ─▶ the same files as those of the encoder that ships
    photos ──┘   (the ranges of int8 are taken from them)

Owns what is asked of the three. No labelled pictures are at hand, so nothing is calibrated: the threshold is given.
"""

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from pydantic import ValidationError

from tagstream.errors import BadSettings, UnreadableInput
from training.image.files import fused, install, write_networks
from training.image.network import ServedNetwork
from training.image.torchvision_networks import DEVIATION, MEAN, SIDE, network_of
from training.image.triton_config import generation_for
from workers.images.classifier import Pixels, model_input
from workers.models.image_repository import LABELS, NAME, ImageDescription

FEWEST_PHOTOS = 16
MOST_PHOTOS = 300
MAX_PIXELS = 50_000_000
_SUFFIXES = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}


def export_given(
    weights: Path,
    names: Path,
    photos: Path,
    repository: Path,
    version: int,
    threshold: float,
    generation: int | None = None,
) -> dict[str, Any]:
    """Writes a version and says what it was made from: the network's name and the number of photos read and left out.

    Without a `generation` it gets the one above all that are in the repository.

    Raises:
        UnreadableInput: a file or folder cannot be read.
        BadSettings: the weights are of no known network, the names are not of its classes, there are too few photos,
            or the repository holds an image encoder of another shape, or one that this could not replace.
        CorruptState: what the repository holds cannot be read.
    """
    generation = generation_for(repository / NAME, version, generation)
    kind, network = network_of(_read_weights(weights), str(weights))
    labels = _read_names(names)
    if len(labels) != network.classes:
        raise BadSettings(
            f"{names}: {len(labels)} names, and {weights} has {network.classes} classes: give one name a line"
        )
    inputs, left_out = read_photos(photos, SIDE)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        description = _describe(kind, labels, network.region_width, threshold, generation, weights, names)
        scaled = ([255 * value for value in values] for values in (MEAN, DEVIATION))
        write_networks(ServedNetwork(fused(network), *scaled), SIDE, inputs, folder)
        (folder / LABELS).write_text(description.model_dump_json(indent=1) + "\n", encoding="utf-8")
        (folder / "model_card.md").write_text(_card(kind, description, version, len(inputs)), encoding="utf-8")
        install(folder, repository, version)
    return {
        "network": kind,
        "classes": network.classes,
        "generation": generation,
        "photos": len(inputs),
        "photos_left_out": left_out,
    }


def _read_weights(path: Path) -> dict[str, Any]:
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UnreadableInput(f"cannot read {path}: {error.strerror}") from error
    except MemoryError:
        raise
    except Exception as error:  # Bytes that are no weights raise whatever they happen to resemble.
        raise BadSettings(f"{path}: not a state dictionary that torch.save wrote ({type(error).__name__})") from error
    if not isinstance(weights, dict) or not all(isinstance(name, str) for name in weights):
        raise BadSettings(f"{path}: not a state dictionary: save `network.state_dict()`")
    return weights


def _read_names(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UnreadableInput(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadSettings(f"{path}: not UTF-8: give one name a line") from error
    names = [" ".join(line.split()) for line in lines]
    first_lines: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if name in first_lines:
            raise BadSettings(
                f"{path}: lines {first_lines[name]} and {number} are both {name!r}: a name must be of one class"
            )
        first_lines[name] = number
    return names


def read_photos(folder: Path, side: int) -> tuple[list[Pixels], int]:
    """Reads the first 300 photos of a folder, by name, as inputs of the network; and how many files could not be read.

    Raises:
        UnreadableInput: the folder cannot be read.
        BadSettings: fewer than 16 can be used.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    except OSError as error:
        raise UnreadableInput(f"cannot read {folder}: {error.strerror}") from error
    inputs: list[Pixels] = []
    left_out = 0
    for path in files:
        if len(inputs) == MOST_PHOTOS:
            break
        pixels = _read_photo(path, side)
        if pixels is None:
            left_out += 1
        else:
            inputs.append(pixels)
    if len(inputs) < FEWEST_PHOTOS:
        raise BadSettings(
            f"{folder}: {len(inputs)} photos that can be read ({left_out} that cannot), {FEWEST_PHOTOS} at least are "
            f"needed: give JPEG, PNG or WebP files like those of the feed; {MOST_PHOTOS} are enough"
        )
    return inputs, left_out


def _read_photo(path: Path, side: int) -> Pixels | None:
    try:
        with Image.open(path, formats=(_SUFFIXES[path.suffix.lower()],)) as image:
            if image.size[0] * image.size[1] > MAX_PIXELS:
                return None
            return model_input(image.convert("RGB"), side)
    except MemoryError:
        raise
    except Exception:  # Broken bytes raise whatever the decoder trips over, of no common class.
        return None


def _describe(
    kind: str,
    labels: Sequence[str],
    region_width: int,
    threshold: float,
    generation: int,
    weights: Path,
    names: Path,
) -> ImageDescription:
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        return ImageDescription(
            labels=list(labels),
            side=SIDE,
            region_width=region_width,
            temperature=1.0,
            threshold=threshold,
            precision=None,
            generation=generation,
            record={"network": kind, "weights": weights.name, "weights_sha256": digest},
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        line = f", line {int(first['loc'][1]) + 1}" if len(first["loc"]) > 1 else ""
        raise BadSettings(f"{names}{line}: {first['msg']}") from error


def _card(kind: str, description: ImageDescription, version: int, photos: int) -> str:
    record = description.record
    return f"""# image_encoder, version {version}

{kind} with the weights of `{record["weights"]}` (SHA-256 {record["weights_sha256"]}), which are not ours: their terms,
data and limits are their makers'. {len(description.labels):,} classes, pictures of {description.side} x
{description.side} pixels, 49 regions of {description.region_width:,} features.

`model.onnx`: static int8, its ranges taken from {photos} photos. `model.fp16.onnx`: for GPUs.

Nothing was measured: there were no labelled pictures. Probabilities are as the weights give them, and the threshold of
{description.threshold:g} was given by hand.

Generation {description.generation}: answers with its labels replace those of lower ones.
"""
