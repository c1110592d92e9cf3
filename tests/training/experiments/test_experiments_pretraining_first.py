"""A recipe that begins with pretraining: one command carries out both, and the first part once."""

from pathlib import Path

import pytest
from made_up_corpora import save_small_encoder, write_corpora
from pydantic import ValidationError

from tagstream.errors import BadSettings
from training.experiments import run
from training.experiments.recipe import PretrainingSettings, SystemRecipe
from training.experiments.run import Experiment, train
from training.layers.piece_encoder import load_encoder
from training.report.rows import read_recipe


def test_an_encoder_that_is_not_there_yet_is_made_and_one_that_is_there_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_corpora(tmp_path / "data")
    monkeypatch.setenv("TAGSTREAM_DATA", str(data))
    (data / "text/tweeteval").mkdir(parents=True)
    (data / "text/tweeteval/train_text.txt").write_text("we saw oslo\nwe saw anna near acme\n")
    recipe = read_recipe("msb_tiny_crf")
    folder = tmp_path / "pretrained" / "encoder"
    changes = {
        "options": {**recipe.options, "weights": str(folder)},
        "pretraining": PretrainingSettings(size="tiny", epochs=1, ner_epochs=1),
        "training": recipe.training.model_copy(update={"epochs": 1}),
    }
    encoder = save_small_encoder(tmp_path / "small")
    row = Experiment(recipe=recipe.model_copy(update=changes), corpus="twitter2017", seed=1, encoder=str(encoder))
    train(row, tmp_path / "run", tmp_path / "cache")
    weights = (folder / "model.safetensors").read_bytes()
    assert len((folder.parent / "log.jsonl").read_text().splitlines()) == 2

    monkeypatch.setattr(run, "pretrain", lambda *_: pytest.fail("pretrained again"))
    train(row.model_copy(update={"seed": 2}), tmp_path / "second", tmp_path / "cache")
    assert (folder / "model.safetensors").read_bytes() == weights


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_all_recipes_of_a_size_share_one_encoder(size: str) -> None:
    one, other = read_recipe(f"msb_{size}"), read_recipe(f"msb_{size}_crf")
    assert one.pretraining == other.pretraining
    assert one.pretraining is not None
    assert one.pretraining.size == one.options["size"] == size
    assert one.options["weights"] == other.options["weights"]
    assert Path(one.options["weights"]).name == "encoder"
    assert read_recipe(f"msb_{size}_crf_from_scratch").pretraining is None


@pytest.mark.parametrize("weights", ["", "runs/mine"])
def test_pretraining_that_makes_other_weights_than_are_read_is_refused(weights: str) -> None:
    recipe = read_recipe("msb_tiny").model_dump()
    recipe["options"]["weights"] = weights
    with pytest.raises(ValidationError, match="weights"):
        SystemRecipe.model_validate(recipe)


def test_an_encoder_that_is_cut_off_is_refused_by_name(tmp_path: Path) -> None:
    folder = save_small_encoder(tmp_path / "encoder")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:200])
    with pytest.raises(BadSettings, match="encoder"):
        load_encoder(folder)
