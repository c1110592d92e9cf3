"""`config.pbtxt` of the image encoder: what a Triton server is told of it, here and in NVIDIA's container alike.

Pixels are bytes and are normalised in the network, so that a client cannot do it otherwise than training did. Triton
has one configuration for all versions of a model, so they must be alike in their shapes.
"""

from pathlib import Path

from tagstream.errors import BadSettings
from training.triton_config import COMPUTE_CAPABILITIES, INSTANCES, MAX_QUEUED, QUEUE_SECONDS, hash_parameters
from workers.models.image_repository import (
    FIRST_GENERATION,
    LABELS_HASH_PARAMETER,
    REGIONS,
    ImageDescription,
    labels_hash,
    read_description,
)
from workers.models.version_folder import GPU_MODEL, MAX_GENERATION, MODEL, MODEL_HASH_PARAMETER, network_hash

# The photos of 16 posts at most.
MAX_ROWS = 64


def configuration(model: Path) -> str:
    """Returns the text of `config.pbtxt` for the versions in the folder `model`, of which there is one at least."""
    versions = sorted(int(path.name) for path in model.iterdir() if path.name.isdigit())
    gpu = [f'cc_model_filenames {{ key: "{capability}" value: "{GPU_MODEL}" }}' for capability in COMPUTE_CAPABILITIES]
    digests = {LABELS_HASH_PARAMETER: labels_hash, MODEL_HASH_PARAMETER: network_hash}
    hashes = hash_parameters(model, versions, digests)
    newest = read_description(model / str(versions[-1]))
    return _head(*_shapes(newest)) + "\n".join([*gpu, *hashes, ""])


def generation_for(model: Path, version: int, given: int | None = None) -> int:
    """Returns the generation of a version that is put into the folder `model`: the one above all that are there, or
    `given`.

    Raises:
        BadSettings: `given` would not replace what the versions there have said, or there is none above them.
        CorruptState: a version there cannot be read.
    """
    there = {number: description.generation for number, description in _versions(model).items()}
    highest = max(there.values(), default=FIRST_GENERATION - 2)
    chosen = highest + 2 if given is None else given
    holder = max((number for number, generation in there.items() if generation == highest), default=version)
    if chosen < highest or (chosen == highest and holder != version):
        raise BadSettings(
            f"{model}: version {version} would have the generation {chosen}, and version {holder} has {highest}: its "
            f"labels would never replace those that are stored; take {highest + 2}, or leave it out"
        )
    if chosen % 2 == 0 or not FIRST_GENERATION <= chosen <= MAX_GENERATION:
        raise BadSettings(
            f"{model}: version {version} would have the generation {chosen}: it must be odd, {FIRST_GENERATION} at "
            f"least and {MAX_GENERATION} at most"
        )
    return chosen


def require_room(model: Path, description: ImageDescription, version: int) -> None:
    """Checks that a version can stand beside the others in the folder `model`.

    Raises:
        BadSettings: its shapes are others, or its generation is not above theirs.
        CorruptState: a version there cannot be read.
    """
    generation_for(model, version, description.generation)
    for number, other in _versions(model).items():
        if number != version and _shapes(other) != _shapes(description):
            raise BadSettings(
                f"{model}: version {version} would have the side, classes and region width {_shapes(description)}, and "
                f"version {number} has {_shapes(other)}: Triton has one configuration for all versions, so remove "
                "those of another shape from the repository, or give one that has none"
            )


def _versions(model: Path) -> dict[int, ImageDescription]:
    return {int(path.name): read_description(path) for path in sorted(model.glob("*")) if path.name.isdigit()}


def _shapes(description: ImageDescription) -> tuple[int, int, int]:
    return description.side, len(description.labels), description.region_width


def _head(side: int, classes: int, region_width: int) -> str:
    return f"""# Written by `python -m training.image.triton_config`. Regions go row by row from the top left.
backend: "onnxruntime"
default_model_filename: "{MODEL}"
max_batch_size: {MAX_ROWS}
input [ {{ name: "pixels" data_type: TYPE_UINT8 dims: [ 3, {side}, {side} ] }} ]
output [
  {{ name: "logits" data_type: TYPE_FP32 dims: [ {classes} ] }},
  {{ name: "regions" data_type: TYPE_FP32 dims: [ {REGIONS}, {region_width} ] }}
]
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
# The first inference is many times slower: it is done before the server calls itself ready.
model_warmup {{
  name: "one picture" batch_size: 1
  inputs {{ key: "pixels" value {{ data_type: TYPE_UINT8 dims: [ 3, {side}, {side} ] zero_data: true }} }}
}}
"""


def write_configuration(model: Path) -> None:
    """Writes `config.pbtxt` into the model's folder."""
    (model / "config.pbtxt").write_text(configuration(model), encoding="utf-8")


if __name__ == "__main__":
    write_configuration(Path(__file__).resolve().parents[2] / "triton_models" / "image_encoder")
