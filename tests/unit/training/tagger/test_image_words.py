"""Image words: each condition gives what it says, and a difference comes with an interval around it."""

import json

import numpy as np
import pytest

from training.tagger.image_words import NONE, conditions, difference
from workers.tagger.conll import joined_post


@pytest.fixture
def posts(tmp_path, monkeypatch):
    folder = tmp_path / "captions"
    folder.mkdir()
    (folder / "blip2_made_up.txt").write_text("".join(f"{n}.jpg :a photo of thing {n}\n" for n in range(40)))
    (folder / "catr_made_up.json").write_text(json.dumps({f"{n}.jpg": f"A dog with a cat {n}." for n in range(40)}))
    monkeypatch.setenv("TAGSTREAM_DATA", str(tmp_path))
    return [joined_post([("word", "O")], str(n)) for n in range(50)]  # ten posts have no caption


def test_each_condition_gives_the_words_it_says(posts):
    given = {name: words for name, (words, _) in conditions(posts, "made_up").items()}
    assert given[NONE] == [""] * 50
    captions = given["captions (BLIP-2) as alt text"]
    assert captions == [f"a photo of thing {n}" for n in range(40)] + [""] * 10
    shuffled = given["captions (BLIP-2), shuffled between posts"]
    assert sorted(shuffled) == sorted(captions)
    assert all(one != other for one, other in zip(shuffled[:40], captions[:40], strict=True))
    halved = given["captions (BLIP-2), every other one missing"]
    assert all(one in ("", other) for one, other in zip(halved, captions, strict=True))
    assert 8 < sum(map(bool, halved)) < 32
    assert given["labels: five things of the CATR caption"][0] == "dog cat"


def test_labels_are_told_from_the_authors_words(posts):
    are_labels = {name: labels for name, (_, labels) in conditions(posts, "made_up").items()}
    assert {name for name, labels in are_labels.items() if labels} == {name for name in are_labels if "labels" in name}


def test_the_interval_lies_around_the_difference_and_is_of_pairs():
    random = np.random.default_rng(1)
    gold = np.full(400, 2)
    other = np.stack([random.integers(3, size=400), gold, gold], axis=1)
    better = other.copy()
    better[:40, 0] = 2
    found = difference(better, other)
    assert 0 < found["low"] < found["difference"] < found["high"]
    same = difference(other, other)
    assert same == {"difference": 0, "low": 0, "high": 0}
