"""A run becomes files that answer as it does, or no files at all."""

import json
import re

import numpy as np
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from exported import answers_as_itself
from made_up_corpora import save_small_encoder, write_corpora
from torch import nn
from transformers import AutoTokenizer
from variants import VARIANTS

from tagstream.cli.commands import application
from tagstream.errors import BadSettings, CorruptState
from training.experiments.run import Experiment, read_row, restore, train
from training.inputs.sentences import load_sentences
from training.onnx import export
from training.onnx.export import compare, export_run
from training.onnx.graph import write_graph
from training.report.rows import read_recipe
from training.systems.base import TAG_COUNT, System
from workers.tagger.crf_decoder import TAGS, Decoder

QUICK = [VARIANTS[name] for name in ("acn", "msb")]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Trained for a moment, by name: one that reads words, one that reads pieces and a caption, one without tensors."""
    folder = tmp_path_factory.mktemp("runs")
    encoder = save_small_encoder(folder / "encoder")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAGSTREAM_DATA", str(write_corpora(folder / "data")))
        for name in ("bilstm_crf", "bert", "gvatt_bert_crf", "feature_crf_stanford"):
            row = Experiment(recipe=short(read_recipe(name)), corpus="twitter2017", seed=1, encoder=str(encoder))
            train(row, folder / name, folder / "cache")
        yield folder


def short(recipe):
    training = recipe.training.model_copy(update={"epochs": 2, "learning_rate": 0.02})
    inputs = recipe.inputs.model_copy(update={"word_vectors": ""})
    return recipe.model_copy(update={"training": training, "inputs": inputs})


# tests/deep/training has the other systems.
@pytest.mark.parametrize("variant", QUICK, ids=[variant.name for variant in QUICK])
def test_the_graph_answers_as_the_system_at_any_length(variant, sizes, tmp_path):
    answers_as_itself(variant, sizes, tmp_path)


def test_words_are_tagged_by_the_folder_alone(runs, tmp_path):
    compared = export_run(runs / "bilstm_crf", tmp_path / "made", runs / "cache")
    assert (compared.corpus, compared.part, compared.tweets) == ("twitter2017", "dev", 6)
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == [
        "system.json",
        "system.onnx",
        "vocabulary.json",
    ]
    said, known = (json.loads((tmp_path / "made" / name).read_text()) for name in ("system.json", "vocabulary.json"))
    assert said["recipe"]["system"] == "bilstm_crf"
    assert (said["corpus"], said["seed"], said["labels"]) == ("twitter2017", 1, list(TAGS))
    assert [(one["name"], one["type"], one["axes"]) for one in said["graph"]["inputs"]] == [
        ("mask", "bool", ["batch", "tokens"]),
        ("words", "int64", ["batch", "tokens"]),
    ]
    numbers = {word: number for number, word in enumerate(known["words"], known["first_numbers"]["words"])}
    assert b"stack_trace" not in (tmp_path / "made" / "system.onnx").read_bytes()
    session = onnxruntime.InferenceSession(tmp_path / "made" / "system.onnx")
    decoder = Decoder(*(np.array(said["decoder"][name]) for name in ("transitions", "starts", "ends")))
    sentences = load_sentences("twitter2017", "test")
    answers = []
    for sentence in sentences:
        forms = (re.sub(r"\d", "0", token.lower()) for token in sentence.tokens)
        words = np.array([[numbers.get(form, known["unknown"]) for form in forms]])
        (emissions,) = session.run(None, {"words": words, "mask": np.ones_like(words, bool)})
        answers.append(decoder.decode(list(emissions))[0].tags.tolist())
    prepared = restore(read_row(runs / "bilstm_crf"), runs / "bilstm_crf", runs / "cache")
    assert answers == prepared.answers(prepared.part("twitter2017", "test"))
    assert any(any(tags) for tags in answers)


def test_pieces_come_with_their_tokenizer_and_photos_with_their_width(runs, tmp_path):
    export_run(runs / "gvatt_bert_crf", tmp_path / "made", runs / "cache")
    said = json.loads((tmp_path / "made" / "system.json").read_text())
    assert not (tmp_path / "made" / "vocabulary.json").exists()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "made" / said["views"]["tokenizer"])
    assert tokenizer.convert_ids_to_tokens(tokenizer("saw paris")["input_ids"]) == ["[CLS]", "saw", "paris", "[SEP]"]
    (visual,) = (one for one in said["graph"]["inputs"] if one["name"] == "visual")
    assert visual["axes"] == ["batch", "regions", 384]
    assert said["views"]["visual"] == "captions"
    assert said["graph"]["longest"]["pieces"] == 512


def test_without_a_crf_nothing_but_emissions_decides(runs, tmp_path):
    export_run(runs / "bert", tmp_path / "made", runs / "cache")
    assert json.loads((tmp_path / "made" / "system.json").read_text())["decoder"] == {"kind": "softmax"}


def test_a_feature_crf_is_copied(runs, tmp_path):
    compared = export_run(runs / "feature_crf_stanford", tmp_path / "made", runs / "cache")
    assert compared.largest_difference is None
    assert (tmp_path / "made" / "system.crf").read_bytes() == (runs / "feature_crf_stanford" / "best.crf").read_bytes()
    said = json.loads((tmp_path / "made" / "system.json").read_text())
    assert said["decoder"] == {"kind": "crfsuite"}
    assert said["views"] == {"features": "stanford"}


def test_a_graph_that_answers_otherwise_is_refused_and_nothing_is_left(runs, tmp_path, monkeypatch):
    real = export.write_graph

    def spoil(system, *arguments):
        names = real(system, *arguments)
        with torch.no_grad():
            system.score.bias[0] += 0.01
        return names

    monkeypatch.setattr(export, "write_graph", spoil)
    with pytest.raises(CorruptState, match=r"differ by 0\.01"):
        export_run(runs / "bilstm_crf", tmp_path / "made", runs / "cache")
    assert not list(tmp_path.iterdir())


def test_other_tags_are_another_answer_however_small_the_difference(runs, tmp_path):
    run = runs / "bert"
    prepared = restore(read_row(run), run, runs / "cache")
    encoded = prepared.part("twitter2017", "dev").encoded
    system = prepared.system.eval()
    # Two tags that are as good as each other everywhere: rounding decides, and here it is given a push.
    with torch.no_grad():
        system.score.weight[1], system.score.bias[1] = system.score.weight[0], system.score.bias[0] + 1e-5
        system.score.bias[2:] -= 100
        write_graph(system, 1, 512, tmp_path / "system.onnx")
        system.score.bias[0] += 2e-5
    with pytest.raises(CorruptState, match="other tags"):
        compare(system, encoded, tmp_path / "system.onnx")


def test_what_is_no_number_is_no_answer(runs, tmp_path):
    row = read_row(runs / "bilstm_crf")
    prepared = restore(row, runs / "bilstm_crf", runs / "cache")
    encoded = prepared.part("twitter2017", "dev").encoded
    with torch.no_grad():
        prepared.system.score.bias[0] = float("nan")
    write_graph(prepared.system, 1, 512, tmp_path / "system.onnx")
    with pytest.raises(CorruptState, match="emissions differ"):
        compare(prepared.system, encoded, tmp_path / "system.onnx")


class StepByStep(System):
    """Reads the words one after the other in a loop of Python, which has one length when it is recorded."""

    def __init__(self):
        super().__init__()
        self.table, self.decoder = nn.Embedding(60, TAG_COUNT), None

    def encode(self, batch):
        return torch.stack([self.table(batch.words[:, step]) for step in range(batch.words.shape[1])], dim=1)


def test_an_axis_of_one_length_is_said_and_not_fixed_in_silence(tmp_path):
    with pytest.raises(BadSettings, match=r"StepByStep cannot be exported.*tokens"):
        write_graph(StepByStep(), 1, 512, tmp_path / "system.onnx")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_taken_stays_as_it_is(runs, tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "mine.txt").write_text("mine")
    with pytest.raises(BadSettings, match="is there already"):
        export_run(runs / "bilstm_crf", tmp_path / "made", runs / "cache")
    assert (tmp_path / "made" / "mine.txt").read_text() == "mine"
    with pytest.raises(BadSettings, match="not a folder of"):
        export_run(tmp_path, tmp_path / "other", runs / "cache")


def test_the_command_exports(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    made = run(application, ["export", "--run", str(runs / "bilstm_crf"), "--to", "made", "--json"])
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["tweets"] == 6
    again = run(application, ["export", "--run", str(runs / "feature_crf_stanford"), "--to", "made"])
    assert isinstance(again.exception, BadSettings)
    assert "6 tweets of twitter2017 dev" in run(
        application, ["export", "--run", str(runs / "feature_crf_stanford"), "--to", "other"]
    ).output  # fmt: skip
    for words in (["export"], ["export", "--run", "r"], ["export", "--run", "r", "image-encoder"]):
        assert run(application, words).exit_code == 2
