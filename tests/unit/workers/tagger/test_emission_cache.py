"""What the network answered is kept for rows that come again: exactly, within bounds, and only if it answered."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest

from tagstream.errors import ModelUnavailable
from tagstream.posts import Media, Post
from tagstream.text.hashtags import hashtags_of
from workers.tagger.crf_decoder import TAGS, Decoder
from workers.tagger.emission_cache import RowMemory
from workers.tagger.encoding import Encoder
from workers.tagger.model_tagger import ModelTagger

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "#", "@", "user", "http", "ada", "paris"]


class PickyEmitter:
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


def tagger_with(memory, emitter):
    return ModelTagger(
        model="test@1",
        generation=1,
        encoder=Encoder(VOCABULARY, lambda hashtag: (hashtag,)),
        emitter=emitter,
        decoder=Decoder(np.zeros((9, 9)), np.zeros(9), np.zeros(9)),
        segment=lambda hashtag: (hashtag,),
        languages=frozenset({"und"}),
        memory=memory,
    )


def post(text, alt=None):
    media = (Media(alt=alt),) if alt else ()
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    return Post(id="test:1", source="test", created_at=moment, text=text, hashtags=hashtags_of(text), media=media)


def tag(tagger, *posts):
    return tagger.tag(tagger.prepare(posts))


@pytest.fixture
def emitter():
    return PickyEmitter()


@pytest.fixture
def memory():
    return RowMemory(1024 * 1024)


def test_a_row_is_asked_about_once_and_answered_the_same_for_ever(memory, emitter):
    posts = [post("Ada in Paris"), post("Ada"), post("Ada in Paris"), post("paris " * 200)]
    expected = tag(tagger_with(None, PickyEmitter()), *posts)
    tagger = tagger_with(memory, emitter)
    assert tag(tagger, *posts) == expected
    asked_once = emitter.rows
    assert asked_once == memory.computed == memory.asked - 1
    assert [tag(tagger, one)[0] for one in reversed(posts)] == expected[::-1]
    assert emitter.rows == asked_once


def test_the_same_pieces_in_another_case_or_segment_are_another_row(memory, emitter):
    posts = [post("ada paris here"), post("Ada Paris here"), post("ADA PARIS HERE"), post("ada", "paris here")]
    posts += [post("ada", "paris"), post("#ada paris"), post("ada @one1won paris"), post("ada @one2won paris")]
    expected = [tag(tagger_with(None, PickyEmitter()), one)[0] for one in posts]
    tagger = tagger_with(memory, emitter)
    assert [tag(tagger, one)[0] for one in posts] == expected
    assert emitter.rows == len(posts) - 1  # of a name behind @ only its outline is read


def test_what_was_not_answered_is_not_remembered(memory, emitter):
    tagger = tagger_with(memory, emitter)
    emitter.fails = True
    with pytest.raises(ModelUnavailable):
        tag(tagger, post("Ada"))
    emitter.fails = False
    assert tag(tagger, post("Ada")) == tag(tagger_with(None, PickyEmitter()), post("Ada"))
    assert emitter.rows == 1


def test_it_stays_within_its_bytes_and_forgets_what_was_asked_longest_ago():
    def answer():
        return np.zeros((4, 9), np.float32)

    memory = RowMemory(3 * 1000)
    rows = [bytes([number]) * 400 for number in range(4)]
    for row in rows[:3]:
        memory.keep({row: answer()})
    assert memory.recall(rows).keys() == set(rows[:3])
    memory.recall(rows[:1])
    memory.keep({rows[3]: answer()})
    assert memory.recall(rows).keys() == {rows[0], rows[2], rows[3]}
    memory.keep({b"x" * 5000: answer()})
    assert not memory.recall([*rows, b"x" * 5000])
    memory.keep({rows[0]: answer()})
    memory.forget()
    assert not memory.recall(rows)


def test_an_answer_does_not_keep_its_batch_alive(memory, emitter):
    tagger = tagger_with(memory, emitter)
    (prepared,) = tagger.prepare([post("Ada in Paris")])
    tagger.tag([prepared])
    (row,) = prepared.payload.rows
    (answer,) = memory.recall([row.columns.tobytes()]).values()
    assert answer.base is None
    assert answer.shape == (len(row.columns), 9)


def test_many_threads_at_once(emitter):
    memory = RowMemory(20_000)
    texts = [f"ada {'paris ' * (number % 7)}{number % 90}" for number in range(600)]
    expected = [tag(tagger_with(None, PickyEmitter()), post(text))[0] for text in texts]
    tagger = tagger_with(memory, emitter)
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda text: tag(tagger, post(text))[0], texts)) == expected
    assert memory.asked == 600
