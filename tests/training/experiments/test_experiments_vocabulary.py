"""The vocabulary: its numbers outlive the run that made them, whatever data and code become."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from made_up_corpora import save_small_encoder, write_corpora

from tagstream.errors import BadSettings, CorruptState
from training.experiments import run
from training.experiments.run import Experiment, PreparedSystem, read_row, restore, train
from training.inputs.vocabulary import Vocabulary
from training.report.rows import read_recipe


def test_every_number_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    known = Vocabulary.of(["oslo", "bus", "zug"], ["a", "ü"], ["dog"], ["amt", "bus"])
    known.write(tmp_path / "vocabulary.json")
    assert Vocabulary.read(tmp_path / "vocabulary.json") == known
    assert (known.seen_count, known.word_count) == (5, 6)
    assert known.word("Amt") == 5


DAMAGED = [b"", b"[]", b'{"seen": 1}', b'{"seen": "1", "words": [], "characters": [], "labels": []}']


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_one_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "vocabulary.json").write_bytes(content)
    with pytest.raises(CorruptState, match=r"vocabulary\.json"):
        Vocabulary.read(tmp_path / "vocabulary.json")
    with pytest.raises(CorruptState, match="nowhere"):
        Vocabulary.read(tmp_path / "nowhere.json")


class OtherWords:
    """A segmenter that finds other words than the one that serves, and as many."""

    def segment(self, tag: str) -> list[str]:
        return [tag[:1], tag[1:]]


def row_of(encoder: Path, seed: int = 1) -> Experiment:
    recipe = read_recipe("bilstm_crf")
    training = recipe.training.model_copy(update={"epochs": 1, "batch": 6})
    inputs = recipe.inputs.model_copy(update={"word_vectors": ""})
    recipe = recipe.model_copy(update={"training": training, "inputs": inputs})
    return Experiment(recipe=recipe, corpus="twitter2017", seed=seed, encoder=str(encoder))


@pytest.fixture
def row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    monkeypatch.setenv("TAGSTREAM_DATA", str(write_corpora(tmp_path / "data")))
    return row_of(save_small_encoder(tmp_path / "encoder"))


def test_a_run_reads_tweets_with_the_vocabulary_that_it_was_trained_with(
    row: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(row, tmp_path / "run", tmp_path / "cache")
    before = restore(row, tmp_path / "run", tmp_path / "cache")
    # As many words as before, and others.
    monkeypatch.setattr(run, "HashtagSegmenter", SimpleNamespace(load=OtherWords))
    after = restore(row, tmp_path / "run", tmp_path / "cache")
    assert isinstance(before, PreparedSystem)
    assert isinstance(after, PreparedSystem)
    assert after.views.vocabulary == before.views.vocabulary
    assert after.answers(after.part("twitter2017", "dev")) == before.answers(before.part("twitter2017", "dev"))


def test_another_row_leaves_a_run_as_it_is(row: Experiment, tmp_path: Path) -> None:
    train(row, tmp_path / "run", tmp_path / "cache")
    files = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(BadSettings, match="BiLSTM-CRF, twitter2017, seed 1"):
        train(row.model_copy(update={"seed": 2}), tmp_path / "run", tmp_path / "cache")
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == files
    assert read_row(tmp_path / "run") == row


@pytest.mark.parametrize("name", ["best.pt", "vocabulary.json"])
def test_a_damaged_file_of_a_run_is_refused(name: str, row: Experiment, tmp_path: Path) -> None:
    train(row, tmp_path / "run", tmp_path / "cache")
    whole = (tmp_path / "run" / name).read_bytes()
    (tmp_path / "run" / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptState, match="train it again"):
        restore(row, tmp_path / "run", tmp_path / "cache")


def test_a_damaged_checkpoint_is_not_gone_on_with(row: Experiment, tmp_path: Path) -> None:
    train(row, tmp_path / "run", tmp_path / "cache")
    (tmp_path / "run" / "last.pt").write_bytes(b"half")
    with pytest.raises(CorruptState, match=r"last\.pt"):
        train(row, tmp_path / "run", tmp_path / "cache")


def test_a_run_that_lost_its_vocabulary_gets_no_other_one(row: Experiment, tmp_path: Path) -> None:
    train(row, tmp_path / "run", tmp_path / "cache")
    (tmp_path / "run" / "vocabulary.json").unlink()
    with pytest.raises(CorruptState, match=r"vocabulary\.json"):
        train(row, tmp_path / "run", tmp_path / "cache")
    assert not (tmp_path / "run" / "vocabulary.json").exists()


def test_what_cannot_be_read_as_a_row_is_not_written_over(row: Experiment, tmp_path: Path) -> None:
    train(row, tmp_path / "run", tmp_path / "cache")
    half = (tmp_path / "run" / "row.json").read_bytes()[:-2]
    (tmp_path / "run" / "row.json").write_bytes(half)
    with pytest.raises(BadSettings, match="choose another"):
        train(row, tmp_path / "run", tmp_path / "cache")
    assert (tmp_path / "run" / "row.json").read_bytes() == half
