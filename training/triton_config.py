"""`config.pbtxt`: what a Triton server is told of a tagger, for our local server and NVIDIA's container alike.

Written for every version in the model's folder together, because Triton has one configuration for all of them; the
hashes of each version are parameters, by which a client knows that it and the server have the same export.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from workers.models.repository import DESCRIPTION, HASH_PARAMETER, model_hash
from workers.models.version_folder import (
    GPU_MODEL,
    GPU_MODEL_HASH_PARAMETER,
    MODEL,
    MODEL_HASH_PARAMETER,
    gpu_network_hash,
    network_hash,
)
from workers.tagger.encoding import BUCKET, FEATURES, MAX_LENGTH

# Rows of one inference. Clients send whole batches, so this bounds the memory of an inference and little else.
MAX_ROWS = 64
# Requests that wait; one more is refused with UNAVAILABLE, which clients take for what it is: an overload.
MAX_QUEUED = 256
# A request may ask for less (`timeout`), never for more.
QUEUE_SECONDS = 30
INSTANCES = 2
# NVIDIA GPUs with fast half precision. On one that is not named here the int8 file is run: right, and slow.
COMPUTE_CAPABILITIES = ("7.0", "7.5", "8.0", "8.6", "8.7", "8.9", "9.0", "10.0", "10.3", "12.0", "12.1")

_HEAD = f"""# Written by `python -m training.triton_config`. Lengths are multiples of {BUCKET}; equal ones are merged.
backend: "onnxruntime"
default_model_filename: "{MODEL}"
max_batch_size: {MAX_ROWS}
input [
  {{ name: "pieces" data_type: TYPE_INT32 dims: [ -1 ] }},
  {{ name: "segments" data_type: TYPE_INT32 dims: [ -1 ] }},
  {{ name: "features" data_type: TYPE_INT32 dims: [ -1, {FEATURES} ] }}
]
output [ {{ name: "emissions" data_type: TYPE_FP32 dims: [ -1, 9 ] }} ]
# Every version in the folder is served, and clients ask by number: a new one is tried beside the old.
version_policy {{ all {{ }} }}
instance_group [ {{ count: {INSTANCES} }} ]
dynamic_batching {{
  max_queue_delay_microseconds: 0
  default_queue_policy {{
    timeout_action: REJECT
    default_timeout_microseconds: {QUEUE_SECONDS * 1_000_000}
    allow_timeout_override: true
    max_queue_size: {MAX_QUEUED}
  }}
}}
"""


def configuration(model: Path) -> str:
    """Returns the text of `config.pbtxt` for the versions in the folder `model`."""
    versions = sorted(int(path.name) for path in model.iterdir() if path.name.isdigit())
    digests = {HASH_PARAMETER: model_hash, MODEL_HASH_PARAMETER: network_hash}
    return _HEAD + "\n".join([*_gpu_files(), *_warm_ups(), *hash_parameters(model, versions, digests), ""])


def hash_parameters(model: Path, versions: Sequence[int], digests: Mapping[str, Callable[[Path], str]]) -> list[str]:
    """Returns the parameters that declare the hashes of each version, that of its network for GPUs where it has one."""
    every = {**digests, GPU_MODEL_HASH_PARAMETER: gpu_network_hash}
    return [
        f'parameters {{ key: "{parameter}_{version}" value {{ string_value: "{found}" }} }}'
        for version in versions
        for parameter, digest in every.items()
        if (found := digest(model / str(version))) is not None
    ]


def _gpu_files() -> list[str]:
    return [f'cc_model_filenames {{ key: "{capability}" value: "{GPU_MODEL}" }}' for capability in COMPUTE_CAPABILITIES]


def _warm_ups() -> list[str]:
    """One inference of each length before the server calls itself ready: the first of a shape is many times slower."""
    return [
        f'model_warmup {{ name: "length {length}" batch_size: 1 '
        + " ".join(
            f'inputs {{ key: "{name}" value {{ data_type: TYPE_INT32 dims: [ {dimensions} ] zero_data: true }} }}'
            for name, dimensions in (("pieces", length), ("segments", length), ("features", f"{length}, {FEATURES}"))
        )
        + " }"
        for length in range(BUCKET, MAX_LENGTH + 1, BUCKET)
    ]


def write_configuration(model: Path) -> None:
    """Writes `config.pbtxt` into the model's folder."""
    (model / "config.pbtxt").write_text(configuration(model), encoding="utf-8")


if __name__ == "__main__":
    for description in (Path(__file__).resolve().parent.parent / "triton_models").glob(f"*/*/{DESCRIPTION}"):
        write_configuration(description.parent.parent)
