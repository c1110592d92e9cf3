"""One version of a tagger in a Triton model repository: its files, and the hashes that tie them together.

::

    triton_models/mner/config.pbtxt      names the inputs, the shapes and the hashes
    triton_models/mner/1/model.onnx      static int8, for CPUs
                         model.fp16.onnx for GPUs
                         vocabulary.txt  word pieces, one a line
                         tagger.json     labels, CRF, what the version was made from
                         model_card.md

A vocabulary of one version with the weights of another gives plausible nonsense: the hashes make that `Fatal`. An
image of a worker has no network for GPUs; where there is one it is checked, and Triton must have been given it.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from tagstream.errors import BadSettings, CorruptState
from workers.tagger.crf_decoder import TAGS, Decoder

MODEL = "model.onnx"
GPU_MODEL = "model.fp16.onnx"
VOCABULARY = "vocabulary.txt"
DESCRIPTION = "tagger.json"
HASH_PARAMETER = "tokenizer_sha256"
MODEL_HASH_PARAMETER = "model_sha256"
GPU_MODEL_HASH_PARAMETER = "gpu_model_sha256"

_Nine = Annotated[list[float], Field(min_length=len(TAGS), max_length=len(TAGS))]


def _odd(generation: int) -> int:
    if generation % 2 == 0:
        raise ValueError(f"generation {generation} is even: the next whole model takes {generation + 1}")
    return generation


# Odd: the even one below it is that of its degraded answers. 4095 is that of deletions.
MAX_GENERATION = 4093
Generation = Annotated[int, Field(ge=1, le=MAX_GENERATION), AfterValidator(_odd)]


class Description(BaseModel):
    """`tagger.json`: the labels in order, the CRF that decodes them, and how the version came to be."""

    model_config = ConfigDict(extra="forbid")

    labels: list[str]
    transitions: Annotated[list[_Nine], Field(min_length=len(TAGS), max_length=len(TAGS))]
    starts: _Nine
    ends: _Nine
    generation: Generation
    record: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version that is whole: its files exist, belong together, and speak our labels."""

    name: str
    version: int
    folder: Path
    description: Description
    gpu_model_hash: str | None = None

    @property
    def decoder(self) -> Decoder:
        """The CRF of this version."""
        description = self.description
        return Decoder(np.array(description.transitions), np.array(description.starts), np.array(description.ends))


def model_hash(folder: Path) -> str:
    """SHA-256 over the vocabulary and the description: whatever turns text into ids, and scores into tags."""
    digest = hashlib.sha256()
    for name in (VOCABULARY, DESCRIPTION):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def network_hash(folder: Path) -> str:
    """SHA-256 of the network that is run in process: the weights between the two."""
    with (folder / MODEL).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def gpu_network_hash(folder: Path) -> str | None:
    """SHA-256 of the network that GPUs run; None where a folder has none."""
    try:
        with (folder / GPU_MODEL).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def gpu_hash(configuration: Path, folder: Path) -> str | None:
    """The hash that is declared for the version's network for GPUs; None if none is.

    Raises:
        CorruptState: the network is there, and has another.
    """
    try:
        declared = declared_hashes(configuration.read_text(encoding="utf-8"), GPU_MODEL_HASH_PARAMETER).get(folder.name)
        found = gpu_network_hash(folder)
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptState(f"{folder}: not a whole model version: {error}") from error
    if found is not None and found != declared:
        raise another_export(folder, f"{GPU_MODEL} has", found, configuration, declared)
    return declared


def another_export(folder: Path, what: str, found: str, configuration: Path, declared: str | None) -> CorruptState:
    """The error of a file that does not belong to the others of its version."""
    return CorruptState(
        f"{folder}: {what} the hash {found}, but {configuration} declares {declared}: "
        "they are not of one export; export the version again"
    )


def open_version(repository: Path, name: str = "mner", version: int | None = None) -> ModelVersion:
    """The named version of a model; the highest one there is when none is named.

    Raises:
        BadSettings: no such repository, model or version.
        CorruptState: a file is missing, unreadable, or does not belong to the others.
    """
    model = repository / name
    versions = sorted(int(path.name) for path in model.glob("*") if path.name.isdigit() and (path / MODEL).is_file())
    if not versions:
        raise BadSettings(f"{model}: no model here: expected {name}/<version>/{MODEL} in the model repository")
    chosen = versions[-1] if version is None else version
    if chosen not in versions:
        raise BadSettings(f"{model}: no version {chosen}: there are {', '.join(map(str, versions))}")
    folder = model / str(chosen)
    configuration = model / "config.pbtxt"
    return ModelVersion(name, chosen, folder, _read_description(configuration, folder), gpu_hash(configuration, folder))


def _read_description(configuration: Path, folder: Path) -> Description:
    try:
        text = configuration.read_text(encoding="utf-8")
        parts = (
            ("vocabulary and description have", HASH_PARAMETER, model_hash(folder)),
            (f"{MODEL} has", MODEL_HASH_PARAMETER, network_hash(folder)),
        )
        description = Description.model_validate_json((folder / DESCRIPTION).read_bytes())
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise CorruptState(f"{folder}: not a whole model version: {error}") from error
    for what, parameter, found in parts:
        declared = declared_hashes(text, parameter).get(folder.name)
        if declared != found:
            raise another_export(folder, what, found, configuration, declared)
    if tuple(description.labels) != TAGS:
        raise CorruptState(f"{folder / DESCRIPTION}: labels {description.labels} are not {list(TAGS)}")
    return description


def declared_hashes(configuration: str, parameter: str = HASH_PARAMETER) -> dict[str, str]:
    """The hash of each version that a `config.pbtxt` declares in its parameters `<parameter>_<version>`."""
    pattern = rf'key:\s*"{parameter}_(\d+)"\s*value:?\s*\{{\s*string_value:\s*"([0-9a-f]{{64}})"'
    return dict(re.findall(pattern, configuration))
