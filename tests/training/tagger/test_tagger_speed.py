"""The speed of taggers side by side: the same batches for all, and turns."""

import pytest
from tiny_exports import write_tiny_tagger
from tiny_taggers import VOCABULARY, tiny_config
from transformers import BertModel

from training.tagger import speed
from workers.tagger.encoding import BUCKET

POST = "IMGID:{n}\nAda\tB-PER\nvisits\tO\n{more}\n"


@pytest.fixture
def data(tmp_path, monkeypatch):
    for name in speed.CORPORA:
        folder = tmp_path / "mner" / name
        folder.mkdir(parents=True)
        posts = [POST.format(n=n, more="paris\tO\n" * (n % 9)) for n in range(50)]
        (folder / "valid.txt").write_text("".join(posts))
        (tmp_path / "captions").mkdir(exist_ok=True)
        (tmp_path / "captions" / f"blip2_{name}.txt").write_text("")
    monkeypatch.setenv("TAGSTREAM_DATA", str(tmp_path))
    (tmp_path / "vocabulary.txt").write_text("\n".join(VOCABULARY))
    return tmp_path


def test_batches_are_of_one_length_and_hold_every_post_once(data, monkeypatch):
    monkeypatch.setattr(speed, "POSTS_A_BATCH", 12)
    batches = speed.read_batches(data / "vocabulary.txt", 80)
    assert sum(len(batch.pieces) for batch in batches) == 80
    lengths = [batch.pieces.shape[1] for batch in batches]
    assert lengths == sorted(lengths)
    assert all(length % BUCKET == 0 for length in lengths)
    assert max(len(batch.pieces) for batch in batches) == 12


def test_each_answers_every_batch_once_unmeasured_and_once_a_round_in_turns(data):
    batches = speed.read_batches(data / "vocabulary.txt", 80)
    asked = []
    runners = {name: lambda given, name=name: asked.append((name, given)) for name in ("one", "two", "three")}
    rates = speed.measure(runners, batches, 3)
    assert [name for name, _ in asked] == ["one", "two", "three"] * 2 + ["two", "three", "one", "three", "one", "two"]
    assert all(given is batches for _, given in asked)
    assert {name: len(rounds) for name, rounds in rates.items()} == {"one": 3, "two": 3, "three": 3}


def test_a_tagger_in_both_forms_and_how_one_stands_to_the_other(data, tmp_path, monkeypatch):
    write_tiny_tagger(tmp_path / "models", "mner", "bert")
    BertModel(tiny_config("bert")).save_pretrained(str(tmp_path / "encoder"))
    monkeypatch.setattr(speed, "encoder_folder", lambda _: tmp_path / "encoder")
    runners = speed.runners_of(tmp_path / "models", "mner", 2)
    rates = speed.measure(runners, speed.read_batches(data / "vocabulary.txt", 40), 2)
    assert list(rates) == ["mner int8", "mner PyTorch"]
    assert all(rate > 0 for rounds in rates.values() for rate in rounds)
    lines = list(speed.report({"mner int8": [10.0, 30.0, 20.0], "mner PyTorch": [5.0, 4.0, 6.0]}))
    assert lines[0].split() == [
        "mner",
        "int8",
        "20.0",
        "posts/s",
        "(10.0",
        "to",
        "30.0)",
        "4.0",
        "times",
        "its",
        "PyTorch",
    ]
    assert lines[1].split() == ["mner", "PyTorch", "5.0", "posts/s", "(4.0", "to", "6.0)"]
