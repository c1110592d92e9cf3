"""The road from a recipe to a row of the table, on a corpus of made-up tweets and an encoder made on the spot."""

import json
import signal
from collections import Counter

import pytest
import torch
from click.testing import CliRunner
from made_up_corpora import CAPTION, save_small_encoder, write_corpora
from signals import deliver

from tagstream.cli.commands import application
from tagstream.errors import BadSettings, CorruptState, UnreadableInput
from training.experiments.recipe import CONFIGS, SERVED_TAGGERS, SystemRecipe
from training.experiments.run import Experiment, prepare, read_row, restore, train
from training.experiments.trainer import SystemTraining
from training.inputs.captions import things
from training.inputs.vocabulary import Vocabulary, letter_case
from training.inputs.word_vectors import read_vectors, table_of
from training.report import table
from training.report.record import make_record, read_records, write_record
from training.report.rows import Group, all_runs, read_groups, read_published, read_recipe
from training.report.speed import read_speed
from training.run_folder import open_run


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    folder = write_corpora(tmp_path / "data")
    monkeypatch.setenv("TAGSTREAM_DATA", str(folder))
    return folder


@pytest.fixture
def encoder(tmp_path):
    return save_small_encoder(tmp_path / "encoder")


def row(encoder, **training) -> Experiment:
    recipe = read_recipe("bert_crf")
    changes = {"learning_rate": 0.02, "encoder_learning_rate": 0.005, "batch": 6, "epochs": 3, **training}
    recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update=changes)})
    return Experiment(recipe=recipe, corpus="twitter2017", seed=1, encoder=str(encoder))


def test_a_row_learns_and_its_record_says_what_it_found(encoder, tmp_path):
    wanted = row(encoder, epochs=12)
    trained = train(wanted, tmp_path / "run", tmp_path / "cache")
    record = make_record("bert_crf", wanted, tmp_path / "run", trained, "twitter2017", tmp_path / "cache")
    assert record.test["strict"]["f1"] > 0.9
    assert sum(record.outcome.gold) == len(record.outcome.found) == 12
    assert record.parameters > 1000
    assert 2 < record.epochs <= 12
    assert set(record.data) == {f"mner/twitter2017/{part}.txt" for part in ("train", "valid", "test")}
    write_record(record, tmp_path / "results")
    assert read_records(tmp_path / "results") == {"bert_crf-twitter2017-1": record}
    (tmp_path / "results" / "other.json").write_text('{"recipe": "acn"}')
    with pytest.raises(CorruptState, match=r"other\.json: no record of a row \(identity: Field required"):
        read_records(tmp_path / "results")
    assert (tmp_path / "run" / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_words_of_captions_and_of_hashtags_have_their_vectors(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr("training.experiments.run.CORPORA", ("twitter2015", "twitter2017"))
    vectors = {"saw": 1.0, "bus": 2.0, "team": 3.0, "cathedral": 4.0}
    (tmp_path / "vectors.txt").write_text("".join(f"{word} {value} {value}\n" for word, value in vectors.items()))
    # One that training does not have.
    captions = tmp_path / "data" / "captions" / "blip2_twitter2017.txt"
    captions.write_text(captions.read_text() + "test.jpg :a red cathedral\n")
    test = tmp_path / "data" / "mner" / "twitter2017" / "test.txt"
    test.write_text(test.read_text().replace("IMGID:1\n", "IMGID:test\n"))
    recipe = read_recipe("trimod")
    inputs = recipe.inputs.model_copy(update={"word_vectors": str(tmp_path / "vectors.txt")})
    recipe = recipe.model_copy(update={"inputs": inputs})
    wanted = Experiment(recipe=recipe, corpus="twitter2017", seed=1, encoder=str(encoder))
    prepared = prepare(wanted, tmp_path / "cache")
    table = prepared.system.eval().words
    for word, value in vectors.items():
        number = torch.tensor([[prepared.views.vocabulary.word(word)]])
        assert table(number).tolist() == [[[value, value]]], word


def test_two_processes_do_not_train_into_one_folder(encoder, tmp_path):
    with open_run(tmp_path / "run"), pytest.raises(BadSettings, match="run: another process is training there"):
        train(row(encoder), tmp_path / "run", tmp_path / "cache")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["lock"]
    assert train(row(encoder, epochs=1), tmp_path / "run", tmp_path / "cache").epochs == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_was_stopped_ends_as_an_unbroken_one(encoder, tmp_path, monkeypatch, number):
    """The signal comes in the second of three epochs, between two batches of one step."""
    wanted = row(encoder, batch=4, accumulate=2)
    train(wanted, tmp_path / "whole", tmp_path / "cache")
    real, batches = SystemTraining.backpropagate, []

    def signalled(self, batch):
        batches.append(batch)
        if len(batches) == 9:
            deliver(number)
        return real(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(SystemTraining, "backpropagate", signalled)
        with pytest.raises((KeyboardInterrupt, SystemExit)) as stopped:
            train(wanted, tmp_path / "broken", tmp_path / "cache")
    assert (stopped.type is SystemExit) == (number == signal.SIGTERM)
    assert len(batches) == 10
    train(wanted, tmp_path / "broken", tmp_path / "cache")
    whole, again = (torch.load(tmp_path / run / "last.pt", weights_only=True) for run in ("whole", "broken"))
    assert all(torch.equal(whole["weights"][name], again["weights"][name]) for name in whole["weights"])
    logs = [(tmp_path / run / "log.jsonl").read_text().splitlines() for run in ("whole", "broken")]
    without_seconds = [[{**json.loads(line), "seconds": 0} for line in lines] for lines in logs]
    assert without_seconds[0] == without_seconds[1]
    assert len(logs[0]) == 3


def test_a_folder_is_not_gone_on_with_by_another_row(encoder, tmp_path):
    train(row(encoder, epochs=1), tmp_path / "run", tmp_path / "cache")
    with pytest.raises(BadSettings, match="another system, recipe, corpus or seed"):
        train(row(encoder, epochs=2), tmp_path / "run", tmp_path / "cache")
    with pytest.raises(BadSettings, match="not a folder of"):
        read_row(tmp_path)


def test_a_trained_row_is_restored_and_reads_another_corpus(encoder, tmp_path):
    wanted = row(encoder, epochs=1)
    train(wanted, tmp_path / "run", tmp_path / "cache")
    assert read_row(tmp_path / "run") == wanted
    prepared = restore(wanted, tmp_path / "run", tmp_path / "cache")
    assert len(prepared.part("twitter2015", "test").encoded) == 6


def test_a_photo_that_is_missing_has_no_regions_and_one_that_is_there_has_those_of_its_caption(encoder, tmp_path):
    recipe = row(encoder).recipe
    recipe = recipe.model_copy(update={"inputs": recipe.inputs.model_copy(update={"visual": "captions"})})
    prepared = prepare(
        Experiment(recipe=recipe, corpus="twitter2017", seed=1, encoder=str(encoder)), tmp_path / "cache"
    )
    first, second = prepared.part("twitter2017", "train").encoded[:2]
    assert first.visual.shape == (len(CAPTION.split()), 384)
    assert second.visual.shape == (0, 384)
    assert len(first.labels) == 2
    assert len(first.caption) == len(CAPTION.split())
    assert len(second.caption) == len(second.labels) == 0
    assert len(first.hashtags) == 2


def test_the_commands_train_and_evaluate(encoder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    told = run(application, ["train", "bert_crf", "--run", "r", "--epochs", "1", "--encoder", str(encoder)])
    assert told.exit_code == 0, told.output
    scored = run(application, ["evaluate", "--run", "r", "--part", "test", "--json"])
    document = json.loads(scored.stdout)
    assert document["tweets"] == 6
    assert set(document["strict"]["types"]) == {"PER", "LOC", "ORG", "MISC"}
    assert "strict" in run(application, ["evaluate", "--run", "r"]).output


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_is_understood_and_set_beside_a_row_that_is_printed(path):
    if path.stem in SERVED_TAGGERS:
        return
    recipe = SystemRecipe.read(path)
    assert not recipe.paper or recipe.paper in read_published()


def test_every_row_of_the_table_has_its_recipe_and_no_run_is_asked_for_twice():
    names = [run.name for run in all_runs()]
    assert len(names) == len(set(names))
    # What knows no seed would only be repeated.
    runs_of = Counter(name.rpartition("-")[0] for name in names)
    assert runs_of["feature_crf_tner-twitter2015"] == 1
    assert runs_of["bert_crf-twitter2015"] == 3
    for group in read_groups():
        for recipe in group.recipes:
            read_recipe(recipe)


def test_the_page_is_what_the_records_say_and_a_changed_figure_is_noticed(encoder, tmp_path, monkeypatch):
    wanted = row(encoder, epochs=1)
    trained = train(wanted, tmp_path / "run", tmp_path / "cache")
    record = make_record("bert_crf", wanted, tmp_path / "run", trained, "twitter2017", tmp_path / "cache")
    group = Group(title="All", about="", recipes=("bert", "bert_crf"), corpora=("twitter2017",), seeds=(1, 2))
    monkeypatch.setattr(table, "read_groups", lambda: [group])
    text = table.page({record.name: record}, read_speed())
    lines = [line for line in text.splitlines() if line.startswith("| BERT")]
    assert "not run" in lines[0]
    assert f"**{100 * record.test['strict']['f1']:.2f}**" in lines[1]
    assert "1 of 2" in lines[1]
    monkeypatch.setattr(table, "read_records", lambda: {record.name: record})
    page = tmp_path / "results.md"
    assert table.write_page(page) == 0
    assert table.write_page(page, check=True) == 0
    page.write_text(page.read_text().replace("1 of 2", "2 of 2"))
    assert table.write_page(page, check=True) == 1
    monkeypatch.setattr(table, "read_records", dict)
    assert table.write_page(page, check=True) == 1


def test_things_of_a_caption():
    assert things("A man in a red hat is riding a bike on the street with a dog and a cat.") == (
        "man", "hat", "bike", "street", "dog",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("word", "case"), [("oslo", 1), ("Oslo", 2), ("OSLO", 3), ("A", 2), ("iPhone", 4), ("2017", 5), ("!", 5)]
)
def test_letter_cases(word, case):
    assert letter_case(word) == case


def test_vectors_are_read_from_either_text_form_and_fit_the_vocabulary(tmp_path):
    (tmp_path / "glove.txt").write_text("the 1 2 3\nOslo 4 5 6\noslo 7 8 9\n")
    (tmp_path / "fasttext.vec").write_text("2 3\nthe 1 2 3\nOslo 4 5 6\n")
    for name in ("glove.txt", "fasttext.vec"):
        vectors = read_vectors(tmp_path / name)
        assert vectors.words == ("the", "oslo")
        assert vectors.rows.tolist() == [[1, 2, 3], [4, 5, 6]]
    vocabulary = Vocabulary.of(["oslo", "bus"], [], [])
    rows = table_of(vectors, vocabulary)
    assert rows[vocabulary.word("OSLO")].tolist() == [4, 5, 6]
    assert rows[vocabulary.word("bus")].tolist() == rows[0].tolist() == rows[1].tolist() == [0, 0, 0]


@pytest.mark.parametrize("content", ["", "the 1 2\noslo 1\n", "the one two\n"])
def test_a_file_that_holds_no_vectors_is_refused(tmp_path, content):
    path = tmp_path / "v.txt"
    path.write_text(content)
    with pytest.raises(UnreadableInput, match="vectors of words"):
        read_vectors(path)
