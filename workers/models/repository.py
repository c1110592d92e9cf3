"""Versions of a tagger in a Triton model repository: `mner` ships, `mner_base` for GPUs is made by its user.

::

    triton_models/mner/config.pbtxt
    triton_models/mner/1/model.onnx, model.fp16.onnx   as in every version folder (`version_folder.py`)
                         vocabulary.txt                word pieces, one a line
                         tagger.json                   labels, CRF, what the version was made from
                         model_card.md

The vocabulary of one version would give plausible nonsense with the network of another. Both are hashed, and a mismatch
is a `CorruptState`.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tagstream.errors import CorruptState
from tagstream.posts import EntityType
from workers.models.version_folder import (
    MODEL,
    MODEL_HASH_PARAMETER,
    GenerationNumber,
    HashedPart,
    find_version,
    network_hash,
    read_json,
)
from workers.tagger.crf_decoder import TAGS, Decoder
from workers.tagger.encoding import READING
from workers.tagger.scoring import Scoring

TAGGER = "mner"
VOCABULARY = "vocabulary.txt"
DESCRIPTION = "tagger.json"
HASH_PARAMETER = "tokenizer_sha256"

_Nine = Annotated[list[float], Field(min_length=len(TAGS), max_length=len(TAGS))]


class Calibration(BaseModel):
    """The map from the CRF's probability of a name to its score, as in `Scoring`."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    slope: Annotated[float, Field(gt=0)]
    offsets: dict[EntityType, float]


class TaggerDescription(BaseModel):
    """The content of `tagger.json`: the labels in order, the CRF that decodes them, and how the version came to be.

    `reading` is the reading of posts (`workers/tagger/encoding.py`) that the version was trained for; the first exports
    did not say. Without `calibration` a name's score is the probability that the CRF gives it. `min_score` is the least
    score of a name that is given, unless the setting says another.
    """

    model_config = ConfigDict(extra="forbid")

    labels: list[str]
    transitions: Annotated[list[_Nine], Field(min_length=len(TAGS), max_length=len(TAGS))]
    starts: _Nine
    ends: _Nine
    generation: GenerationNumber
    reading: Annotated[int, Field(ge=1)] = 1
    calibration: Calibration | None = None
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.0
    record: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A whole version of the tagger: its files exist, belong together, and use this project's labels."""

    name: str
    version: int
    folder: Path
    description: TaggerDescription
    gpu_model_hash: str | None = None

    @property
    def decoder(self) -> Decoder:
        """The CRF of this version."""
        description = self.description
        return Decoder(np.array(description.transitions), np.array(description.starts), np.array(description.ends))

    def scoring(self, min_score: float | None) -> Scoring:
        """Returns the scoring of this version, with another least score where one is given."""
        calibration = self.description.calibration or Calibration(slope=1.0, offsets={})
        least = self.description.min_score if min_score is None else min_score
        return Scoring(calibration.slope, calibration.offsets, least)


def model_hash(folder: Path) -> str:
    """Returns the SHA-256 of vocabulary and description: of all that turns text into ids and scores into tags.

    Raises:
        OSError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for name in (VOCABULARY, DESCRIPTION):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


_PARTS = (
    HashedPart("vocabulary and description", HASH_PARAMETER, model_hash),
    HashedPart(MODEL, MODEL_HASH_PARAMETER, network_hash),
)


def open_version(repository: Path, name: str = TAGGER, version: int | None = None) -> ModelVersion:
    """Returns a version of the tagger after checking its files; the highest version where no number is given.

    Raises:
        BadSettings: there is no such repository, model or version.
        CorruptState: a file is missing, cannot be read, or does not belong to the others; or the version was trained
            for another reading of posts.
    """
    folder = find_version(repository, name, version)
    description = read_json(folder.path, DESCRIPTION, TaggerDescription)
    folder.check(_PARTS)
    if tuple(description.labels) != TAGS:
        raise CorruptState(f"{folder.path / DESCRIPTION}: labels {description.labels} are not {list(TAGS)}")
    if description.reading != READING:
        when = "an earlier" if description.reading < READING else "a later"
        raise CorruptState(
            f"{folder.path / DESCRIPTION}: the version was trained for {when} reading of posts ({description.reading}; "
            f"this tagstream reads them by {READING}), so its answers would be wrong: train it again and export it, or "
            f"serve it with the tagstream that exported it"
        )
    return ModelVersion(name, folder.version, folder.path, description, folder.gpu_hash())
