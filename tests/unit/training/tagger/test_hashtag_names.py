"""Names written as hashtags: where the name then stands, and what counts as found."""

import pytest

from tagstream.posts import Entity, TaggedPost
from training.tagger import hashtag_names
from training.tagger.hashtag_names import after_posts, is_found, score_nameless
from training.tagger.named_posts import WAYS, NamedPost, write_as_hashtag
from training.tagger.nameless import POSTS, nameless_hashtags, nameless_posts
from workers.tagger.conll import gold_spans, joined_post

POST = joined_post([("I", "O"), ("love", "O"), ("New", "B-LOC"), ("York", "I-LOC"), ("so", "O"), ("much", "O")])
NAME = NamedPost(POST, 2, 4, "LOC")


def answer(post, start, end, kind="LOC"):
    entity = Entity(text=post.text[start:end], type=kind, start=start, end=end, score=1.0, key="x")
    return TaggedPost.model_construct(entities=(entity,))


@pytest.mark.parametrize(
    ("before", "after", "capitals", "text", "inside"),
    [
        ((), (), True, "I love #NewYork so much", "NewYork"),
        ((), (), False, "I love #newyork so much", "newyork"),
        (("pray", "for"), (), True, "I love #PrayForNewYork so much", "NewYork"),
        ((), ("news",), False, "I love #newyorknews so much", "newyork"),
    ],
)
def test_a_name_in_a_hashtag_stands_where_its_words_do(before, after, capitals, text, inside):
    written = write_as_hashtag(NAME, before, after, capitals=capitals)
    assert written.post.text == text
    assert text[written.start : written.end] == inside
    assert gold_spans(written.post, lenient=False) == {(2, 3, "LOC")}


def test_found_is_the_same_words_and_the_same_type():
    written = write_as_hashtag(NAME, ("visit",), (), capitals=True)
    start, end = written.start, written.end
    assert is_found(answer(written.post, start, end), written, "LOC")
    assert not is_found(answer(written.post, start, end, "ORG"), written, "LOC")
    assert not is_found(answer(written.post, start - 5, end), written, "LOC")  # the topic with the name
    assert not is_found(answer(written.post, start, end - 4), written, "LOC")


def test_topics_are_taken_in_turn():
    names = [NAME] * 5
    texts = {WAYS["joined with other words, CamelCase"](names, place).post.text for place in range(5)}
    assert len(texts) == 5
    assert all("NewYork" in text for text in texts)


OTHER = NamedPost(joined_post([("Ada", "B-PER"), ("Lovelace", "I-PER"), ("sails", "O")]), 0, 2, "PER")


def test_a_name_stands_after_its_sentence_among_hashtags_and_with_another_name():
    names = [NAME, OTHER]
    after = WAYS["after the sentence, CamelCase"](names, 0)
    assert after.post.text == "I love so much #NewYork"
    assert after.post.text[after.start : after.end] == "NewYork"
    for place, other in ((0, "adalovelace"), (1, "newyork")):
        both = WAYS["with another name in one hashtag, lower case"](names, place)
        name = "".join(names[place].words).lower()
        assert ("#" + name + other if place == 0 else "#" + other + name) in both.post.text.split()
        assert both.post.text[both.start : both.end] == name
    for place in range(2):
        among = WAYS["in a post of hashtags, lower case"](names, place)
        words = among.post.text.split()
        assert 2 <= len(words) <= 7
        assert all(word.startswith("#") for word in words)
        assert among.post.text[among.start : among.end] == "".join(names[place].words).lower()
        assert [kind for _, _, kind in gold_spans(among.post, lenient=False)] == [names[place].kind]


class Finder:
    """Calls every word of a list a place, wherever it stands."""

    def __init__(self, *words):
        self.words = words

    def answer(self, post):
        entities = [
            Entity(text=word, type="LOC", start=place, end=place + len(word), score=1.0, key="x")
            for word in self.words
            for place in range(len(post.text))
            if post.text.startswith(word, place)
        ]
        return TaggedPost.model_construct(entities=tuple(entities))


@pytest.fixture
def nameless(monkeypatch):
    """Four hashtags and two posts of a development set; a tagger answers for each post by itself."""
    monkeypatch.setattr(hashtag_names, "nameless_hashtags", lambda: ["GoodDay", "goodday", "Rain", "rain"])
    posts = [joined_post([("Oslo", "B-LOC"), ("rain", "O")]), joined_post([("so", "O"), ("Rain", "O")])]
    monkeypatch.setattr(hashtag_names, "CORPORA", ("one",))
    monkeypatch.setattr(hashtag_names, "development_posts", lambda _: posts)
    monkeypatch.setattr(hashtag_names, "tag_conll", lambda posts, tagger: [tagger.answer(post) for post in posts])


@pytest.mark.usefixtures("nameless")
def test_false_entities_are_those_that_touch_a_hashtag():
    posts, groups = after_posts(["GoodDay", "goodday", "Rain", "rain"])
    assert sorted(hashtag for group in groups for hashtag in group) == ["GoodDay", "Rain", "goodday", "rain"]
    assert all(
        post.text.endswith(" ".join(f"#{one}" for one in group)) for post, group in zip(posts, groups, strict=True)
    )
    none = score_nameless(Finder("Oslo", "so "))
    assert (none["hashtags"], none["false_entities_per_1000"], none["after_posts_per_1000"]) == (4, 0, 0)
    some = score_nameless(Finder("Oslo", "#Rain"))
    assert (some["false_entities_per_1000"], some["after_posts_per_1000"]) == (250, 250)


def test_nameless_hashtags_are_many_and_stand_whole_in_their_posts():
    hashtags = nameless_hashtags()
    assert len(hashtags) > 800
    assert "GoodMorning" in hashtags
    assert "goodmorning" in hashtags
    posts = nameless_posts(hashtags)
    assert all(f"#{hashtag}" in post.split() for hashtag, post in zip(hashtags, posts, strict=True))
    assert len(posts) > len(POSTS)
