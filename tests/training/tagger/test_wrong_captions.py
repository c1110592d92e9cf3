"""Captions of other photos: whole ones and loose words, on posts of every kind."""

import random

from training.tagger.wrong_captions import wrong_caption

CAPTIONS = ["a woman in a red dress on a stage", "two dogs", "a cat"]


def test_whole_captions_and_some_of_their_words():
    chance = random.Random(1)
    given = [wrong_caption(CAPTIONS, chance) for _ in range(400)]
    whole = [caption for caption in given if caption in CAPTIONS]
    assert set(whole) == set(CAPTIONS)
    assert 180 < len(whole) < 330  # in their own order by chance, too
    for caption in given:
        assert any(set(caption.split()) <= set(known.split()) for known in CAPTIONS)
        assert len(caption.split()) <= 5 or caption in CAPTIONS
