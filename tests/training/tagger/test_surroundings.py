"""Account names and links around posts: names move with their text, and nothing else changes."""

import random

import pytest

from training.datasets import Example, MarkedName
from training.tagger.surroundings import with_surroundings, without_punctuation
from workers.tagger.words import Kind, split_words

POST = Example(
    "Ada Lovelace , in Paris !", (MarkedName(0, 12, "PER"), MarkedName(18, 23, "LOC")), "a cat", frozenset({"MISC"})
)


@pytest.mark.parametrize("seed", range(40))
def test_names_stand_where_they_are_said_to(seed):
    changed = with_surroundings(POST, random.Random(seed))
    assert [changed.text[name.start : name.end] for name in changed.names] == ["Ada Lovelace", "Paris"]
    assert [name.type for name in changed.names] == ["PER", "LOC"]
    assert POST.text in changed.text
    assert (changed.caption, changed.unknown) == (POST.caption, POST.unknown)
    around = [word for word in split_words(changed.text) if word.surface not in POST.text]
    assert around
    assert {word.kind for word in around} <= {Kind.MENTION, Kind.URL, Kind.REPOST, Kind.SYMBOL}


def test_replies_reposts_and_links_are_all_there():
    texts = [with_surroundings(POST, random.Random(seed)).text for seed in range(200)]
    assert any(text.startswith("RT @") for text in texts)
    assert any(text.startswith("@") for text in texts)
    assert any(text.startswith("Ada") and "https://t.co/" in text for text in texts)


def test_without_punctuation_every_word_keeps_its_tags():
    words = split_words(POST.text)
    kept, allowed = without_punctuation(words, range(len(words)))
    assert [word.surface for word in kept] == ["Ada", "Lovelace", "in", "Paris"]
    assert allowed == [0, 1, 3, 4]
    only = split_words("... !!")
    assert without_punctuation(only, [1, 1]) == (only, [1, 1])
