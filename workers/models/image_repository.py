"""One version of the image encoder in a Triton model repository: its files, and the hashes that tie them together.

::

    triton_models/image_encoder/config.pbtxt      names the inputs, the shapes and the hashes
    triton_models/image_encoder/1/model.onnx      static int8, for CPUs
                                  model.fp16.onnx for GPUs
                                  labels.json     names of the classes, calibration, how the version came to be
                                  model_card.md

Labels of one version with the network of another would give plausible nonsense: the hashes make that `Fatal`.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tagstream.errors import BadSettings, CorruptState
from workers.models.repository import (
    MODEL,
    MODEL_HASH_PARAMETER,
    Generation,
    another_export,
    declared_hashes,
    gpu_hash,
    network_hash,
)

NAME = "image_encoder"
LABELS = "labels.json"
LABELS_HASH_PARAMETER = "labels_sha256"
# Whatever the network, it divides its input into 7 x 7 regions.
GRID_SIDE = 7
REGIONS = GRID_SIDE**2
# One up from having no image model, whose answers it replaces.
FIRST_GENERATION = 3

_Name = Annotated[str, Field(min_length=1, max_length=40)]


class ImageDescription(BaseModel):
    """`labels.json`. The network takes pictures of `side` x `side` pixels and gives `region_width` features a region.

    A logit divided by `temperature`, through softmax, is a probability. `threshold` is the least probability at which
    a label is given, `precision` the share of right labels that it was chosen for (None: by hand). `generation` rises
    with whatever replaces the labels of another version; that of no image model is 1. `record` says how the version
    came to be.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    labels: Annotated[list[_Name], Field(min_length=2)]
    side: Annotated[int, Field(ge=GRID_SIDE, le=448, multiple_of=GRID_SIDE)]
    region_width: Annotated[int, Field(ge=1, le=4096)]
    temperature: Annotated[float, Field(gt=0)]
    threshold: Annotated[float, Field(gt=0, le=1)]
    precision: Annotated[float, Field(gt=0, le=1)] | None
    generation: Annotated[Generation, Field(ge=FIRST_GENERATION)]
    record: dict[str, Any] = {}

    @model_validator(mode="after")
    def _no_label_stands_twice(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels: a name stands for two classes")
        return self


@dataclass(frozen=True, slots=True)
class ImageVersion:
    """A version that is whole: its files exist and belong together."""

    version: int
    folder: Path
    description: ImageDescription
    name: str = NAME
    gpu_model_hash: str | None = None


def labels_hash(folder: Path) -> str:
    """SHA-256 of the description: whatever turns scores into labels."""
    return hashlib.sha256((folder / LABELS).read_bytes()).hexdigest()


def open_image_version(repository: Path, version: int | None = None) -> ImageVersion:
    """The numbered version of the image encoder; the highest one there is when none is named.

    Raises:
        BadSettings: no such repository or version.
        CorruptState: a file is missing, unreadable, or does not belong to the others.
    """
    model = repository / NAME
    versions = sorted(int(path.name) for path in model.glob("*") if path.name.isdigit() and (path / MODEL).is_file())
    if not versions:
        raise BadSettings(f"{model}: no model here: expected {NAME}/<version>/{MODEL} in the model repository")
    chosen = versions[-1] if version is None else version
    if chosen not in versions:
        raise BadSettings(f"{model}: no version {chosen}: there are {', '.join(map(str, versions))}")
    folder = model / str(chosen)
    configuration = model / "config.pbtxt"
    description = _read_whole(configuration, folder)
    return ImageVersion(chosen, folder, description, gpu_model_hash=gpu_hash(configuration, folder))


def read_description(folder: Path) -> ImageDescription:
    """What a version's folder says of it, be the rest of it whole or not.

    Raises:
        CorruptState: it cannot be read.
    """
    try:
        return ImageDescription.model_validate_json((folder / LABELS).read_bytes())
    except (OSError, ValidationError) as error:
        raise CorruptState(f"{folder}: not a whole model version: {error}") from error


def _read_whole(configuration: Path, folder: Path) -> ImageDescription:
    description = read_description(folder)
    try:
        text = configuration.read_text(encoding="utf-8")
        parts = (
            (LABELS, LABELS_HASH_PARAMETER, labels_hash(folder)),
            (MODEL, MODEL_HASH_PARAMETER, network_hash(folder)),
        )
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptState(f"{folder}: not a whole model version: {error}") from error
    for name, parameter, found in parts:
        declared = declared_hashes(text, parameter).get(folder.name)
        if declared != found:
            raise another_export(folder, f"{name} has", found, configuration, declared)
    return description
