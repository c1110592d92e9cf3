"""A training of the served tagger that was interrupted ends as one that was not: 22 million parameters, a minute."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from scored_parts import write_scored_parts

import training
from training.datasets import CORPORA
from training.loop import fit
from training.run_folder import open_run
from training.tagger.train import TaggerRecipe, TaggerTraining, train

SMALL_RECIPE = Path(training.__file__).parent / "configs" / "tagger.toml"
# The served tagger's own recipe, on next to nothing.
RECIPE = replace(
    TaggerRecipe.read(SMALL_RECIPE),
    precision="float32",
    epochs=2,
    batch=4,
    name_lists=2,
    pseudo_posts=0,
    average_decay=0.9,
    posts={"twitter2015": 6, "twitter2017": 6},
)
POST = "IMGID:{n}\nAda\tB-PER\nLovelace\tI-PER\nvisits\tO\n#Paris\tB-{loc}\nagain\t{stray}\n\n"


@pytest.fixture
def data(tmp_path, monkeypatch):
    for name, stray in (("twitter2015", "I-OTHER"), ("twitter2017", "O")):
        folder = tmp_path / "data/mner" / name
        folder.mkdir(parents=True)
        posts = "".join(POST.format(n=n, loc="LOC", stray=stray) for n in range(8))
        (folder / "train.txt").write_text(posts)
        captions = tmp_path / "data/captions"
        captions.mkdir(exist_ok=True)
        lines = "".join(f"{n}.jpg :a woman in paris\n" for n in range(7))
        placeholder = "7.jpg :a man is standing on a skateboard in the snow\n"
        (captions / f"blip2_{name}.txt").write_text(lines + placeholder)
    for corpus in CORPORA.values():  # every development part is scored
        path = tmp_path / "data" / corpus.dev
        path.parent.mkdir(parents=True, exist_ok=True)
        posts = "".join(POST.format(n=n, loc="LOC", stray="O") for n in range(4))
        path.write_text(posts.replace("again", "at last"))  # a copy of a scored post is no training post
    write_scored_parts(tmp_path / "data")
    monkeypatch.setenv("TAGSTREAM_DATA", str(tmp_path / "data"))
    return tmp_path


def test_an_interrupted_run_ends_as_an_unbroken_one(data):
    unbroken, broken = data / "unbroken", data / "broken"
    train(RECIPE, unbroken)
    first = TaggerTraining(RECIPE)
    first.evaluate = _once(first.evaluate)
    with pytest.raises(KeyboardInterrupt), open_run(broken) as run:
        fit(first, run)
    train(RECIPE, broken)
    for name in ("last.pt", "best.pt"):
        states = [torch.load(run / name, weights_only=True) for run in (unbroken, broken)]
        key = "average" if name == "last.pt" else "weights"
        assert all(torch.equal(states[0][key][tensor], states[1][key][tensor]) for tensor in states[0][key])
    logs = [[json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()] for run in (unbroken, broken)]
    assert [line["loss"] for line in logs[0]] == [line["loss"] for line in logs[1]]
    assert len(logs[0]) == 2


def _once(function):
    calls = []

    def call():
        if calls:
            raise KeyboardInterrupt
        calls.append(1)
        return function()

    return call
