"""Names written as hashtags: where the name then stands, and what counts as found."""

import pytest

from tagstream.posts import Entity, TaggedPost
from training.tagger.hashtag_names import WAYS, NamedPost, is_found, write_as_hashtag
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
    texts = {WAYS["joined with other words, CamelCase"](NAME, place).post.text for place in range(5)}
    assert len(texts) == 5
    assert all("NewYork" in text for text in texts)


def test_nameless_hashtags_are_many_and_stand_whole_in_their_posts():
    hashtags = nameless_hashtags()
    assert len(hashtags) > 800
    assert "GoodMorning" in hashtags
    assert "goodmorning" in hashtags
    posts = nameless_posts(hashtags)
    assert all(f"#{hashtag}" in post.split() for hashtag, post in zip(hashtags, posts, strict=True))
    assert len(posts) > len(POSTS)
