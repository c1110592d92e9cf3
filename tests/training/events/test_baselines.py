"""The baselines on a small feed: a fire is found, an account that repeats itself and a text that many copy are not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from elasticsearch import Elasticsearch
from feeds import feed_with_a_fire

from training.events.baselines.chain import ChainParameters, WordBurst, chain
from training.events.baselines.evidence import evidence
from training.events.baselines.first_story import FirstStoryParameters, first_stories, neighbours
from training.events.baselines.significant_terms import (
    INDEX,
    SignificantTermsParameters,
    index_posts,
    search_body,
    term_bursts,
)
from training.events.baselines.word_scores import WordScoreParameters, word_bursts
from training.events.baselines.words import WordedPost, worded, worded_posts
from training.events.feed import FeedPost
from training.events.score import score

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
CHAIN = ChainParameters(min_score=4.0, min_authors=12)


@pytest.fixture(scope="module")
def feed():
    return feed_with_a_fire()


@pytest.fixture(scope="module")
def posts(feed):
    return worded_posts(feed.posts)


def post(number, text, author=None, minute=0):
    return worded(FeedPost(f"p{number}", text, NOON + timedelta(minutes=minute), author or f"a{number}"))


def assert_finds_the_fire_alone(feed, events):
    scored = score(feed, events)
    assert (scored.found_in_time, scored.false_titles) == (1, ())


def test_words_are_neither_links_accounts_numbers_nor_common():
    text = "RT @user: The FIRE’s out in Rotterdam! 2013 http://x.org/fire #HarbourFire and the fire"
    assert worded(FeedPost("p1", text, NOON, "a")).words == ("fire", "rotterdam", "#harbourfire")


def test_word_scores_find_the_fire_alone(feed, posts):
    bursts = list(word_bursts(posts, WordScoreParameters(30, 12.0, fold_copies=True)))
    assert_finds_the_fire_alone(feed, chain(bursts, CHAIN))


def test_word_scores_take_copies_for_an_event_unless_they_are_folded(posts):
    bursts = list(word_bursts(posts, WordScoreParameters(30, 12.0, fold_copies=False)))
    assert [event.title for event in chain(bursts, CHAIN) if "zandra" in event.title]


def test_a_word_of_every_window_does_not_burst():
    usual = [post(number, f"weather w{number}", minute=3 * number) for number in range(400)]
    steps = word_bursts(usual, WordScoreParameters(30, 6.0, fold_copies=True))
    bursts = [burst for step in steps for burst in step if burst.minute > NOON + timedelta(hours=3)]
    assert not bursts


def test_first_stories_find_the_fire(feed, posts):
    parameters = FirstStoryParameters(min_cosine=0.4, min_authors=6, within_minutes=30, min_entropy=1.5)
    assert_finds_the_fire_alone(feed, first_stories(posts, neighbours(posts), parameters))


def test_a_thread_of_one_text_has_too_little_entropy(posts):
    parameters = FirstStoryParameters(min_cosine=0.4, min_authors=6, within_minutes=30, min_entropy=0.0)
    events = first_stories(posts, neighbours(posts), parameters)
    assert [event.title for event in events if "Zandra" in event.title]


def test_the_nearest_post_is_that_of_the_greatest_cosine():
    given = ["smoke over the harbour", "puppy eats pizza", "smoke and flames over the harbour", "novel"]
    first, second, third, fourth = neighbours([post(number, text) for number, text in enumerate(given)])
    assert (first.number, second.number, third.number, fourth.number) == (None, None, 0, None)
    assert 0.4 < third.cosine < 1


def test_a_post_far_from_all_others_begins_a_thread():
    given = [post(number, "smoke over the harbour tonight", minute=number) for number in range(6)]
    near = neighbours(given)
    parameters = FirstStoryParameters(min_cosine=0.5, min_authors=3, within_minutes=30, min_entropy=0.0)
    (event,) = first_stories(given, near, parameters)
    assert (event.authors, event.detected_at, event.posts) == (6, NOON + timedelta(minutes=2), ("p0",))
    assert not first_stories(given, near, replace(parameters, min_authors=7))
    assert not first_stories([replace(one, author="a") for one in given], near, parameters)


def burst(word, minute, numbers, words=None):
    held = tuple(WordedPost(f"p{number}", f"a{number}", NOON, "", words or (word, f"w{number}")) for number in numbers)
    return WordBurst(word, NOON + timedelta(minutes=minute), 9.0, len(numbers), held)


def test_words_of_the_same_posts_are_one_event():
    together = [burst("fire", 0, range(20)), burst("smoke", 0, range(14)), burst("exam", 0, range(20, 40))]
    events = chain([together], CHAIN)
    assert sorted(event.title for event in events) == ["exam", "fire smoke"]
    assert not chain([together], replace(CHAIN, min_authors=21))
    assert [event.title for event in chain([together], replace(CHAIN, min_words=2))] == ["fire smoke"]
    assert len(chain([together], replace(CHAIN, join=1.1))) == 3


def test_an_event_goes_on_while_its_words_burst_and_ends_after_an_hour():
    steps = [[burst("fire", minute, range(20))] for minute in (0, 30, 60, 180)]
    first, second = sorted(chain(steps, CHAIN), key=lambda event: event.detected_at)
    assert (first.detected_at, second.detected_at) == (NOON, NOON + timedelta(minutes=180))
    assert len({first.id, second.id}) == 2


def test_evidence_is_the_first_posts_and_a_spread_of_the_rest_without_copies():
    given = [post(number, f"fire at number{number}") for number in range(50)]
    chosen = evidence([given[0], *given])
    assert chosen[:10] == tuple(f"p{number}" for number in range(10))
    assert len(set(chosen)) == 20
    assert int(chosen[-1][1:]) > 45


def test_a_request_sees_nothing_of_later():
    parameters = SignificantTermsParameters(30, 24, "gnd", fold_copies=True)
    body = search_body(NOON, parameters)
    window = {"range": {"created_at": {"gte": "2024-01-01T11:30:00+00:00", "lt": "2024-01-01T12:00:00+00:00"}}}
    background = {"range": {"created_at": {"gte": "2023-12-31T11:30:00+00:00", "lt": "2024-01-01T12:00:00+00:00"}}}
    no_copies = [{"term": {"copy": True}}]
    assert body == {
        "size": 0,
        "query": {"bool": {"filter": [window], "must_not": no_copies}},
        "aggs": {
            "words": {
                "significant_terms": {
                    "field": "words",
                    "size": 40,
                    "min_doc_count": 4,
                    "gnd": {"background_is_superset": True},
                    "background_filter": {"bool": {"filter": [background], "must_not": no_copies}},
                },
                "aggs": {"authors": {"cardinality": {"field": "author"}}},
            }
        },
    }


def test_significant_terms_find_the_fire(feed, posts, elasticsearch):
    address = elasticsearch.specification.removeprefix("elasticsearch:")
    with Elasticsearch(address) as client:
        index_posts(client, posts)
        bursts = list(term_bursts(client, posts, SignificantTermsParameters(30, 24, "jlh", fold_copies=True)))
        assert_finds_the_fire_alone(feed, chain(bursts, ChainParameters(min_score=3.0, min_authors=8, min_words=2)))
        client.indices.delete(index=INDEX)
