"""The tagger without a model: right about its few names, and open about what it is."""

import time
from datetime import UTC, datetime

import pytest

from tagstream.errors import BadSettings
from tagstream.posts import Author, Hashtag, Media, Post, TaggedPost
from workers.tagger.stub import NAMES, StubTagger, open_stub


def tag(text: str, **fields: object) -> TaggedPost:
    post = Post(id="jsonl:1", source="jsonl", created_at=datetime(2024, 1, 1, tzinfo=UTC), text=text, **fields)  # type: ignore[arg-type]
    tagger = StubTagger()
    (tagged,) = tagger.tag(tagger.prepare([post]))
    return tagged


def test_it_says_that_it_is_a_stub_and_not_degraded() -> None:
    tagged = tag("x")
    assert tagged.model == "stub@1"
    assert tagged.generation % 2 == 1
    assert tagged.degraded == ()


def test_offsets_are_code_points_and_longer_names_win() -> None:
    text = "🎉🏽 New York, Beyoncé and iPhones in Londonderry; iPhone"
    tagged = tag(text)
    assert [(entity.text, entity.type, entity.key) for entity in tagged.entities] == [
        ("New York", "LOC", "new york"),
        ("Beyoncé", "PER", "beyoncé"),
        ("iPhone", "MISC", "iphone"),
    ]
    assert all(text[entity.start : entity.end] == entity.text for entity in tagged.entities)


def test_hashtags_stay_one_word_and_their_names_say_so() -> None:
    tagged = tag("#Paris Paris", hashtags=(Hashtag(text="Paris", start=0, end=6),))
    assert [hashtag.words for hashtag in tagged.hashtags] == [("Paris",)]
    assert [entity.in_hashtag for entity in tagged.entities] == [True, False]


def test_a_language_that_is_not_read_gets_no_entities_and_says_so() -> None:
    assert tag("Paris", lang="fr").untagged == "language"
    assert tag("Paris", lang="fr").entities == ()
    for lang in (None, "en", "en-GB", "und"):
        assert tag("Paris", lang=lang).untagged is None
        assert len(tag("Paris", lang=lang).entities) == 1


def test_the_rest_of_the_post_is_kept_without_picture_bytes() -> None:
    media = (Media(url="https://example.org/a.jpg", alt="a dog", thumbnail=b"\xff\xd8"),)
    tagged = tag("x", author=Author(id="jsonl:a", handle="a"), revision=7, media=media, reply_to="jsonl:0", lang="en")
    assert tagged.author == Author(id="jsonl:a", handle="a")
    assert (tagged.revision, tagged.reply_to, tagged.lang) == (7, "jsonl:0", "en")
    assert tagged.media == (Media(url="https://example.org/a.jpg", alt="a dog"),)


def test_every_name_is_found_as_it_is_listed() -> None:
    for name, type_ in NAMES.items():
        assert [(entity.text, entity.type) for entity in tag(f"so, {name}!").entities] == [(name, type_)]


def test_a_batch_takes_the_latency_that_the_specification_names() -> None:
    tagger = open_stub("stub:?latency_ms=30", frozenset({"en"}))
    started = time.perf_counter()
    tagger.tag([])
    assert time.perf_counter() - started >= 0.03


@pytest.mark.parametrize("specification", ["stub:x", "stub:?latency_ms=", "stub:?latency_ms=-1", "stub:?latency=1"])
def test_a_specification_of_no_stub_is_refused(specification: str) -> None:
    with pytest.raises(BadSettings, match="latency_ms=N"):
        open_stub(specification, frozenset({"en"}))
