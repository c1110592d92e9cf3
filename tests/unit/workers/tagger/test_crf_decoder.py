"""The CRF decoder against every sequence there is."""

import itertools
import math

import numpy as np
import pytest

from workers.tagger.crf_decoder import TAGS, Decoder, allowed_starts, allowed_transitions

RANDOM = np.random.default_rng(7)


@pytest.fixture
def weights():
    return RANDOM.normal(size=(9, 9)), RANDOM.normal(size=9), RANDOM.normal(size=9)


def legal_sequences(length):
    starts, follows = allowed_starts(), allowed_transitions()
    for tags in itertools.product(range(9), repeat=length):
        if starts[tags[0]] and all(follows[a, b] for a, b in itertools.pairwise(tags)):
            yield tags


def names(tags):
    """The names that tags spell: (first word, end word, type)."""
    starts = [place for place, tag in enumerate(tags) if tag % 2]
    ends = [next((end for end in range(at + 1, len(tags)) if tags[end] != tags[at] + 1), len(tags)) for at in starts]
    return {(start, end, tags[start]) for start, end in zip(starts, ends, strict=True)}


def score(tags, emissions, transitions, starts, ends):
    total = starts[tags[0]] + ends[tags[-1]] + sum(emissions[i, tag] for i, tag in enumerate(tags))
    return total + sum(transitions[a, b] for a, b in itertools.pairwise(tags))


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_tags_and_probabilities_by_enumeration(weights, length):
    sequences = list(legal_sequences(length))
    for emissions in RANDOM.normal(size=(6, length, 9)) * 2:
        (decoded,) = Decoder(*weights).decode([emissions])
        scores = np.array([score(tags, emissions, *weights) for tags in sequences])
        best = sequences[int(scores.argmax())]
        assert tuple(decoded.tags) == best
        chances = np.exp(scores - np.logaddexp.reduce(scores))
        for name in names(best):
            chance = sum(chance for chance, tags in zip(chances, sequences, strict=True) if name in names(tags))
            assert math.prod(decoded.probabilities[name[0] : name[1]]) == pytest.approx(chance, abs=1e-9)
        assert all(decoded.probabilities[place] == 1 for place, tag in enumerate(best) if tag == 0)


def test_a_row_is_the_same_to_the_bit_whatever_its_batch(weights):
    decoder = Decoder(*weights)
    posts = [RANDOM.normal(size=(length, 9)).astype(np.float32) * 5 for length in (1, 40, 3, 17, 9, 40, 2) * 5]
    alone = [decoder.decode([post])[0] for post in posts]
    for size in (2, 3, 8, 35):
        for start in range(0, len(posts), size):
            for expected, batched in zip(alone[start:], decoder.decode(posts[start : start + size]), strict=False):
                assert np.array_equal(expected.tags, batched.tags)
                assert np.array_equal(expected.probabilities, batched.probabilities)


def test_no_sequence_that_bio_forbids(weights):
    decoder = Decoder(*weights)
    for decoded in decoder.decode([RANDOM.normal(size=(30, 9)) * 20 for _ in range(50)]):
        names = ["O", *(TAGS[tag] for tag in decoded.tags)]
        for before, after in itertools.pairwise(names):
            assert not after.startswith("I-") or before[2:] == after[2:]


@pytest.mark.parametrize("size", [1e3, 1e6])
def test_extreme_scores_stay_probabilities(weights, size):
    for decoded in Decoder(*weights).decode([RANDOM.normal(size=(50, 9)) * size]):
        assert np.isfinite(decoded.probabilities).all()
        assert (decoded.probabilities >= 0).all()
        assert (decoded.probabilities <= 1).all()


def test_nothing_in_nothing_out(weights):
    assert Decoder(*weights).decode([]) == []
