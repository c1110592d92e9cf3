"""What the names of the training sets tell of hashtags that were not marked, or marked as a whole."""

import pytest

from training.datasets import ALL_TAGS, OUTSIDE, Example, MarkedName, allowed_tags
from training.tagger.known_names import KnownNames
from workers.tagger.hashtag_words import read_words

SEGMENTED = {
    "JebBush": ["Jeb", "Bush"],
    "VoteJebBush": ["Vote", "Jeb", "Bush"],
    "PrayForParis": ["Pray", "For", "Paris"],
    "BushFire": ["Bush", "Fire"],
}
B_PER, I_PER, B_LOC, I_LOC, B_ORG, I_ORG = 2, 4, 8, 16, 32, 64


def example(text, *names):
    return Example(
        text, tuple(MarkedName(text.index(name), text.index(name) + len(name), kind) for name, kind in names)
    )


@pytest.fixture
def known():
    posts = [
        example("we met Jeb Bush", ("Jeb Bush", "PER")),
        example("a bush", ),
        example("a green bush near Bush", ("Bush", "PER")),
        example("in Paris now", ("Paris", "LOC")),
        example("from Paris", ("Paris", "LOC")),
        example("to Jeb Bush and O'Neill", ("Jeb Bush", "PER"), ("O'Neill", "PER")),
        example("The Jeb Bush show", ("Jeb Bush", "MISC")),
    ]  # fmt: skip
    return KnownNames(posts)


def mended(known, post):
    words, line_starts = read_words(post.text, lambda hashtag: SEGMENTED.get(hashtag, [hashtag]))
    allowed = allowed_tags(post, words, line_starts)
    known.mend(words, allowed)
    return allowed


def test_the_longest_known_name_and_its_commonest_type_are_found(known):
    assert known.find(["Vote", "JEB", "bush", "now"]) == (1, 3, "PER")
    assert known.find(["pray", "for", "paris"]) == (2, 3, "LOC")
    # One word is a name only if it is seldom anything else, and names with marks are none of a hashtag.
    assert known.find(["bush", "fire"]) is None
    assert known.find(["o'neill"]) is None


def test_a_hashtag_that_holds_a_known_name_and_is_not_marked_is_unknown(known):
    assert mended(known, example("go #VoteJebBush go")) == [OUTSIDE, OUTSIDE, *[ALL_TAGS] * 3, OUTSIDE]
    assert mended(known, example("go #BushFire go")) == [OUTSIDE] * 5


def test_a_hashtag_that_is_marked_as_a_whole_is_narrowed_to_the_known_name(known):
    post = example("so #PrayForParis", ("#PrayForParis", "LOC"))
    assert mended(known, post) == [OUTSIDE, OUTSIDE, OUTSIDE, OUTSIDE, B_LOC]
    whole = example("so #JebBush", ("#JebBush", "PER"))
    assert mended(known, whole) == [OUTSIDE, OUTSIDE, B_PER, I_PER]


def test_what_annotators_marked_as_another_type_stands(known):
    post = example("so #PrayForParis", ("#PrayForParis", "ORG"))
    assert mended(known, post) == [OUTSIDE, OUTSIDE, B_ORG, I_ORG, I_ORG]


def test_words_outside_hashtags_and_hashtags_of_one_word_stand(known):
    assert mended(known, example("Jeb Bush in Paris #Paris")) == [OUTSIDE] * 6
    # A sign that stands apart, as some sets write it, begins a hashtag, too.
    assert mended(known, example("go # VoteJebBush go")) == [OUTSIDE, OUTSIDE, *[ALL_TAGS] * 3, OUTSIDE]
