"""A training run that was interrupted ends as one that was not, and its best weights can be exported."""

import pytest

from training.datasets import load_examples

RECIPE = """
system = "three_segment_tagger"
seed = 5
epochs = 2
batch = 4
encoder_learning_rate = 1e-4
head_learning_rate = 1e-3
crf_learning_rate = 1e-2
weight_decay = 0.01
warmup = 0.1
dropout = 0.1
piece_dropout = 0.1
feature_dropout = 0.1
caption_dropout = 0.5
hashtag_dropout = 0.1
lowercase = 0.1
average_decay = 0.9
patience = 3
[posts]
twitter2015 = 6
twitter2017 = 6
"""
POST = "IMGID:{n}\nAda\tB-PER\nLovelace\tI-PER\nvisits\tO\n#Paris\tB-{loc}\nagain\t{stray}\n\n"


@pytest.fixture
def data(tmp_path, monkeypatch):
    for name, stray in (("twitter2015", "I-OTHER"), ("twitter2017", "O")):
        folder = tmp_path / "data/mner" / name
        folder.mkdir(parents=True)
        posts = "".join(POST.format(n=n, loc="LOC", stray=stray) for n in range(8))
        for part in ("train", "valid"):
            (folder / f"{part}.txt").write_text(posts)
        captions = tmp_path / "data/captions"
        captions.mkdir(exist_ok=True)
        lines = "".join(f"{n}.jpg :a woman in paris\n" for n in range(7))
        placeholder = "7.jpg :a man is standing on a skateboard in the snow\n"
        (captions / f"blip2_{name}.txt").write_text(lines + placeholder)
    monkeypatch.setenv("TAGSTREAM_DATA", str(tmp_path / "data"))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path


@pytest.mark.usefixtures("data")
def test_what_the_annotators_left_unsaid_is_unknown():
    example = load_examples("twitter2015", "train")[0]
    assert example.text == "Ada Lovelace visits #Paris again"
    assert example.allowed == (2, 4, 1, 8, 511)
    assert example.caption == "a woman in paris"
    assert load_examples("twitter2017", "train")[7].caption == ""
