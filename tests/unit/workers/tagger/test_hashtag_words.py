"""The words inside hashtags: their offsets, their kinds, and what stays whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.hashtags.segmenter import HashtagSegmenter
from workers.tagger.hashtag_words import split_hashtags
from workers.tagger.words import Kind, split_words

SEGMENTER = HashtagSegmenter.load()


def split(text, segment=SEGMENTER.segment):
    return split_hashtags(split_words(text), segment)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see #NewYorkCity!", ["see", "#", "New", "York", "City", "!"]),
        ("#prayforparis", ["#", "pray", "for", "paris"]),
        ("#New_York_City", ["#", "New", "York", "City"]),
        ("# NewYork", ["#", "New", "York"]),
        ("＃東京 #9", ["#", "東京", "#", "9"]),
        ("#  NewYork", ["#", "NewYork"]),
        ("#\nNewYork", ["#", "New", "York"]),
        ("NewYork", ["NewYork"]),
        ("## NewYork", ["##", "NewYork"]),
    ],
)
def test_hashtags_become_their_words(text, expected):
    words = split(text)
    assert [word.surface for word in words] == expected
    for word in words:
        assert text[word.start : word.end] in (word.surface, "＃")


def test_the_kind_tells_a_hashtag_from_words_after_a_sign_that_stands_apart():
    assert [word.kind for word in split("#New")] == [Kind.SYMBOL, Kind.HASHTAG]
    assert [word.kind for word in split("# New")] == [Kind.SYMBOL, Kind.APART]


def test_a_segmentation_that_is_not_in_the_hashtag_leaves_it_whole():
    assert [word.surface for word in split("#NewYork", lambda _: ("new", "york"))] == ["#", "NewYork"]
    assert [word.surface for word in split("#NewYork", lambda _: ())] == ["#", "NewYork"]


@given(st.text(alphabet="aB9#＃_ éщ東\u200c\u00ad!", max_size=40))
def test_words_are_in_order_and_within_the_text(text):
    words = split(text)
    done = 0
    for word in words:
        assert done <= word.start < word.end <= len(text)
        done = word.end
