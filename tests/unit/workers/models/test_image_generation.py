"""Which generation a version of the image model gets, and what Triton is told of any version."""

import json
import shutil

import pytest
from google.protobuf import text_format
from image_models import write_version
from tritonclient.grpc import model_config_pb2

from tagstream.errors import BadSettings, CorruptState
from training.image.triton_config import generation_for, write_configuration
from training.triton_config import COMPUTE_CAPABILITIES, INSTANCES
from workers.models.image_repository import LABELS, NAME, open_image_version
from workers.models.version_folder import GPU_MODEL, MAX_GENERATION, MODEL


@pytest.fixture
def model(tmp_path):
    """Versions 1 and 3, of the generations 3 and 7."""
    write_version(tmp_path, 1, generation=3)
    write_version(tmp_path, 3, generation=7)
    return tmp_path / NAME


def test_the_first_is_3_and_each_next_one_outranks_all_that_are_there(model, tmp_path):
    assert generation_for(tmp_path / "nowhere" / NAME, 1) == 3
    assert generation_for(model, 4) == generation_for(model, 2) == generation_for(model, 3) == 9


@pytest.mark.parametrize("generation", [3, 5, 7])
def test_what_does_not_outrank_all_that_are_there_is_refused(model, generation):
    with pytest.raises(BadSettings, match=rf"version 4 would have the generation {generation}, and version 3 has 7"):
        generation_for(model, 4, generation)


def test_a_version_may_be_made_again_as_it_is_and_never_lower(model):
    assert generation_for(model, 3, 7) == 7
    with pytest.raises(BadSettings, match="version 3 would have the generation 5"):
        generation_for(model, 3, 5)
    with pytest.raises(BadSettings, match="version 1 would have the generation 3, and version 3 has 7"):
        generation_for(model, 1, 3)


@pytest.mark.parametrize("generation", [8, 4095, 10_001])
def test_even_ones_and_those_that_cannot_be_stored_are_refused(model, generation):
    with pytest.raises(BadSettings, match="must be odd, 3 at least and 4093 at most"):
        generation_for(model, 4, generation)


def test_when_the_counter_is_used_up_there_is_no_next_one(tmp_path):
    write_version(tmp_path, generation=MAX_GENERATION)
    with pytest.raises(BadSettings, match="4095: it must be odd"):
        generation_for(tmp_path / NAME, 2)


@pytest.mark.parametrize("generation", [None, 1, 2, 4, 4095])
def test_a_description_without_a_generation_of_ours_is_refused(model, tmp_path, generation):
    path = model / "3" / LABELS
    path.write_text(json.dumps({**json.loads(path.read_text()), "generation": generation}))
    for ask in (lambda: generation_for(model, 4), lambda: open_image_version(tmp_path)):
        with pytest.raises(CorruptState, match="generation"):
            ask()


def test_a_rollback_is_the_older_version_under_a_new_number_and_a_higher_generation(model, tmp_path):
    """As docs/explanation/models.md says."""
    shutil.copytree(model / "1", model / "4")
    path = model / "4" / LABELS
    path.write_text(path.read_text().replace('"generation":3', '"generation":9'))
    with pytest.raises(CorruptState, match="declares None"):
        open_image_version(tmp_path)
    write_configuration(model)
    version = open_image_version(tmp_path)
    assert (version.version, version.description.generation) == (4, 9)
    assert (version.folder / MODEL).read_bytes() == (model / "1" / MODEL).read_bytes()


def test_the_server_is_told_what_it_is_told_of_the_tagger(model):
    parsed = text_format.Parse((model / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    assert [group.count for group in parsed.instance_group] == [INSTANCES]
    assert parsed.HasField("dynamic_batching")
    assert parsed.version_policy.HasField("all")
    assert parsed.default_model_filename == MODEL
    assert dict(parsed.cc_model_filenames) == dict.fromkeys(COMPUTE_CAPABILITIES, GPU_MODEL)
    (warm,) = parsed.model_warmup
    (pixels,) = parsed.input
    assert list(warm.inputs["pixels"].dims) == list(pixels.dims)
    assert warm.inputs["pixels"].data_type == pixels.data_type
    assert len(parsed.parameters) == 6
