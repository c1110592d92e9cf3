"""Batches of training posts: targets beside the right words, and the noise that hides what it says."""

import random

import numpy as np
import pytest
from tiny_taggers import VOCABULARY

from tagstream.errors import CorruptState
from training.datasets import OUTSIDE, Example, MarkedName
from training.tagger.batches import BatchMaker, Noise
from training.tagger.hashtag_noise import HashtagNoise
from training.tagger.known_names import KnownNames
from training.tagger.pseudo_labels import PseudoExample
from workers.tagger.encoding import Encoder

SEGMENTED = {"GoTeam": ("Go", "Team"), "NewYork": ("New", "York"), "newyork": ("new", "york")}
B_LOC, I_LOC = 8, 16


def segment(hashtag):
    return SEGMENTED.get(hashtag, (hashtag,))


@pytest.fixture
def encoder():
    return Encoder(VOCABULARY)


def one_batch(encoder, posts, noise=None, known=None, seed=1):
    (batch,) = BatchMaker(encoder, segment, noise or Noise(), known).batches(posts, len(posts), random.Random(seed))
    return batch


def allowed_of(batch, row=0):
    bits = 1 << np.arange(9)
    return (batch.targets[row].numpy() @ bits)[batch.mask[row].numpy()].tolist()


def first_letters(batch, row=0):
    pieces = batch.pieces[row, batch.first_pieces[row]][batch.mask[row]]
    return "".join(VOCABULARY[piece] for piece in pieces)


POST = Example("so #NewYork wins #GoTeam", (MarkedName(3, 11, "LOC"),), "a cat")


def test_each_word_of_a_hashtag_has_a_target_of_its_own(encoder):
    batch = one_batch(encoder, [POST])
    assert batch.is_annotated
    assert first_letters(batch) == "s#nyw#gt"
    assert allowed_of(batch) == [OUTSIDE, OUTSIDE, B_LOC, I_LOC, OUTSIDE, OUTSIDE, OUTSIDE, OUTSIDE]
    assert (batch.segments == 2).any()


def test_last_hashtags_without_a_name_are_listed_apart(encoder):
    batch = one_batch(encoder, [POST], Noise(listed=1.0))
    assert first_letters(batch) == "s#nyw"
    assert allowed_of(batch) == [OUTSIDE, OUTSIDE, B_LOC, I_LOC, OUTSIDE]
    listed = batch.pieces[0][batch.segments[0] == 1].tolist()
    assert "".join(VOCABULARY[piece].strip("#") for piece in listed) == "goteam[SEP]"
    named = Example("see #NewYork", (MarkedName(4, 12, "LOC"),))
    assert not (one_batch(encoder, [named], Noise(listed=1.0)).segments == 1).any()


def test_noise_hides_what_it_says(encoder):
    plain = one_batch(encoder, [POST])
    hidden = one_batch(encoder, [POST], Noise(features=1.0, caption=1.0))
    assert not (hidden.segments == 2).any()
    assert not hidden.features[..., 3:].any()
    assert plain.features[..., 3:].any()


def test_any_post_may_have_the_caption_of_another_photo(encoder):
    pseudo = PseudoExample("a man waits", np.full((3, 9), 1 / 9, np.float16))
    for post in (POST, pseudo):
        (batch,) = BatchMaker(encoder, segment, Noise(caption=1.0, wrong_caption=1.0), captions=["dogs run"]).batches(
            [post], 1, random.Random(1)
        )
        assert (batch.segments == 2).any()
        plain = one_batch(encoder, [post], Noise(caption=1.0))
        assert (batch.targets == plain.targets).all()
        assert not (plain.segments == 2).any()


def test_misspelled_words_keep_their_tags(encoder):
    plain, changed = (one_batch(encoder, [POST] * 12, noise) for noise in (Noise(), Noise(misspelled=1.0)))
    assert (changed.targets == plain.targets).all()
    assert (changed.mask == plain.mask).all()
    assert changed.pieces.tolist() != plain.pieces.tolist()


def test_letter_case_changes_the_features_and_not_the_words(encoder):
    plain, lower, upper = (one_batch(encoder, [POST], noise) for noise in (Noise(), Noise(lower=1.0), Noise(upper=1.0)))
    for changed in (lower, upper):
        assert (changed.pieces == plain.pieces).all()
        assert (changed.targets == plain.targets).all()
        assert (changed.features != plain.features).any()
    assert (lower.features != upper.features).any()


def test_names_are_written_as_hashtags_with_their_tags(encoder):
    post = Example("go to New York", (MarkedName(6, 14, "LOC"),))
    segmenter = {"NewYork": ["New", "York"], "newyork": ["new", "york"], "NEWYORK": ["NEW", "YORK"]}.get
    maker = BatchMaker(encoder, segmenter, Noise(hashtags=HashtagNoise(name=1.0, joined=0.0)))
    for seed in range(5):
        (batch,) = maker.batches([post], 1, random.Random(seed))
        assert first_letters(batch) == "gt#ny"
        assert allowed_of(batch) == [OUTSIDE, OUTSIDE, OUTSIDE, B_LOC, I_LOC]


def test_hashtags_whose_annotation_cannot_be_trusted_are_mended(encoder):
    known = KnownNames([Example("in New York", (MarkedName(3, 11, "LOC"),))])
    unmarked = Example("so #NewYork", ())
    assert allowed_of(one_batch(encoder, [unmarked])) == [OUTSIDE] * 4
    assert allowed_of(one_batch(encoder, [unmarked], known=known)) == [OUTSIDE, OUTSIDE, 511, 511]


def test_targets_of_a_long_post_end_with_the_words_that_are_read(encoder):
    post = Example("go " * 300, ())
    batch = one_batch(encoder, [post, Example("go", ())])
    assert batch.targets.shape[1] == batch.mask.sum(dim=1).max() < 128
    assert batch.pieces.shape[1] <= 128


def test_pseudo_labelled_posts_keep_their_probabilities_and_stand_in_batches_of_their_own(encoder):
    chance = np.random.default_rng(2)
    marginals = chance.dirichlet(np.ones(9), size=8).astype(np.float16)
    pseudo = PseudoExample(POST.text, marginals)
    noise = Noise(listed=1.0, hashtags=HashtagNoise(name=1.0, words=1.0), lower=0.5, upper=0.5)
    batches = list(BatchMaker(encoder, segment, noise).batches([POST, pseudo, POST, pseudo], 8, random.Random(3)))
    assert sorted(batch.is_annotated for batch in batches) == [False, True]
    (batch,) = (batch for batch in batches if not batch.is_annotated)
    assert first_letters(batch) == "s#nyw#gt"
    assert np.array_equal(batch.targets[0].numpy(), marginals.astype(np.float32))
    assert not (batch.segments == 1).any()


def test_labels_of_other_words_than_those_that_are_read_are_refused(encoder):
    pseudo = PseudoExample(POST.text, np.full((5, 9), 1 / 9, np.float16))
    with pytest.raises(CorruptState, match="label the posts again"):
        one_batch(encoder, [pseudo])


def test_the_same_chance_makes_the_same_batches(encoder):
    noise = Noise(0.2, 0.3, 0.4, 0.5, 0.2, 0.2, 0.3, 0.3, hashtags=HashtagNoise(0.5, 0.5))
    posts = [POST, Example("see York win", (MarkedName(4, 8, "LOC"),)), Example("nothing here", ())] * 5
    first, again = (list(BatchMaker(encoder, segment, noise).batches(posts, 4, random.Random(5))) for _ in range(2))
    assert len(first) == 4
    for one, other in zip(first, again, strict=True):
        assert all((getattr(one, name) == getattr(other, name)).all() for name in one.__slots__)


def test_a_post_without_words_is_left_out(encoder):
    batch = one_batch(encoder, [Example(" \u200b", ()), POST])
    assert len(batch.pieces) == 1
