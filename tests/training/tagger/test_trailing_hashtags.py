"""Hashtags after posts and posts of hashtags alone: each name stands where it is said to, and no other word is one."""

import random

import pytest

from training.datasets import OUTSIDE, Example, MarkedName, allowed_tags
from training.tagger.hashtag_noise import HashtagNoise, topic_words
from training.tagger.named_posts import TOPICS
from training.tagger.trailing_hashtags import (
    HashtagMatter,
    hashtags_alone,
    ordinary_phrases,
    with_trailing_hashtags,
)
from workers.hashtags.segmenter import HashtagSegmenter
from workers.tagger.hashtag_words import read_words

NAMES = [("Boris Johnson", "PER"), ("Oslo", "LOC"), ("Acme", "ORG")]
WORDS = ["long weekend", "coffee", "so very tired"]
POST = Example("Ada Lovelace is in Paris", (MarkedName(0, 12, "PER"), MarkedName(19, 24, "LOC")), "a photo")
NOISE = HashtagNoise(joined=0.3)


def joined(text):
    return "".join(text.split()).lower()


@pytest.mark.parametrize("seed", range(60))
def test_a_post_keeps_its_text_and_names_and_hashtags_follow(seed):
    made = with_trailing_hashtags(POST, NOISE, HashtagMatter(NAMES, WORDS), random.Random(seed))
    assert made.text.startswith(f"{POST.text} #")
    assert made.names[:2] == POST.names
    assert (made.caption, made.unknown) == (POST.caption, POST.unknown)
    known = {joined(name): kind for name, kind in [*NAMES, ("Ada Lovelace", "PER"), ("Paris", "LOC")]}
    for name in made.names[2:]:
        assert known[joined(made.text[name.start : name.end])] == name.type
        assert name.start > len(POST.text)
    hashtags = made.text[len(POST.text) :].split()
    assert 1 <= len(hashtags) <= 4
    assert all(hashtag.count("#") == 1 for hashtag in hashtags)


def test_names_of_the_pool_own_names_and_ordinary_words_all_come():
    texts = [
        with_trailing_hashtags(POST, NOISE, HashtagMatter(NAMES, WORDS), random.Random(seed)).text[len(POST.text) :]
        for seed in range(200)
    ]
    for hashtag in ("#BorisJohnson", "#oslo", "#AdaLovelace", "#longweekend", "#LongWeekend", "#SOVERYTIRED"):
        assert any(hashtag in text.split() for text in texts), hashtag


@pytest.mark.parametrize("seed", range(40))
def test_a_post_of_hashtags_alone_says_which_are_names(seed):
    segment = HashtagSegmenter.load().segment
    made = hashtags_alone(HashtagNoise(joined=0.0), HashtagMatter(NAMES, WORDS), random.Random(seed))
    parts = made.text.split()
    assert 1 <= len(parts) <= 8
    assert all(part.startswith("#") for part in parts)
    expected = [part for part in parts if joined(part[1:]) in {joined(name) for name, _ in NAMES}]
    assert [f"#{made.text[name.start : name.end]}" for name in made.names] == expected
    words, line_starts = read_words(made.text, segment)
    tags = allowed_tags(made, words, line_starts)
    outside = {word.surface.lower() for word, tag in zip(words, tags, strict=True) if tag == OUTSIDE}
    assert outside <= {"#", "long", "weekend", "coffee", "so", "very", "tired"}


def test_without_ordinary_words_or_without_names_the_others_serve():
    for matter in (HashtagMatter(NAMES), HashtagMatter(words=WORDS)):
        for seed in range(20):
            made = hashtags_alone(NOISE, matter, random.Random(seed))
            assert made.text
            assert bool(made.names) is bool(matter.names)
    assert with_trailing_hashtags(Example("no", ()), NOISE, HashtagMatter(), random.Random(1)).text == "no"


def test_ordinary_words_are_of_no_name_and_of_posts_whose_names_are_all_marked():
    plain = Example("they were walking along quiet rivers with anna", (MarkedName(42, 46, "PER"),))
    unsure = Example("they were walking along quiet rivers", (), unknown=frozenset({"MISC"}))
    found = {phrase for seed in range(50) for phrase in ordinary_phrases([plain, unsure], random.Random(seed))}
    assert len(found) > 5
    assert all(phrase in "they were walking along quiet rivers with" for phrase in found)
    assert ordinary_phrases([unsure], random.Random(1)) == []


def test_no_word_of_the_measures_topics_is_one_that_training_joins_names_with():
    measured = {word for topics in TOPICS.values() for topic in topics for word in topic.split() if word != "*"}
    assert len(measured) >= 12
    assert "prayfor" not in measured
    assert not measured & topic_words()
