"""What the network answered is kept for rows that come again: exactly, within bounds, and only if it answered."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest

from tagstream.errors import ModelUnavailable
from tagstream.posts import Media, Post
from tagstream.text.hashtags import hashtags_of
from workers.tagger.crf_decoder import TAGS, Decoder
from workers.tagger.emission_cache import EmissionCache
from workers.tagger.encoding import Encoder
from workers.tagger.model_tagger import ModelTagger

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "#", "@", "user", "http", "ada", "paris"]


class PickyNetwork:
    """Emissions that depend on everything a row says; counts the rows it is asked about, and fails if told to."""

    def __init__(self):
        self.rows = 0
        self.fails = False

    def __call__(self, batch):
        if self.fails:
            raise ModelUnavailable("away")
        self.rows += len(batch.pieces)
        said = batch.pieces + 7 * batch.segments + 13 * batch.features.sum(axis=2)
        return np.sin(said[..., None] * np.arange(1, len(TAGS) + 1)).astype(np.float32) * 4


def tagger_with(emission_cache, network):
    return ModelTagger(
        model="test@1",
        generation=1,
        encoder=Encoder(VOCABULARY),
        network=network,
        decoder=Decoder(np.zeros((9, 9)), np.zeros(9), np.zeros(9)),
        segment=lambda hashtag: (hashtag,),
        languages=frozenset({"und"}),
        emission_cache=emission_cache,
    )


def post(text, alt=None):
    media = (Media(alt=alt),) if alt else ()
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    return Post(id="test:1", source="test", created_at=moment, text=text, hashtags=hashtags_of(text), media=media)


def tag(tagger, *posts):
    return tagger.tag(tagger.prepare(posts))


@pytest.fixture
def network():
    return PickyNetwork()


@pytest.fixture
def emission_cache():
    return EmissionCache(1024 * 1024)


def test_a_row_is_asked_about_once_and_answered_the_same_for_ever(emission_cache, network):
    posts = [post("Ada in Paris"), post("Ada"), post("Ada in Paris"), post("paris " * 200)]
    expected = tag(tagger_with(None, PickyNetwork()), *posts)
    tagger = tagger_with(emission_cache, network)
    assert tag(tagger, *posts) == expected
    asked_once = network.rows
    assert asked_once == emission_cache.computed == emission_cache.asked - 1
    assert [tag(tagger, one)[0] for one in reversed(posts)] == expected[::-1]
    assert network.rows == asked_once


def test_the_same_pieces_in_another_case_or_segment_are_another_row(emission_cache, network):
    posts = [post("ada paris here"), post("Ada Paris here"), post("ADA PARIS HERE"), post("ada", "paris here")]
    posts += [post("ada", "paris"), post("#ada paris"), post("ada @one1won paris"), post("ada @one2won paris")]
    expected = [tag(tagger_with(None, PickyNetwork()), one)[0] for one in posts]
    tagger = tagger_with(emission_cache, network)
    assert [tag(tagger, one)[0] for one in posts] == expected
    assert network.rows == len(posts) - 1  # of a name behind @ only its outline is read


def test_what_was_not_answered_is_not_remembered(emission_cache, network):
    tagger = tagger_with(emission_cache, network)
    network.fails = True
    with pytest.raises(ModelUnavailable):
        tag(tagger, post("Ada"))
    network.fails = False
    assert tag(tagger, post("Ada")) == tag(tagger_with(None, PickyNetwork()), post("Ada"))
    assert network.rows == 1


def test_it_stays_within_its_bytes_and_forgets_what_was_asked_longest_ago():
    def answer():
        return np.zeros((4, 9), np.float32)

    emission_cache = EmissionCache(3 * 1000)
    rows = [bytes([number]) * 400 for number in range(4)]
    for row in rows[:3]:
        emission_cache.keep({row: answer()})
    assert emission_cache.recall(rows).keys() == set(rows[:3])
    emission_cache.recall(rows[:1])
    emission_cache.keep({rows[3]: answer()})
    assert emission_cache.recall(rows).keys() == {rows[0], rows[2], rows[3]}
    emission_cache.keep({b"x" * 5000: answer()})
    assert not emission_cache.recall([*rows, b"x" * 5000])
    emission_cache.keep({rows[0]: answer()})
    emission_cache.forget()
    assert not emission_cache.recall(rows)


def test_an_answer_does_not_keep_its_batch_alive(emission_cache, network):
    tagger = tagger_with(emission_cache, network)
    (prepared,) = tagger.prepare([post("Ada in Paris")])
    tagger.tag([prepared])
    (row,) = prepared.payload.sequences
    (answer,) = emission_cache.recall([row.columns.tobytes()]).values()
    assert answer.base is None
    assert answer.shape == (len(row.columns), 9)


def test_many_threads_at_once(network):
    emission_cache = EmissionCache(20_000)
    texts = [f"ada {'paris ' * (number % 7)}{number % 90}" for number in range(600)]
    expected = [tag(tagger_with(None, PickyNetwork()), post(text))[0] for text in texts]
    tagger = tagger_with(emission_cache, network)
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda text: tag(tagger, post(text))[0], texts)) == expected
    assert emission_cache.asked == 600
