"""No training of what is served reads a post that is scored anywhere: no annotated one, and no tweet of a feed."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from scored_parts import write_scored_parts
from tiny_taggers import tiny_tagger

from tagstream.errors import UnreadableInput
from training.datasets import CORPORA, data_folder, load_examples
from training.hashtags.sources import tweets
from training.scored_texts import ScoredTexts, fold, scored_files, training_examples
from training.tagger import train
from training.tagger.export import calibration_inputs
from training.tagger.hashtag_noise import hashtag_names
from training.tagger.pseudo_labels import write_pseudo_labels
from training.tagger.unlabelled import unlabelled_texts
from workers.tagger.conll import read_conll

RECIPES = Path(train.__file__).parents[1] / "configs"


@pytest.mark.parametrize(
    "copy",
    [
        "RT @cnn: Don't look, it's #NewYork & co http://t.co/x1",
        "do n't look , it 's # NewYork &amp; co",
        "@ someone DON’T LOOK it's NewYork co https://t.co/abc …",
        "rt @user dont look its #newyork co http",
    ],
)
def test_copies_are_folded_alike(copy):
    assert fold(copy) == "dontlookitsnewyorkco"
    assert copy in ScoredTexts(["Don't look: it's New York & Co"])


def test_other_texts_are_not_copies_and_a_text_without_words_is_none():
    scored = ScoredTexts(["ada visits paris", "http://t.co/a @one"])
    assert "ada visits rome" not in scored
    assert "http://t.co/b" not in scored
    assert "" not in scored
    assert list(scored.without(["Ada visits Paris!", "Bob"])) == ["Bob"]


POST = "Ada\tB-PER\nvisits\tO\nthe\tO\ncity\tO\n{part}\tO\n\n"


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """Sets whose training parts hold a copy of a post of every scored part, and one post of their own."""
    monkeypatch.setenv("TAGSTREAM_DATA", str(tmp_path))
    names = write_scored_parts(tmp_path, POST)
    copies = "".join((tmp_path / name).read_text().replace("visits", "Visits,").replace("Ada", "ADA") for name in names)
    for corpus in CORPORA.values():
        own = f"IMGID:1\nBob\tB-PER\nsails\tO\nto\tO\nRome\tB-LOC\n{corpus.name[0]}\tO\n\n"
        (tmp_path / corpus.train).write_text(copies + own)
        if corpus.captions:
            (tmp_path / corpus.captions).parent.mkdir(exist_ok=True)
            (tmp_path / corpus.captions).write_text("1.jpg :a boat\n")
    return names


def test_a_post_of_any_scored_part_is_left_out(made_up):
    scored = ScoredTexts.load()
    for name in CORPORA:
        assert len(load_examples(name, "train")) == len(made_up) + 1
        (left,) = training_examples(name, scored)
        assert left.text.startswith("Bob sails")


@pytest.mark.usefixtures("made_up")
def test_a_scored_part_that_is_absent_stops_a_training(tmp_path):
    (tmp_path / scored_files()[-1]).unlink()
    with pytest.raises(UnreadableInput, match="dev_2015"):
        ScoredTexts.load()


def test_posts_name_lists_captions_and_pseudo_labels_of_a_training_are_of_what_is_left(made_up, monkeypatch, tmp_path):
    monkeypatch.setattr(train.ThreeSegmentTagger, "from_pretrained", lambda *_: tiny_tagger("bert"))
    texts = [f"Ada visits the city {letter}" for letter in "abcdefghijklmnop"[: len(made_up)]]
    labels = tmp_path / "labels.npz"
    uniform = np.full((5, 9), 1 / 9, np.float16)
    write_pseudo_labels(labels, [*texts, "somewhere else it rains again"], [uniform] * (len(texts) + 1), ["teacher"])
    recipe = replace(train.TaggerRecipe.read(RECIPES / "tagger.toml"), pseudo_posts=2, name_lists=3, hashtag_lists=0)
    task = train.TaggerTraining(recipe, labels)
    batches = list(task.batches(0))
    assert [post.text for post in task._pseudo_posts] == ["somewhere else it rains again"]
    assert sorted(task._matter.names) == [("Bob", "PER"), ("Rome", "LOC")]
    assert all(len(posts) == 1 for posts in task._posts.values())
    assert sum(len(batch.pieces) for batch in batches) == len(CORPORA) + 2 + 3


@pytest.fixture
def real():
    """Returns a rule of its own, simpler than the one under test, and what it makes of every scored post."""
    folder = data_folder()
    if not (folder / scored_files()[0]).is_file():
        pytest.skip(f"the tweet sets are not in {folder}: set TAGSTREAM_DATA")

    def words(text):
        kept = [word for word in unescape(text).lower().split() if word[0] != "@" and not word.startswith("http")]
        return re.sub(r"\W|_", "", "".join(kept).removeprefix("rt"))

    scored = {words(post.text) for name in scored_files() for post in read_conll(folder / name)}
    return words, {folded for folded in scored if len(folded) > 12}  # "thank you" is nobody's post


def test_no_real_training_post_is_scored_in_any_set(real):
    words, held_out = real
    scored = ScoredTexts.load()
    seen = {name: load_examples(name, "train") for name in CORPORA}
    left = {name: training_examples(name, scored) for name in CORPORA}
    assert len(seen["wnut17"]) - len(left["wnut17"]) > 990  # the development posts of WNUT-16
    assert not [example.text for posts in left.values() for example in posts if words(example.text) in held_out]
    pool = hashtag_names([example for posts in left.values() for example in posts])
    assert 1000 < len(pool) < len(hashtag_names([example for posts in seen.values() for example in posts]))


def test_no_real_unlabelled_tweet_is_scored_in_any_set(real):
    words, held_out = real
    scored = ScoredTexts.load()
    texts = unlabelled_texts(scored)
    assert len(texts) > 200_000
    assert not [text for text in texts if words(text) in held_out]
    learnt = list(tweets(data_folder()))
    assert len(learnt) > 200_000
    assert not [text for text in learnt if words(text) in held_out]


def test_int8_is_not_calibrated_on_scored_posts(real, monkeypatch):
    words, held_out = real
    read = []

    class Reader:
        def __init__(self, *_):
            pass

        def batches(self, examples, *_):
            read.extend(examples)
            return []

    monkeypatch.setattr("training.tagger.export.BatchMaker", Reader)
    monkeypatch.setattr("training.tagger.export.CALIBRATION_POSTS", 6600)
    calibration_inputs(None, None, 1)
    assert len(read) == 6600
    assert not [example.text for example in read if words(example.text) in held_out]
