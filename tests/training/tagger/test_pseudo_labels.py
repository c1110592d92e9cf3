"""Pseudo-labels: written and read back, for the very words that training splits a text into, and damage is named."""

import random

import numpy as np
import pytest
import torch
from tiny_taggers import VOCABULARY, tiny_tagger

from tagstream.errors import CorruptState
from training.tagger import pseudo_labels
from training.tagger.batches import BatchMaker, Noise
from training.tagger.development import torch_tagger
from training.tagger.pseudo_labels import label, label_with, read_pseudo_labels, write_pseudo_labels
from workers.hashtags.segmenter import HashtagSegmenter
from workers.tagger.encoding import Encoder

# Lines, hashtags of all kinds, signs that stand apart, emoji, an address, no word at all, too long for one sequence.
TEXTS = [
    "Angela Merkel in #NewYorkCity",
    "one\ntwo\n\n#three\n# fourFive\n- six",
    "#a_b__ #_ ＃Paris # \nRome #2020 @me http://t.co/x :smile: &amp; O'Neill's",
    "👩‍🚀🇫🇷 é e\u0301 \u202ePARIS Pa\u00adris",
    " \u200b",
    "go on " * 200,
    "京都 #東京タワー",
]


@pytest.fixture
def segment():
    return HashtagSegmenter.load().segment


@pytest.fixture
def tagger(segment):
    return torch_tagger(tiny_tagger("mpnet").eval(), Encoder(VOCABULARY), segment)


def test_written_and_read_back(tmp_path):
    chance = np.random.default_rng(1)
    texts = ["one two", "", "a \0 b", "näive 👩‍🚀\nlines"]
    marginals = [chance.random((count, 9)).astype(np.float16) for count in (2, 0, 3, 4)]
    write_pseudo_labels(tmp_path / "labels.npz", texts, marginals, ["a large one, seed 1", "another"])
    posts, teachers = read_pseudo_labels(tmp_path / "labels.npz")
    assert teachers == ["a large one, seed 1", "another"]
    assert [post.text for post in posts] == ["one two", "", "a   b", "näive 👩‍🚀\nlines"]
    assert all(np.array_equal(post.marginals, one) for post, one in zip(posts, marginals, strict=True))


def test_no_posts_are_no_posts(tmp_path):
    write_pseudo_labels(tmp_path / "none.npz", [], [])
    assert read_pseudo_labels(tmp_path / "none.npz")[0] == []


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "labels.npz"
    write_pseudo_labels(path, ["one two"], [np.full((2, 9), 1 / 9, np.float16)])
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2], whole.replace(b"one two", b"one twx")):
        path.write_bytes(content)
        with pytest.raises(CorruptState, match=r"labels\.npz"):
            read_pseudo_labels(path)
    with pytest.raises(CorruptState, match="make it again"):
        read_pseudo_labels(tmp_path / "absent.npz")
    other = {"texts": np.frombuffer(b"a\0b", np.uint8), "words": np.array([1, 1]), "marginals": np.zeros((3, 9))}
    other["teachers"] = other["texts"]
    for change in ({}, {"marginals": np.zeros((2, 7))}, {"words": np.array([2])}, {"marginals": np.zeros(2)}):
        np.savez(path, **(other | change))
        with pytest.raises(CorruptState, match="do not belong together"):
            read_pseudo_labels(path)


def test_every_label_is_of_the_word_that_training_reads(tagger, segment):
    answers = label(TEXTS, tagger)
    assert [len(one) for one in answers].count(0) == 2  # no word; too long for one sequence
    for text, one in zip(TEXTS, answers, strict=True):
        if not len(one):
            continue
        assert np.allclose(one.sum(axis=1), 1, atol=0.01)
        post = pseudo_labels.PseudoExample(text, one)
        (batch,) = BatchMaker(Encoder(VOCABULARY), segment, Noise()).batches([post], 1, random.Random(1))
        prepared = tagger.prepare([pseudo_labels.post_of(text)])[0]
        assert batch.mask.sum() == len(one) == len(prepared.payload.words)
        assert batch.pieces[0].tolist() == prepared.payload.sequences[0].columns[:, 0].tolist()


def test_labelling_goes_on_where_it_was_stopped(tmp_path, tagger, monkeypatch):
    monkeypatch.setattr(pseudo_labels, "_CHUNK", 2)
    opened = []
    monkeypatch.setattr(pseudo_labels, "open_teacher", lambda run: opened.append(run) or tagger)
    texts = TEXTS[:5]
    whole = list(label_with(tmp_path / "run", texts, tmp_path / "parts"))
    assert [path.name for path in sorted((tmp_path / "parts").iterdir())] == ["0.npz", "2.npz", "4.npz"]
    (tmp_path / "parts" / "2.npz").unlink()
    again = list(label_with(tmp_path / "run", texts, tmp_path / "parts"))
    assert all(np.array_equal(one, other) for one, other in zip(whole, again, strict=True))
    list(label_with(tmp_path / "run", texts, tmp_path / "parts"))
    assert len(opened) == 2  # nothing was left for the third
    with pytest.raises(CorruptState, match="labels of other posts"):
        list(label_with(tmp_path / "run", ["another", *texts[1:]], tmp_path / "parts"))


def test_the_marginals_are_those_of_the_networks_own_crf(tagger, segment):
    network = tiny_tagger("mpnet").eval()
    text = TEXTS[0]
    (one,) = label([text], tagger)
    post = pseudo_labels.PseudoExample(text, one)
    (batch,) = BatchMaker(Encoder(VOCABULARY), segment, Noise()).batches([post], 1, random.Random(1))
    with torch.inference_mode():
        emissions = network(batch.pieces, batch.segments, batch.features)
        words = emissions.gather(1, batch.first_pieces[..., None].expand(-1, -1, 9))
        expected = network.crf.log_marginals(words, batch.mask).exp()[0]
    assert np.allclose(one, expected.numpy(), atol=2e-3)
