"""The contract of a served model: the same export as in the repository here, the same inputs and outputs.

Pure functions check the configuration that Triton reports. A server with the weights of another training run, beside
the vocabulary or the labels here, would answer plausible nonsense under the name of the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tagstream.errors import CorruptState
from workers.models.image_repository import LABELS_HASH_PARAMETER, REGIONS, ImageVersion, labels_hash
from workers.models.repository import HASH_PARAMETER, ModelVersion, model_hash
from workers.models.version_folder import GPU_MODEL_HASH_PARAMETER, MODEL_HASH_PARAMETER, network_hash
from workers.tagger.crf_decoder import TAGS
from workers.tagger.encoding import BUCKET, FEATURES

# The tensor of each input, or of each output, by its name.
Tensors = Mapping[str, npt.NDArray[Any]]
# The type of each tensor and the shape of one of its rows; -1 stands for the length of the batch.
Shapes = Mapping[str, tuple[str, list[int]]]


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One version of one model as it must be served.

    `hashes` are the parameters of `config.pbtxt` that tell one export from any other. `blank` is a row of input that
    every healthy server answers. `otherwise` tells a user whose server cannot be given this version what to do.
    """

    name: str
    version: int
    hashes: Mapping[str, str]
    inputs: Shapes
    outputs: Shapes
    blank: Tensors
    otherwise: str

    @property
    def label(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"


def _of_gpus(version: ModelVersion | ImageVersion) -> dict[str, str]:
    """Returns the hash of the network that a server with GPUs runs, by its parameter."""
    found = version.gpu_model_hash
    return {} if found is None else {f"{GPU_MODEL_HASH_PARAMETER}_{version.version}": found}


def tagger_on_triton(version: ModelVersion) -> ServedModel:
    """Returns the contract of the tagger: word pieces in, emissions out."""
    inputs: Shapes = {
        "pieces": ("TYPE_INT32", [-1]),
        "segments": ("TYPE_INT32", [-1]),
        "features": ("TYPE_INT32", [-1, FEATURES]),
    }
    hashes = {
        f"{HASH_PARAMETER}_{version.version}": model_hash(version.folder),
        f"{MODEL_HASH_PARAMETER}_{version.version}": network_hash(version.folder),
        **_of_gpus(version),
    }
    return ServedModel(
        version.name,
        version.version,
        hashes,
        inputs,
        {"emissions": ("TYPE_FP32", [-1, len(TAGS)])},
        {name: np.zeros((1, *_with_length(dims, BUCKET)), np.int32) for name, (_, dims) in inputs.items()},
        "or name one that is served with TAGSTREAM_TAGGER and TAGSTREAM_MODEL_VERSION",
    )


def image_encoder_on_triton(version: ImageVersion) -> ServedModel:
    """Returns the contract of the image encoder: pictures in, logits and features of regions out."""
    description = version.description
    picture = [3, description.side, description.side]
    hashes = {
        f"{LABELS_HASH_PARAMETER}_{version.version}": labels_hash(version.folder),
        f"{MODEL_HASH_PARAMETER}_{version.version}": network_hash(version.folder),
        **_of_gpus(version),
    }
    return ServedModel(
        version.name,
        version.version,
        hashes,
        {"pixels": ("TYPE_UINT8", picture)},
        {
            "logits": ("TYPE_FP32", [len(description.labels)]),
            "regions": ("TYPE_FP32", [REGIONS, description.region_width]),
        },
        {"pixels": np.zeros((1, *picture), np.uint8)},
        f"or take the folder {version.name} out of the repository here (TAGSTREAM_MODEL_REPOSITORY), and photos are "
        "not looked at",
    )


def output_shape(model: ServedModel, output: str, rows: Tensors) -> tuple[int, ...]:
    """Returns the shape of an output for these rows of input."""
    first = next(iter(rows.values()))
    return (len(first), *_with_length(model.outputs[output][1], first.shape[1]))


def _with_length(dimensions: list[int], length: int) -> list[int]:
    return [length if size == -1 else size for size in dimensions]


def rows_accepted(config: Mapping[str, Any], model: ServedModel, where: str) -> int:
    """Checks a configuration (as JSON) against the contract; returns the most rows that one request may have.

    `where` names the server in messages.

    Raises:
        CorruptState: the files of the server are of another export, or it has other inputs and outputs.
    """
    for parameter, expected in model.hashes.items():
        declared = config.get("parameters", {}).get(parameter, {}).get("string_value")
        if declared != expected:
            raise CorruptState(
                f"{where} declares {parameter} {declared}, and the model repository here has {expected}: they are not "
                "of one export. Serve the repository that this program was given (TAGSTREAM_MODEL_REPOSITORY), or "
                "give this program the one that is served"
            )
    for part, expected_tensors in (("input", model.inputs), ("output", model.outputs)):
        found = {tensor["name"]: (tensor["data_type"], _dimensions(tensor)) for tensor in config.get(part, [])}
        if found != expected_tensors:
            raise CorruptState(
                f"{where} has the {part}s {found}, and {expected_tensors} are needed: export it again and serve that"
            )
    rows = int(config.get("max_batch_size", 0))
    if rows < 1:
        raise CorruptState(f"{where} takes no batches (max_batch_size {rows}): export the model again and serve that")
    return rows


def _dimensions(tensor: dict[str, Any]) -> list[int]:
    return [int(size) for size in tensor.get("dims", [])]
