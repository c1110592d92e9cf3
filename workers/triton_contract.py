"""What a served model must be before its answers are believed: the same export, the same inputs and outputs.

Pure functions over the configuration that Triton reports. A server that has the weights of another training beside
our vocabulary would answer plausible nonsense, under the name of our model.
"""

from typing import Any

from tagstream.errors import CorruptState
from workers.decoder import TAGS
from workers.encoding import FEATURES
from workers.repository import HASH_PARAMETER, MODEL_HASH_PARAMETER, ModelVersion, model_hash, network_hash

INPUTS = {"pieces": ("TYPE_INT32", [-1]), "segments": ("TYPE_INT32", [-1]), "features": ("TYPE_INT32", [-1, FEATURES])}
OUTPUT = "emissions"
_OUTPUTS = {OUTPUT: ("TYPE_FP32", [-1, len(TAGS)])}


def hashes_of(version: ModelVersion) -> dict[str, str]:
    """The parameters of `config.pbtxt` that tell one export of this version from any other."""
    return {
        f"{HASH_PARAMETER}_{version.version}": model_hash(version.folder),
        f"{MODEL_HASH_PARAMETER}_{version.version}": network_hash(version.folder),
    }


def rows_accepted(config: dict[str, Any], hashes: dict[str, str], where: str) -> int:
    """The most rows of one request, by a configuration (as JSON) that keeps the contract; `where` is for messages.

    Raises:
        CorruptState: the server's files are not of our export, or its inputs and outputs are others.
    """
    for parameter, expected in hashes.items():
        declared = config.get("parameters", {}).get(parameter, {}).get("string_value")
        if declared != expected:
            raise CorruptState(
                f"{where} declares {parameter} {declared}, and the model repository here has {expected}: they are not "
                "of one export. Serve the repository that this program was given (TAGSTREAM_MODEL_REPOSITORY), or "
                "give this program the one that is served"
            )
    for part, expected_tensors in (("input", INPUTS), ("output", _OUTPUTS)):
        found = {tensor["name"]: (tensor["data_type"], _dimensions(tensor)) for tensor in config.get(part, [])}
        if found != expected_tensors:
            raise CorruptState(
                f"{where} has the {part}s {found}, and {expected_tensors} are asked for: export and serve it again"
            )
    rows = int(config.get("max_batch_size", 0))
    if rows < 1:
        raise CorruptState(f"{where} takes no batches (max_batch_size {rows}): export and serve it again")
    return rows


def _dimensions(tensor: dict[str, Any]) -> list[int]:
    return [int(size) for size in tensor.get("dims", [])]
