"""Taggers on either encoder as they serve: in half precision and static int8, in process and over Triton."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_exports import write_tiny_tagger
from tiny_taggers import VOCABULARY, outspoken_tagger, tiny_config, tiny_tagger
from triton_fake import FakeTriton

from tagstream.errors import BadSettings, CorruptState
from tagstream.settings import Settings
from training.tagger import base, export
from training.tagger.encoders import restored_config, stored_config
from training.tagger.measuring import keep_figures
from training.tagger.model_card import write_card
from training.tagger.network import load_run
from training.triton_config import configuration
from workers.models.repository import open_version
from workers.models.version_folder import GPU_MODEL, MODEL
from workers.open_models import open_tagger
from workers.tagger.encoding import FEATURE_ROWS, FEATURES, READING, ModelInput
from workers.tagger.openvino_network import OpenVinoNetwork
from workers.tagger.texts import post_of
from workers.triton.contract import tagger_on_triton

TAGGERS = {"mner": "bert", "mner_base": "mpnet"}
TEXTS = ["ada in paris", "#adaLovelace says no", "bob " * 150, "", "rome berlin rome", "nothing to see here at all"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A model repository with a small tagger and one on the base encoder, as small."""
    folder = tmp_path_factory.mktemp("taggers") / "models"
    for generation, (name, kind) in zip((1, 3), TAGGERS.items(), strict=True):
        write_tiny_tagger(folder, name, kind, generation=generation)
    return folder


def inputs(rows, length, seed=1):
    chance = np.random.default_rng(seed)
    filled = np.arange(length) < chance.integers(3, length + 1, (rows, 1))
    return ModelInput(
        (chance.integers(1, len(VOCABULARY), (rows, length)) * filled).astype(np.int32),
        (chance.integers(0, 3, (rows, length)) * filled).astype(np.int32),
        (chance.integers(1, FEATURE_ROWS, (rows, length, FEATURES)) * filled[..., None]).astype(np.int32),
    )


def expected_of(kind, batch):
    """What the network says in torch; its weights are those that were exported."""
    network = outspoken_tagger(kind)
    with torch.inference_mode():
        arrays = (batch.pieces, batch.segments, batch.features)
        return network(*(torch.from_numpy(array).long() for array in arrays)).numpy()


@pytest.mark.parametrize("name", list(TAGGERS))
@pytest.mark.parametrize(("rows", "length"), [(1, 16), (5, 48), (2, 128)])
def test_both_files_say_what_the_network_says_at_any_shape(repository, name, rows, length):
    batch = inputs(rows, length)
    visible = batch.pieces != 0
    expected = expected_of(TAGGERS[name], batch)[visible]
    folder = open_version(repository, name).folder
    half = OpenVinoNetwork(folder / GPU_MODEL, 1)(batch)[visible]
    int8 = OpenVinoNetwork(folder / MODEL, 1)(batch)[visible]
    spread = expected.std()
    assert np.abs(half - expected).max() < 0.02 * spread
    assert np.abs(int8 - expected).mean() < 0.25 * spread
    assert np.corrcoef(int8.ravel(), expected.ravel())[0, 1] > 0.95


@pytest.mark.parametrize("name", list(TAGGERS))
def test_int8_answers_of_a_row_do_not_depend_on_its_batch(repository, name):
    network = OpenVinoNetwork(open_version(repository, name).folder / MODEL, 1)
    batch = inputs(9, 32)
    together = network(batch)
    for row in range(9):
        part = slice(row, row + 1)
        alone = network(ModelInput(batch.pieces[part], batch.segments[part], batch.features[part]))
        assert np.array_equal(alone[0], together[row])


@pytest.mark.parametrize("name", list(TAGGERS))
def test_either_tagger_is_served_by_its_name(repository, name):
    tagger = open_tagger(Settings(models=str(repository), tagger=name, inference_threads=1))
    assert (tagger.model, tagger.generation) == (f"{name}@1", {"mner": 1, "mner_base": 3}[name])
    posts = [post_of(text) for text in TEXTS]
    together = tagger.tag(tagger.prepare(posts))
    assert together == [tagger.tag(tagger.prepare([post]))[0] for post in posts]
    assert any(post.entities for post in together)


def test_a_tagger_that_the_repository_lacks_is_a_setting_to_mend(repository):
    with pytest.raises(BadSettings, match="mner_large: no model here"):
        open_tagger(Settings(models=str(repository), tagger="mner_large"))


def test_a_server_is_asked_for_the_tagger_that_is_named_and_must_have_the_same_export(repository):
    server = FakeTriton(tagger_on_triton(open_version(repository, "mner_base")).hashes)
    there = {"models": f"grpc://{server.address}", "model_repository": repository, "model_deadline_seconds": 20}
    try:
        tagger = open_tagger(Settings(tagger="mner_base", **there))
        try:
            assert tagger.model == "mner_base@1"
            tagger.tag(tagger.prepare([post_of("ada in paris")]))
        finally:
            tagger.network.close()
        assert server.inferences > 0
        with pytest.raises(CorruptState, match="not of one export"):
            open_tagger(Settings(tagger="mner", **there))
    finally:
        server.stop()


def test_each_tagger_has_a_configuration_of_its_own_and_the_reading_it_was_trained_for(repository):
    for name in TAGGERS:
        assert (repository / name / "config.pbtxt").read_text() == configuration(repository / name)
        assert json.loads((repository / name / "1" / "tagger.json").read_text())["reading"] == READING


@pytest.fixture
def run(tmp_path):
    """A finished run of a tagger on the base encoder, whose pretrained files are not needed."""
    network = tiny_tagger("mpnet")
    state = {
        "weights": network.state_dict(),
        "recipe": {
            "system": "three_segment_tagger",
            "encoder": "all-mpnet-base-v2",
            "layers": 12,
            "seed": 1,
            "posts": {"btc": 3},
        },
        "encoder": stored_config(network.config),
    }
    (tmp_path / "run").mkdir()
    torch.save(state, tmp_path / "run" / "best.pt")
    return tmp_path / "run"


@pytest.mark.parametrize("kind", ["bert", "mpnet"])
def test_a_configuration_comes_back_from_a_checkpoint(kind):
    config = tiny_config(kind)
    again = restored_config(stored_config(config))
    assert type(again) is type(config)
    assert again.to_dict() == config.to_dict()
    assert again._attn_implementation == "eager"


def test_a_run_is_loaded_without_the_pretrained_files(run, monkeypatch, tmp_path):
    monkeypatch.setenv("TAGSTREAM_ENCODERS", str(tmp_path / "nothing"))
    network, state = load_run(run)
    assert state["recipe"]["seed"] == 1
    assert not network.training
    assert all(
        torch.equal(one, other)
        for one, other in zip(network.parameters(), tiny_tagger("mpnet").parameters(), strict=True)
    )


def test_a_run_without_weights_or_with_damaged_ones_is_named(run):
    with pytest.raises(BadSettings, match="train first"):
        load_run(run.parent / "absent")
    (run / "best.pt").write_bytes((run / "best.pt").read_bytes()[:500])
    with pytest.raises(CorruptState, match=r"best\.pt: not the weights of a tagger"):
        load_run(run)
    torch.save({"weights": {}, "recipe": {"encoder": "all-MiniLM-L6-v2"}}, run / "best.pt")
    with pytest.raises(CorruptState, match=r"best\.pt: not the weights of a tagger"):
        load_run(run)


def figures(f1):
    entity_free = {"false_entities_per_1000": 20.0}
    types = {kind: {"f1": f1} for kind in ("PER", "LOC", "ORG", "MISC")}
    one = {"strict": {"f1": f1, "types": types}, "lenient": {"f1": f1}, "entity_free": entity_free, "per_loc_org": f1}
    return dict.fromkeys(("twitter2015", "twitter2017", "btc", "wnut16", "wnut17", "tweebank"), one)


@pytest.fixture
def exporting(monkeypatch, tmp_path):
    """Exports of made-up quality; `exporting.int8` is what the int8 file scores."""
    said = SimpleNamespace(int8=0.8, measured=[])

    def write(_network, folder, _inputs, _vocabulary, description):
        folder.mkdir(parents=True)
        for name in (MODEL, GPU_MODEL):
            (folder / name).write_text(f"{name} of generation {description.generation}")
        (folder / "vocabulary.txt").write_text("[PAD]\n")
        (folder / "tagger.json").write_text(description.model_dump_json())
        export.write_configuration(folder.parent)

    def measure(repository, version, name):
        said.measured.append(repository)
        found = {"fp16": figures(0.8), "int8": figures(said.int8)}
        keep_figures(repository, version, "development", found, name)
        return found

    def calibrate(repository, version, name):
        write_card(repository, version, name)

    monkeypatch.setattr(export, "write_version", write)
    monkeypatch.setattr(export, "measure", measure)
    monkeypatch.setattr(export, "calibrate", calibrate)
    monkeypatch.setattr(export, "calibration_inputs", lambda *_: [])
    monkeypatch.setattr(export, "score_development", lambda *_: figures(0.8))
    said.repository = tmp_path / "models"
    return said


def test_an_export_is_put_into_the_repository_whole(run, exporting):
    repository = exporting.repository
    assert export.export(run, repository, 2, "mner_base")["fp16"]["btc"]["strict"]["f1"] == 0.8
    version = open_version(repository, "mner_base")
    assert (version.version, version.description.generation) == (2, 3)
    card = (version.folder / "model_card.md").read_text()
    for part in (
        "# mner_base, version 2",
        "all-mpnet-base-v2, 12 layers, ",
        "--name mner_base --version 2",
        "btc 3",
        "80.0",
    ):
        assert part in card
    assert "{" not in card
    assert json.loads((run / "figures.json").read_text())["int8"]["btc"]["strict"]["f1"] == 0.8
    assert repository not in exporting.measured
    assert sorted(path.name for path in version.folder.parent.iterdir()) == ["2", "config.pbtxt"]
    assert sorted(path.name for path in run.iterdir()) == ["best.pt", "figures.json"]


def test_an_export_whose_int8_costs_too_much_leaves_the_repository_as_it_was(run, exporting):
    export.export(run, exporting.repository, 1, "mner_base")
    before = {path: path.read_bytes() for path in exporting.repository.rglob("*") if path.is_file()}
    exporting.int8 = 0.79
    with pytest.raises(SystemExit, match=r"int8 costs 1\.00 F1"):
        export.export(run, exporting.repository, 1, "mner_base", generation=9)
    assert {path: path.read_bytes() for path in exporting.repository.rglob("*") if path.is_file()} == before


def test_the_base_tagger_is_trained_then_exported_to_replace_the_small_one(run, exporting, monkeypatch):
    trained = []
    monkeypatch.setattr(base, "train", lambda recipe, folder: trained.append((recipe.encoder, folder)))
    with pytest.raises(BadSettings, match="mner: no model here"):
        base.make_base(run, exporting.repository, 1)
    assert trained == []
    export.export(run, exporting.repository, 2, "mner")
    base.make_base(run, exporting.repository, 1)
    assert trained == [("all-mpnet-base-v2", run)]
    small, large = (open_version(exporting.repository, name) for name in TAGGERS)
    assert (small.description.generation, large.description.generation) == (3, 5)
