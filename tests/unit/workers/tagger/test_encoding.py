"""Rows of model input: segments, buckets, windows over long posts."""

from itertools import pairwise

import numpy as np
import pytest

from workers.tagger.encoding import BUCKET, MAX_LENGTH, Encoder, stack_sequences
from workers.tagger.hashtag_words import split_hashtags
from workers.tagger.words import split_words

VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "#",
    "@",
    "user",
    "http",
    "new",
    "york",
    "city",
    "##s",
    "a",
    "boat",
    ".",
]


@pytest.fixture
def encoder():
    return Encoder(VOCABULARY)


def pieces(row):
    return [VOCABULARY[number] for number in row.columns[:, 0]]


def test_three_segments_in_order(encoder):
    words = split_hashtags(
        split_words("New Yorks @me http://t.co/x #NewYork"), lambda hashtag: [hashtag[:3], hashtag[3:]]
    )
    (row,) = encoder.encode(words, [("New", "York")], "a boat")
    assert pieces(row) == [
        "[CLS]", "new", "york", "##s", "@", "user", "http", "#", "new", "york", "[SEP]", "new", "york", "[SEP]",
        "a", "boat", "[SEP]",
    ]  # fmt: skip
    assert row.columns[:, 1].tolist() == [0] * 11 + [1] * 3 + [2] * 3
    assert row.first_pieces.tolist() == [1, 2, 4, 6, 7, 8, 9]


def test_a_missing_segment_leaves_no_separator(encoder):
    (row,) = encoder.encode(split_words("new boat"))
    assert pieces(row) == ["[CLS]", "new", "boat", "[SEP]"]


def test_a_post_without_words_has_no_row(encoder):
    assert encoder.encode(split_words("\u200b \n"), [("New",)], "a boat") == []


def test_letter_case_changes_the_features_and_not_the_pieces(encoder):
    (lower,), (upper,) = encoder.encode(split_words("york")), encoder.encode(split_words("YORK"))
    assert pieces(lower) == pieces(upper)
    assert not np.array_equal(lower.columns, upper.columns)


def test_a_long_post_is_covered_by_overlapping_rows(encoder):
    words = split_words("new york . " * 400)
    rows = encoder.encode(words, [("City",)], "a boat")
    assert all(len(row.columns) <= MAX_LENGTH for row in rows)
    covered = [range(row.first_word, row.first_word + len(row.first_pieces)) for row in rows]
    assert covered[0].start == 0
    assert covered[-1].stop == len(words)
    for before, after in pairwise(covered):
        assert before.start < after.start < before.stop < after.stop
    assert all(pieces(row)[-6:] == ["[SEP]", "city", "[SEP]", "a", "boat", "[SEP]"] for row in rows)


def test_long_words_do_not_multiply_the_rows(encoder):
    words = split_words("yorkssssssss " * 1000)  # nine pieces each: two would not fit into an overlap
    rows = encoder.encode(words)
    assert len(rows) <= 2 * sum(len(row.columns) for row in encoder.encode(words[:10])) * 100 / MAX_LENGTH


def test_one_endless_word_is_cut(encoder):
    (row,) = encoder.encode(split_words("york" * 10_000))
    assert len(row.columns) <= BUCKET


def test_stacking_pads_with_zeros(encoder):
    rows = [encoder.encode(split_words(text))[0] for text in ("new", "new york city")]
    batch = stack_sequences(rows, 16)
    assert batch.pieces.shape == batch.segments.shape == (2, 16)
    assert batch.features.shape == (2, 16, 6)
    assert batch.pieces[0, 3:].sum() == 0
    assert batch.features[0, 3:].sum() == 0
    assert batch.pieces[1, :5].tolist() == rows[1].columns[:, 0].tolist()


def test_caching_does_not_change_rows(encoder):
    words = split_words("New YORK new York #new new")
    first = encoder.encode(words)[0].columns.copy()
    encoder.encode(split_words("NEW YORK CITY"))
    assert np.array_equal(encoder.encode(words)[0].columns, first)
