"""Names and words written as hashtags: every name keeps its type, and its place is where it is written."""

import random

import pytest

from training.datasets import OUTSIDE, Example, MarkedName, allowed_tags
from training.tagger.hashtag_noise import HashtagNoise, hashtag_names, with_hashtags
from workers.hashtags.segmenter import HashtagSegmenter
from workers.tagger.hashtag_words import read_words

POOL = [("Boris Johnson", "PER"), ("Acme", "ORG")]
ALWAYS = HashtagNoise(name=1.0, words=0.0, joined=0.0)


def example(text, *names):
    places = []
    for name, kind in names:
        start = text.index(name)
        places.append(MarkedName(start, start + len(name), kind))
    return Example(text, tuple(places), "a caption", frozenset({"MISC"}))


POST = example(
    "Angela Merkel visits New York , says the BBC 's man at Café Noir beside @someone and # Rome today",
    ("Angela Merkel", "PER"), ("New York", "LOC"), ("BBC", "ORG"), ("Café Noir", "LOC"), ("Rome", "LOC"),
)  # fmt: skip


def joined(text):
    return "".join(text.split()).lower()


@pytest.mark.parametrize("seed", range(40))
def test_every_name_stands_where_it_is_said_to(seed):
    noise = HashtagNoise(name=0.6, words=0.7, joined=0.7)
    changed = with_hashtags(POST, noise, POOL, random.Random(seed))
    written = [(joined(changed.text[name.start : name.end]), name.type) for name in changed.names]
    assert [name for name in written if name not in [(joined(text), kind) for text, kind in POOL]] == [
        (joined(POST.text[name.start : name.end]), name.type) for name in POST.names
    ]
    assert (changed.caption, changed.unknown) == (POST.caption, POST.unknown)
    assert list(changed.names) == sorted(changed.names, key=lambda name: name.start)
    # Nothing else is written anew: without their signs both texts hold the same letters, but for words of topics.
    if not any(joined(text) in joined(changed.text) for text, _ in POOL):
        left = iter(joined(changed.text))
        assert all(letter in left for letter in joined(POST.text))


def test_a_name_becomes_one_hashtag_in_a_style_of_its_own():
    texts = {with_hashtags(POST, ALWAYS, (), random.Random(seed)).text for seed in range(60)}
    for hashtag in ("#NewYork", "#newyork", "#NEWYORK", "#AngelaMerkel", "#angelamerkel"):
        assert any(hashtag in text for text in texts)
    assert all("Café Noir" in text and "# Rome" in text and "@someone" in text for text in texts)


def test_a_hashtag_is_joined_with_words_of_topics_and_with_other_names():
    noise = HashtagNoise(name=1.0, joined=1.0)
    found = [with_hashtags(POST, noise, POOL, random.Random(seed)) for seed in range(200)]
    texts = " ".join(one.text for one in found)
    assert "#PrayForNewYork" in texts
    assert "#AngelaMerkelEarthquake" in texts
    assert any(("BorisJohnson", "PER") in [(one.text[n.start : n.end], n.type) for n in one.names] for one in found)


def test_ordinary_words_become_a_hashtag_without_a_name():
    plain = example("they were walking along quiet rivers with Anna", ("Anna", "PER"))
    for seed in range(30):
        changed = with_hashtags(plain, HashtagNoise(words=1.0), (), random.Random(seed))
        read = read_words(changed.text, lambda hashtag: (hashtag,))
        assert "#" in changed.text
        (name,) = changed.names
        assert changed.text[name.start : name.end] == "Anna"
        assert sum(not tags & OUTSIDE for tags in allowed_tags(changed, *read)) == 1


def test_without_noise_a_post_is_the_same_object():
    assert with_hashtags(POST, HashtagNoise(), POOL, random.Random(1)) is POST


def test_words_of_a_name_in_a_hashtag_carry_its_tags():
    segment = HashtagSegmenter.load().segment
    post = example("see New York soon", ("New York", "LOC"))
    changed = with_hashtags(post, ALWAYS, (), random.Random(2))
    words, line_starts = read_words(changed.text, segment)
    assert [word.surface.lower() for word in words] == ["see", "#", "new", "york", "soon"]
    tags = allowed_tags(changed, words, line_starts)
    begin, inside = 8, 16  # B-LOC, I-LOC
    assert [tag & ~outside for tag, outside in zip(tags, [385] * 5, strict=True)] == [0, 0, begin, inside, 0]


def test_the_names_to_join_with_are_whole_words_of_known_type():
    posts = [
        POST,
        example("# Oslo and Björk or Ng 1984", ("Oslo", "LOC"), ("Björk", "PER"), ("Ng", "PER"), ("1984", "MISC")),
    ]
    unsure = Example("Abba sings", (MarkedName(0, 4, "ANY"), MarkedName(5, 10, None)))
    assert hashtag_names([*posts, unsure]) == [("Angela Merkel", "PER"), ("New York", "LOC"), ("BBC", "ORG")]
