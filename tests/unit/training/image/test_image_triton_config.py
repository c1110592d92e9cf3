"""The image encoder that ships: its configuration is the one that our code writes, its files belong together."""

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from tagstream.settings import REPOSITORY
from training.image.triton_config import MAX_ROWS, configuration
from training.triton_config import MAX_QUEUED
from workers.models.image_repository import LABELS_HASH_PARAMETER, labels_hash, open_image_version
from workers.models.version_folder import GPU_MODEL, MODEL, MODEL_HASH_PARAMETER, declared_hashes, network_hash

MODEL_FOLDER = REPOSITORY / "triton_models" / "image_encoder"
LARGEST_FILE = 8_000_000

pytestmark = pytest.mark.skipif(not MODEL_FOLDER.is_dir(), reason="no image encoder ships in triton_models/ yet")


@pytest.fixture(scope="module")
def parsed():
    text = (MODEL_FOLDER / "config.pbtxt").read_text()
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def test_the_file_that_ships_is_the_one_that_is_written():
    assert (MODEL_FOLDER / "config.pbtxt").read_text() == configuration(MODEL_FOLDER)


def test_bytes_go_in_and_logits_and_the_features_of_49_regions_come_out(parsed):
    (pixels,) = parsed.input
    assert (pixels.name, pixels.data_type, list(pixels.dims)) == ("pixels", model_config_pb2.TYPE_UINT8, [3, 56, 56])
    assert [(output.name, list(output.dims)) for output in parsed.output] == [("logits", [200]), ("regions", [49, 256])]
    assert {output.data_type for output in parsed.output} == {model_config_pb2.TYPE_FP32}


def test_overload_is_refused_and_never_queued_without_end(parsed):
    policy = parsed.dynamic_batching.default_queue_policy
    assert policy.timeout_action == model_config_pb2.ModelQueuePolicy.REJECT
    assert policy.allow_timeout_override
    assert policy.max_queue_size == MAX_QUEUED
    assert policy.default_timeout_microseconds > 0
    assert parsed.max_batch_size == MAX_ROWS
    # What waits, at its largest.
    assert MAX_QUEUED * MAX_ROWS * 3 * 56 * 56 <= 256 * 1024 * 1024


def test_the_model_is_warm_before_the_server_is_ready(parsed):
    (warm,) = parsed.model_warmup
    assert list(warm.inputs["pixels"].dims) == [3, 56, 56]
    assert warm.inputs["pixels"].data_type == model_config_pb2.TYPE_UINT8


def test_a_gpu_takes_the_half_precision_file_and_a_processor_the_int8_one(parsed):
    assert parsed.default_model_filename == MODEL
    assert set(parsed.cc_model_filenames.values()) == {GPU_MODEL}
    assert {"7.5", "8.0", "9.0"} <= set(parsed.cc_model_filenames)


def test_the_hashes_of_every_version_are_declared(parsed):
    assert parsed.version_policy.HasField("all")
    text = (MODEL_FOLDER / "config.pbtxt").read_text()
    versions = sorted(path.name for path in MODEL_FOLDER.iterdir() if path.is_dir())
    for parameter, digest in ((LABELS_HASH_PARAMETER, labels_hash), (MODEL_HASH_PARAMETER, network_hash)):
        assert declared_hashes(text, parameter) == {name: digest(MODEL_FOLDER / name) for name in versions}


def test_the_version_that_ships_is_small_and_says_what_it_is():
    version = open_image_version(REPOSITORY / "triton_models")
    for name in (MODEL, GPU_MODEL):
        assert 0 < (version.folder / name).stat().st_size < LARGEST_FILE
    labels = version.description.labels
    assert len(labels) == 200
    assert {"goldfish", "lighthouse", "school bus", "pizza", "umbrella"} <= set(labels)
    assert all(name == " ".join(name.split()) for name in labels)
    card = (version.folder / "model_card.md").read_text()
    assert f"from a probability of {version.description.threshold:.2f} on" in card
    assert f"divided by {version.description.temperature:g} " in card
