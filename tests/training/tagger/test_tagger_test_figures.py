"""The figures on test parts: mean and deviation over seeds, strict and lenient, and the card's table of them."""

import pytest
import torch
from tiny_taggers import tiny_tagger

from tagstream.errors import BadSettings
from training.tagger import test_figures as module
from training.tagger.card_sections import test_section as section_of
from training.tagger.encoders import stored_config
from training.tagger.test_figures import score_runs, summary


def scored(first, second):
    """Returns figures of both sets: strict F1 as given, lenient a point less; precision above and recall below it."""

    def counted(f1):
        return {"precision": f1 + 0.02, "recall": f1 - 0.02, "f1": f1}

    return {
        name: {"strict": counted(f1), "lenient": counted(f1 - 0.01)}
        for name, f1 in (("twitter2015", first), ("twitter2017", second))
    }


SEEDS = {"seed 1": scored(0.70, 0.80), "seed 2": scored(0.72, 0.81), "seed 3": scored(0.74, 0.82)}


def rows_of(section):
    return [line for line in section.splitlines() if line.startswith("| twitter")]


def test_mean_and_deviation_over_seeds():
    found = summary(list(SEEDS.values()))
    assert found["twitter2015"]["strict"]["f1"] == pytest.approx({"mean": 0.72, "deviation": 0.02})
    assert found["twitter2015"]["lenient"]["recall"] == pytest.approx({"mean": 0.69, "deviation": 0.02})
    assert summary([scored(0.5, 0.5)])["twitter2017"]["strict"]["f1"]["deviation"] == 0.0


def test_the_card_shows_what_serves_each_seed_and_the_mean():
    section = section_of({"seeds": SEEDS, "summary": summary(list(SEEDS.values())), "int8": scored(0.699, 0.798)})
    rows = rows_of(section)
    assert rows[0] == "| twitter2015 | strict | `model.onnx` | 71.9 | 67.9 | 69.9 |"
    assert rows[1] == "| twitter2015 | strict | seed 1 | 72.0 | 68.0 | 70.0 |"
    assert rows[4] == "| twitter2015 | strict | mean of 3 seeds (deviation) | 74.0 (2.0) | 70.0 (2.0) | 72.0 (2.0) |"
    assert rows[-1] == "| twitter2017 | lenient | mean of 3 seeds (deviation) | 82.0 (1.0) | 78.0 (1.0) | 80.0 (1.0) |"
    assert len(rows) == 2 * 2 * 5
    assert "one seed" not in section


def test_without_runs_the_card_says_that_the_figures_are_of_one_seed():
    section = section_of({"seeds": {}, "summary": {}, "int8": scored(0.699, 0.798)})
    assert "**one seed**" in section
    assert len(rows_of(section)) == 4


def test_a_seed_is_counted_once(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "score_test_parts", lambda _: scored(0.5, 0.5))
    network = tiny_tagger("bert")
    for number, seed in enumerate((1, 2, 2)):
        (tmp_path / str(number)).mkdir()
        state = {"weights": network.state_dict(), "encoder": stored_config(network.config), "recipe": {"seed": seed}}
        torch.save(state, tmp_path / str(number) / "best.pt")
    assert set(score_runs([tmp_path / "0", tmp_path / "1"])) == {"seed 1", "seed 2"}
    with pytest.raises(BadSettings, match="another run has seed 2"):
        score_runs([tmp_path / "1", tmp_path / "2"])
