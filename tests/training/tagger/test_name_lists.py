"""Posts that are lists of names: every name stands where it is said to, and no two are one."""

import random

import pytest

from training.datasets import OUTSIDE, allowed_tags
from training.tagger.name_lists import list_of_names
from workers.tagger.hashtag_words import read_words

POOL = [
    ("Angela Merkel", "PER"),
    ("Oslo", "LOC"),
    ("BBC", "ORG"),
    ("Star Wars", "MISC"),
    ("New York", "LOC"),
    ("U2", "ORG"),
]
BEGINNINGS = {2: "PER", 8: "LOC", 32: "ORG", 128: "MISC"}


@pytest.mark.parametrize("seed", range(60))
def test_every_name_stands_where_it_is_said_to_and_is_taught_as_one(seed):
    post = list_of_names(POOL, random.Random(seed))
    named = [(post.text[name.start : name.end], name.type) for name in post.names]
    assert 2 <= len(named) <= 6
    assert set(named) <= set(POOL)
    assert len(set(named)) == len(named)
    words, line_starts = read_words(post.text, lambda hashtag: (hashtag,))
    allowed = allowed_tags(post, words, line_starts)
    begun = [BEGINNINGS[tags] for tags in allowed if tags in BEGINNINGS]
    assert begun == [kind for _, kind in named]
    inside = sum(tags not in BEGINNINGS and not tags & OUTSIDE for tags in allowed)
    assert inside == sum(text.count(" ") for text, _ in named)


def test_lists_are_of_many_kinds():
    texts = [list_of_names(POOL, random.Random(seed)).text for seed in range(300)]
    for sign in ("\n", " | ", "• ", "1. ", "A) ", "(a) ", "Who wins?"):
        assert any(sign in text for text in texts)
