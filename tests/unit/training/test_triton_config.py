"""The configuration that ships is the one that our code writes, and a protocol buffer that Triton's client can read."""

import shutil

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from tagstream.settings import REPOSITORY
from training.triton_config import MAX_QUEUED, MAX_ROWS, configuration
from workers.models.repository import HASH_PARAMETER, model_hash, open_version
from workers.models.version_folder import GPU_MODEL, MODEL, declared_hashes
from workers.tagger.encoding import BUCKET, FEATURES, MAX_LENGTH

MODEL_FOLDER = REPOSITORY / "triton_models" / "mner"
SHIPPED = open_version(MODEL_FOLDER.parent).folder


@pytest.fixture(scope="module")
def parsed():
    text = (MODEL_FOLDER / "config.pbtxt").read_text()
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def test_the_file_that_ships_is_the_one_that_is_written():
    assert (MODEL_FOLDER / "config.pbtxt").read_text() == configuration(MODEL_FOLDER)


def test_overload_is_refused_and_never_queued_without_end(parsed):
    policy = parsed.dynamic_batching.default_queue_policy
    assert policy.timeout_action == model_config_pb2.ModelQueuePolicy.REJECT
    assert policy.allow_timeout_override
    assert policy.max_queue_size == MAX_QUEUED
    assert policy.default_timeout_microseconds > 0
    # What waits, at its largest: piece, segment and features of each token, 4 bytes each.
    assert MAX_QUEUED * MAX_ROWS * MAX_LENGTH * (2 + FEATURES) * 4 <= 64 * 1024 * 1024


def test_every_length_is_warm_before_the_server_is_ready(parsed):
    lengths = [warm.inputs["pieces"].dims[0] for warm in parsed.model_warmup]
    assert lengths == list(range(BUCKET, MAX_LENGTH + 1, BUCKET))
    for warm, length in zip(parsed.model_warmup, lengths, strict=True):
        assert list(warm.inputs["segments"].dims) == [length]
        assert list(warm.inputs["features"].dims) == [length, FEATURES]


def test_a_gpu_takes_the_half_precision_file_and_a_processor_the_int8_one(parsed):
    assert parsed.default_model_filename == MODEL
    assert set(parsed.cc_model_filenames.values()) == {GPU_MODEL}
    assert {"7.5", "8.0", "9.0"} <= set(parsed.cc_model_filenames)
    assert (SHIPPED / GPU_MODEL).is_file()


def test_each_version_has_its_own_hashes_and_all_are_served(tmp_path, parsed):
    assert parsed.version_policy.HasField("all")
    model = tmp_path / "mner"
    shutil.copytree(SHIPPED, model / "1")
    shutil.copytree(SHIPPED, model / "12")
    (model / "12" / "vocabulary.txt").write_text("[PAD]\n")
    (model / "config.pbtxt").write_text(configuration(model))
    assert declared_hashes((model / "config.pbtxt").read_text(), HASH_PARAMETER) == {
        "1": model_hash(model / "1"),
        "12": model_hash(model / "12"),
    }
    assert open_version(tmp_path).version == 12
    assert open_version(tmp_path, version=1).version == 1
