"""A start of `tagstream train` or of the experiments that fails says what is wrong and hinders no later one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_up_corpora import save_small_encoder, write_corpora

from tagstream.cli.commands import application
from tagstream.cli.errors import run_guarded
from tagstream.errors import BadSettings, CorruptState
from training.experiments import __main__ as experiments
from training.experiments.run import ROW_FILE, VOCABULARY
from training.report import speed
from training.report.rows import all_runs

UNKNOWN_OPTION = """
system = "bert_crf"
title = "x"
reads = "pieces"
[options]
heads_of_state = 4
[training]
learning_rate = 0.01
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write_corpora(tmp_path / "data")
    monkeypatch.setenv("TAGSTREAM_DATA", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def encoder(tmp_path: Path) -> str:
    return str(save_small_encoder(tmp_path / "encoder"))


def train(*arguments: str) -> int:
    return run_guarded(application, ["train", *arguments, "--run", "runs/first", "--epochs", "1", "--threads", "1"])


def write_recipe(text: str) -> str:
    Path("mine.toml").write_text(text, encoding="utf-8")
    return "mine.toml"


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (lambda: "nosuch", "nosuch: no such recipe; name a .toml file or one of acn, "),
        (lambda: "nosuch.toml", "nosuch.toml: not a recipe of a system"),
        (lambda: write_recipe("system = "), "mine.toml: not a recipe of a system"),
        (lambda: write_recipe('system = "acn"'), "training Field required"),
        (lambda: write_recipe(UNKNOWN_OPTION), "heads_of_state"),
        (lambda: write_recipe(UNKNOWN_OPTION.replace("bert_crf", "nosuch")), "nosuch: no such system"),
    ],
)
def test_a_bad_recipe_is_named_and_leaves_nothing(encoder, capsys, recipe, message):
    assert train(recipe(), "--encoder", encoder) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "error: unexpected" not in said
    assert not Path("runs").exists()


def test_missing_data_is_named_and_the_next_start_with_another_corpus_succeeds(data, encoder, capsys):
    (data / "mner" / "twitter2015" / "train.txt").unlink()
    assert train("bert_crf", "--corpus", "twitter2015", "--encoder", encoder) == 3
    assert "twitter2015/train.txt" in capsys.readouterr().err
    assert train("bert_crf", "--corpus", "nosuch", "--encoder", encoder) == 2
    assert not Path("runs").exists()
    assert train("bert_crf", "--corpus", "twitter2017", "--encoder", encoder) == 0
    assert Path("runs/first/best.pt").exists()


@pytest.mark.usefixtures("data")
def test_an_encoder_that_is_not_there_is_named_and_leaves_nothing(capsys):
    Path("empty").mkdir()
    assert train("bert_crf", "--encoder", str(Path("empty").absolute())) == 2
    said = capsys.readouterr().err
    assert "empty" in said
    assert "error: unexpected" not in said
    assert not Path("runs").exists()


@pytest.mark.usefixtures("data")
def test_what_a_killed_start_left_is_written_over(encoder):
    folder = Path("runs/first")
    folder.mkdir(parents=True)
    # As another row left it, killed before its first checkpoint.
    (folder / ROW_FILE).write_text(json.dumps({"recipe": "another"}), encoding="utf-8")
    (folder / VOCABULARY).write_text('{"words": [', encoding="utf-8")
    (folder / "last.partial").write_bytes(b"half")
    assert train("bert_crf", "--encoder", encoder) == 0
    assert train("bert_crf", "--encoder", encoder) == 0


@pytest.mark.parametrize("prefix", ["nosuchrow", "BERT"])
def test_a_prefix_of_no_row_is_refused_with_a_list(prefix, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadSettings, match=rf"{prefix}: no row of the table begins so; .* such as .*bert_crf.*umt"):
        experiments.main(["--only", prefix])
    assert not list(tmp_path.iterdir())


def test_rows_are_chosen_by_the_beginning_of_their_names():
    chosen = experiments.rows_named("bert_crf-twitter2017")
    assert {(row.recipe, row.corpus) for row in chosen} == {("bert_crf", "twitter2017")}
    assert experiments.rows_named("") == list(all_runs())


def test_the_target_of_the_makefile_fails_for_a_prefix_of_no_row(tmp_path):
    """In a process of its own, as make starts it."""
    root = Path(experiments.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "training.experiments", "--only", "nosuchrow"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: nosuchrow: no row of the table begins so")
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"corpus": "twitter2015"}'])
def test_a_damaged_measurement_of_speed_is_named(tmp_path, content):
    path = tmp_path / "speed.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CorruptState, match=r"speed\.json: not a measurement of speed: restore it, or measure again"):
        speed.read_speed(path)


@pytest.mark.parametrize("recipe", ["bert_crf", "feature_crf_tner"])
def test_absent_data_are_named_with_the_setting_and_leave_nothing(tmp_path, monkeypatch, capsys, recipe):
    monkeypatch.setenv("TAGSTREAM_DATA", str(tmp_path / "nowhere"))
    monkeypatch.chdir(tmp_path)
    assert train(recipe) == 3
    (said,) = capsys.readouterr().err.splitlines()
    assert "nowhere/mner/twitter2017/train.txt: no such file" in said
    assert "set TAGSTREAM_DATA (the setting `data`)" in said
    assert list(tmp_path.iterdir()) == []
