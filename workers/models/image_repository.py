"""Versions of the image encoder in a Triton model repository.

::

    triton_models/image_encoder/config.pbtxt
    triton_models/image_encoder/1/model.onnx, model.fp16.onnx   as in every version folder (`version_folder.py`)
                                  labels.json                   names of the classes, calibration, the version's origin
                                  rejection.npz                 tells photos of none of them (`image_rejection.py`)
                                  model_card.md

The labels of one version would give plausible nonsense with the network of another. All are hashed, and a mismatch is
a `CorruptState`. A version whose `labels.json` has no `rejection` has no `rejection.npz`: its threshold alone decides.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tagstream.errors import CorruptState
from workers.models.image_rejection import REJECTION, ClassStatistics, Rejection, RejectionRule
from workers.models.version_folder import (
    MODEL,
    MODEL_HASH_PARAMETER,
    GenerationNumber,
    HashedPart,
    find_version,
    network_hash,
    read_json,
)

NAME = "image_encoder"
LABELS = "labels.json"
LABELS_HASH_PARAMETER = "labels_sha256"
# Every network divides its input into 7 x 7 regions.
GRID_SIDE = 7
REGIONS = GRID_SIDE**2
# Answers with an image model replace those without one, which have the generation 1.
FIRST_GENERATION = 3

_Name = Annotated[str, Field(min_length=1, max_length=40)]


class ImageDescription(BaseModel):
    """The content of `labels.json`.

    The network takes pictures of `side` x `side` pixels and gives `region_width` features a region. A logit divided by
    `temperature`, through softmax, is a probability. A label is given from the probability `threshold` on; `precision`
    is the share of right labels that the threshold was chosen for, or None for one chosen by hand. `rejection` says
    when a picture shows none of the classes and gets no label at all; None rejects nothing. `generation` rises with
    every version whose labels replace those of another; without an image model it is 1. `record` tells how the version
    came to be.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    labels: Annotated[list[_Name], Field(min_length=2)]
    side: Annotated[int, Field(ge=GRID_SIDE, le=448, multiple_of=GRID_SIDE)]
    region_width: Annotated[int, Field(ge=1, le=4096)]
    temperature: Annotated[float, Field(gt=0)]
    threshold: Annotated[float, Field(gt=0, le=1)]
    precision: Annotated[float, Field(gt=0, le=1)] | None
    rejection: RejectionRule | None = None
    generation: Annotated[GenerationNumber, Field(ge=FIRST_GENERATION)]
    record: dict[str, Any] = {}

    @model_validator(mode="after")
    def _no_label_stands_twice(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels: a name stands for two classes")
        return self


@dataclass(frozen=True, slots=True)
class ImageVersion:
    """A whole version of the image encoder: its files exist and belong together."""

    version: int
    folder: Path
    description: ImageDescription
    name: str = NAME
    gpu_model_hash: str | None = None
    rejection: Rejection | None = None


def labels_hash(folder: Path) -> str:
    """Returns the SHA-256 of the description and the statistics of its rejection: of all that turns scores into labels.

    Raises:
        OSError: a file cannot be read.
    """
    digest = hashlib.sha256((folder / LABELS).read_bytes())
    if (folder / REJECTION).exists():
        digest.update((folder / REJECTION).read_bytes())
    return digest.hexdigest()


_PARTS = (
    HashedPart(f"{LABELS} and {REJECTION}", LABELS_HASH_PARAMETER, labels_hash),
    HashedPart(MODEL, MODEL_HASH_PARAMETER, network_hash),
)


def open_image_version(repository: Path, version: int | None = None) -> ImageVersion:
    """Returns a version of the image encoder after checking its files; the highest where no number is given.

    Raises:
        BadSettings: there is no such repository or version.
        CorruptState: a file is missing, cannot be read, or does not belong to the others.
    """
    folder = find_version(repository, NAME, version)
    description = read_description(folder.path)
    folder.check(_PARTS)
    rejection = _read_rejection(folder.path, description)
    return ImageVersion(folder.version, folder.path, description, gpu_model_hash=folder.gpu_hash(), rejection=rejection)


def _read_rejection(folder: Path, description: ImageDescription) -> Rejection | None:
    if description.rejection is not None:
        return Rejection(description.rejection, ClassStatistics.read(folder, len(description.labels)))
    if (folder / REJECTION).exists():
        raise CorruptState(
            f"{folder}: {REJECTION} stands here, but {LABELS} has no `rejection`: they are not of one export; export "
            "the version again"
        )
    return None


def read_description(folder: Path) -> ImageDescription:
    """Reads the description of a version, whether or not the other files of its folder are whole.

    Raises:
        CorruptState: the description cannot be read.
    """
    return read_json(folder, LABELS, ImageDescription)
