"""A version folder is whole, or it is refused with the reason."""

import json
import shutil

import pytest

from tagstream.errors import BadSettings, CorruptState
from workers.models.repository import HASH_PARAMETER, model_hash, open_version
from workers.models.version_folder import GPU_MODEL_HASH_PARAMETER, MODEL_HASH_PARAMETER, gpu_network_hash, network_hash
from workers.tagger.crf_decoder import TAGS
from workers.tagger.encoding import READING
from workers.tagger.scoring import Scoring
from workers.triton.contract import tagger_on_triton

DESCRIPTION = {
    "labels": list(TAGS),
    "transitions": [[0.0] * 9] * 9,
    "starts": [0.0] * 9,
    "ends": [0.0] * 9,
    "generation": 1,
    "reading": READING,
}


def write_version(repository, version=1, **changes):
    folder = repository / "mner" / str(version)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"")
    (folder / "model.fp16.onnx").write_bytes(b"")
    (folder / "vocabulary.txt").write_text("[PAD]\n")
    (folder / "tagger.json").write_text(json.dumps({**DESCRIPTION, **changes}))
    declare(repository)
    return folder


def declare(repository):
    lines = [
        f'parameters {{ key: "{parameter}_{folder.name}" value {{ string_value: "{digest(folder)}" }} }}'
        for parameter, digest in (
            (HASH_PARAMETER, model_hash),
            (MODEL_HASH_PARAMETER, network_hash),
            (GPU_MODEL_HASH_PARAMETER, gpu_network_hash),
        )
        for folder in (repository / "mner").iterdir()
        if folder.is_dir()
    ]
    (repository / "mner/config.pbtxt").write_text("\n".join(lines))


def test_the_newest_version_or_the_one_that_is_named(tmp_path):
    for version in (1, 2, 10):
        write_version(tmp_path, version, generation=2 * version + 1)
    assert open_version(tmp_path).version == 10
    assert open_version(tmp_path, version=2).description.generation == 5
    with pytest.raises(BadSettings, match="no version 3: there are 1, 2, 10"):
        open_version(tmp_path, version=3)


def test_an_empty_repository_is_a_setting_to_mend(tmp_path):
    with pytest.raises(BadSettings, match="no model here"):
        open_version(tmp_path)


def test_a_version_brings_its_calibration_and_its_least_score(tmp_path):
    write_version(tmp_path, 1)
    write_version(tmp_path, 2, calibration={"slope": 0.5, "offsets": {"LOC": 1.0}}, min_score=0.4)
    assert open_version(tmp_path, version=1).scoring(None) == Scoring(1.0, {}, 0.0)
    assert open_version(tmp_path, version=2).scoring(None) == Scoring(0.5, {"LOC": 1.0}, 0.4)
    assert open_version(tmp_path, version=2).scoring(0.0) == Scoring(0.5, {"LOC": 1.0}, 0.0)


@pytest.mark.parametrize("name", ["vocabulary.txt", "tagger.json", "model.onnx", "model.fp16.onnx"])
def test_a_file_of_another_export_is_fatal(tmp_path, name):
    folder = write_version(tmp_path)
    (folder / name).write_text((folder / name).read_text() + " ")
    with pytest.raises(CorruptState, match="not of one export"):
        open_version(tmp_path)


def test_a_network_for_gpus_that_nothing_declares_is_fatal(tmp_path):
    folder = write_version(tmp_path)
    configuration = tmp_path / "mner/config.pbtxt"
    lines = [line for line in configuration.read_text().splitlines() if GPU_MODEL_HASH_PARAMETER not in line]
    configuration.write_text("\n".join(lines))
    with pytest.raises(CorruptState, match=r"the hash of model\.fp16\.onnx is .* declares None"):
        open_version(tmp_path)
    (folder / "model.fp16.onnx").unlink()
    assert open_version(tmp_path).gpu_model_hash is None


def test_where_the_network_for_gpus_is_elsewhere_its_hash_is_known_all_the_same(tmp_path):
    folder = write_version(tmp_path)
    digest = gpu_network_hash(folder)
    (folder / "model.fp16.onnx").unlink()
    version = open_version(tmp_path)
    assert version.gpu_model_hash == digest
    assert tagger_on_triton(version).hashes["gpu_model_sha256_1"] == digest


@pytest.mark.parametrize("name", ["vocabulary.txt", "tagger.json"])
def test_a_missing_file_is_fatal(tmp_path, name):
    (write_version(tmp_path) / name).unlink()
    with pytest.raises(CorruptState, match="not a whole model version"):
        open_version(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"calibration": {"slope": 0.0, "offsets": {}}},
        {"calibration": {"slope": 1.0, "offsets": {"GPE": 0.0}}},
        {"min_score": 1.1},
        {"labels": list(reversed(TAGS))},
        {"starts": [0.0]},
        {"generation": 4095},
        {"generation": 2},
        {"surprise": 1},
    ],
)
def test_a_description_that_is_not_ours_is_fatal(tmp_path, changes):
    write_version(tmp_path, **changes)
    with pytest.raises(CorruptState):
        open_version(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reading": READING - 1}, "trained for an earlier reading of posts"),
        ({"reading": READING + 1}, "trained for a later reading of posts"),
        ({"reading": None}, "trained for an earlier reading of posts"),
    ],
)
def test_a_version_that_was_trained_for_another_reading_of_posts_says_so(tmp_path, changes, message):
    folder = write_version(tmp_path, **changes)
    if changes["reading"] is None:  # as the first exports, which did not say
        description = json.loads((folder / "tagger.json").read_text())
        del description["reading"]
        (folder / "tagger.json").write_text(json.dumps(description))
        declare(tmp_path)
    with pytest.raises(CorruptState, match=f"{message}.*train it again and export it, or serve it with"):
        open_version(tmp_path)


def test_taggers_of_several_names_stand_side_by_side(tmp_path):
    write_version(tmp_path)
    shutil.copytree(tmp_path / "mner", tmp_path / "mner_base")
    assert open_version(tmp_path).name == "mner"
    assert open_version(tmp_path, "mner_base").folder == tmp_path / "mner_base" / "1"
