"""The commands of the measures: a mistake ends in one line that says what to mend, and never in a traceback."""

import sys
from importlib import import_module

import pytest
from scored_parts import write_scored_parts

from tagstream.errors import BadSettings, CorruptState, UnreadableInput
from training.script import run_script
from training.tagger.measuring import judged_rows, parse_version, read_figures, version_arguments

MEASURES = {
    "robustness": [],
    "hashtag_names": [],
    "image_words": [],
    "calibrate": [],
    "errors": ["--sample", "errors.tsv"],
    "false_names": ["--sample", "names.tsv"],
    "test_figures": [],
    "model_card": [],
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A repository with versions 2 and 10 of a tagger, whose networks are no networks; made-up data."""
    for version in ("2", "10", "draft"):
        folder = tmp_path / "models" / "mner" / version
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(b"not a network")
    write_scored_parts(tmp_path / "data")
    monkeypatch.setenv("TAGSTREAM_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(module, monkeypatch, *arguments):
    """Returns the one line in which a command ends."""
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    with pytest.raises(SystemExit) as ended:
        run_script(import_module(f"training.tagger.{module}").main)
    message = ended.value.code
    assert isinstance(message, str)
    assert message.startswith("error: ")
    assert "\n" not in message
    return message


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("module", MEASURES)
def test_a_wrong_version_is_named(module, monkeypatch):
    given = ["--repository", "models", *MEASURES[module]]
    assert "-1 is less than 1" in said(module, monkeypatch, *given, "--version", "-1")
    assert "'two' is no whole number" in said(module, monkeypatch, *given, "--version", "two")
    assert "no version 7: there are 2, 10" in said(module, monkeypatch, *given, "--version", "7")
    assert "mner_base: no model here" in said(module, monkeypatch, *given, "--name", "mner_base")
    assert "`make tagger-base` makes it" in said(module, monkeypatch, *given, "--name", "mner_base")
    assert "unrecognized arguments: --more" in said(module, monkeypatch, *given, "--more")


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("module", MEASURES)
def test_a_damaged_version_is_named(module, monkeypatch):
    captions = [] if module != "image_words" else ["no such file"]
    message = said(module, monkeypatch, "--repository", "models", *MEASURES[module])
    assert "models/mner/10" in message or (captions and captions[0] in message)


@pytest.mark.parametrize("module", MEASURES)
def test_data_that_is_not_there_is_named(module, place, monkeypatch):
    monkeypatch.setenv("TAGSTREAM_DATA", str(place / "nowhere"))
    message = said(module, monkeypatch, "--repository", "models", *MEASURES[module])
    assert str(place / "nowhere") in message
    assert "TAGSTREAM_DATA" in message


@pytest.mark.usefixtures("place")
def test_the_newest_version_is_measured_where_none_is_named():
    parser = version_arguments("")
    assert parse_version(parser, ["--repository", "models"]).version == 10
    assert parse_version(parser, ["--repository", "models", "--version", "2"]).version == 2


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("errors", ["--errors", "0"], "0 is less than 1"),
        ("errors", [], "one of the arguments --sample --judged is required"),
        ("errors", ["--judged", "absent.tsv"], "absent.tsv: cannot be read"),
        ("false_names", ["--judged", "models"], "models: cannot be read"),
        ("calibrate", ["--most-false", "nan"], "nan is not from 0 to 1000"),
        ("calibrate", ["--most-false", "many"], "'many' is no number"),
        ("speed", ["--threads", "0"], "0 is less than 1"),
        ("speed", ["--threads", "-2"], "-2 is less than 1"),
        ("speed", ["--posts", "none"], "'none' is no whole number"),
        ("speed", ["mner_base"], "`make tagger-base` makes it"),
        ("train", ["recipe.toml", "--run", "r", "--threads", "-1"], "-1 is less than 0"),
        ("train", ["absent.toml", "--run", "r"], "absent.toml: not a recipe"),
        ("base", ["--version", "0"], "0 is less than 1"),
        ("base", ["--threads", "-1"], "-1 is less than 0"),
        ("export", ["--run", "r", "--version", "0"], "0 is less than 1"),
        ("export", ["--run", "r"], "train first"),
        ("pseudo_labels", ["--teacher", "r", "--to", "f", "--posts", "0"], "0 is less than 1"),
    ],
)
def test_other_arguments_that_make_no_sense_are_named(module, arguments, message, monkeypatch):
    if module not in ("train", "pseudo_labels"):
        arguments = ["--repository", "models", *arguments]
    assert message in said(module, monkeypatch, *arguments)


def test_files_that_are_not_what_they_should_be_are_named(place):
    path = place / "models/mner/2/figures.json"
    for text in ("{", "[]", "1"):
        path.write_text(text)
        with pytest.raises(CorruptState, match=r"figures\.json: not the figures of a version"):
            read_figures(place / "models", 2)
    (place / "table.tsv").write_bytes(b"cause\tkind\n\xff\n")
    with pytest.raises(UnreadableInput, match=r"table\.tsv: cannot be read as the table"):
        list(judged_rows(place / "table.tsv"))


def test_an_error_of_the_system_is_one_line(capsys):
    def full():
        raise OSError(28, "No space left on device", "figures.json")

    with pytest.raises(SystemExit, match=r"^error: .*No space left on device: 'figures\.json'$"):
        run_script(full)
    with pytest.raises(BadSettings, match="see --help"):
        version_arguments("").parse_args(["--version"])
    with pytest.raises(SystemExit) as ended:
        version_arguments("What this does.").parse_args(["--help"])
    assert ended.value.code == 0
    assert "What this does." in capsys.readouterr().out
