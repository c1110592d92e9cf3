"""Calibration: a known map is found again, errors are those of the definition, and the cap bounds the choice."""

import numpy as np
import pytest

from tagstream.posts import ENTITY_TYPES
from training.datasets import CORPORA
from training.tagger.calibration import (
    CAPPED,
    Answers,
    calibration_error,
    choose,
    errors,
    fit,
    operating_points,
    scores,
)

SETS = list(CORPORA)


def made_up(names=12_000, slope=0.5, offsets=(0.3, 0.0, -0.4, -1.0)):
    """Names that are right as often as the map says."""
    random = np.random.default_rng(3)
    kind, corpus = random.integers(len(ENTITY_TYPES), size=names), random.integers(len(SETS), size=names)
    odds = random.normal(2, 2, names)
    chance = 1 / (1 + np.exp(-(slope * odds + np.array(offsets)[kind])))
    return Answers(
        probability=1 / (1 + np.exp(-odds)),
        is_right=random.random(names) < chance,
        kind=kind,
        corpus=corpus,
        half=random.integers(2, size=names),
        in_free=random.random(names) < 0.1,
        gold=np.bincount(corpus, minlength=len(SETS)),
        free=np.full(len(SETS), 1000),
    )


def test_a_known_map_is_found_again_and_errors_fall():
    answers = made_up()
    every = np.ones(len(answers.kind), bool)
    calibration = fit(answers, every)
    assert calibration.slope == pytest.approx(0.5, abs=0.05)
    assert list(calibration.offsets.values()) == pytest.approx([0.3, 0.0, -0.4, -1.0], abs=0.15)
    held_out = scores(answers, fit(answers, answers.half == 0))
    after = errors(held_out, answers, answers.half == 1)
    assert errors(answers.probability, answers, answers.half == 1)["all"] > 0.1
    assert after["all"] < 0.03
    assert max(after["types"].values()) < 0.06
    assert after["names"] == int((answers.half == 1).sum())


def test_a_set_of_many_names_weighs_no_more_than_one_of_few():
    answers = made_up()
    # In the first set, which now has nearly all names, every name is right; in the others every second one.
    corpus = np.where(np.arange(len(answers.kind)) % 8 < 6, 0, answers.corpus)
    right = (corpus == 0) | (np.arange(len(corpus)) % 2 == 0)
    skewed = Answers(
        np.full(len(corpus), 0.5), right, answers.kind * 0, corpus, answers.half, answers.in_free, answers.gold,
        answers.free,
    )  # fmt: skip
    calibration = fit(skewed, np.ones(len(corpus), bool))
    assert calibration.offsets["PER"] == pytest.approx(np.log(7 / 5), abs=0.05)  # one set of 1, five of 1/2
    assert calibration.offsets["ORG"] == 0


def test_the_error_is_the_mean_gap_between_score_and_share_of_right_names():
    given = np.array([0.2] * 10 + [0.9] * 10)
    right = np.array([True] * 4 + [False] * 6 + [True] * 9 + [False])
    assert calibration_error(given, right, bins=2) == pytest.approx((0.2 + 0.0) / 2)
    assert calibration_error(given[:0], right[:0]) == 0


def test_thresholds_count_f1_and_false_names_of_each_set():
    answers = Answers(
        probability=np.array([0.9, 0.6, 0.3]), is_right=np.array([True, False, True]), kind=np.array([0, 0, 0]),
        corpus=np.array([2, 2, 2]), half=np.array([0, 0, 0]), in_free=np.array([False, True, False]),
        gold=np.array([0, 0, 3, 0, 0, 0]), free=np.array([1, 1, 4, 1, 1, 1]),
    )  # fmt: skip
    points = {point["min_score"]: point for point in operating_points(answers.probability, answers)}
    assert [points[at]["f1"]["btc"] for at in (0.0, 0.5, 0.7)] == pytest.approx([4 / 6, 2 / 5, 2 / 4])
    assert [points[at]["false"]["btc"] for at in (0.0, 0.6, 0.61)] == [250, 250, 0]


def test_the_best_f1_within_the_cap_is_chosen():
    def point(min_score, mean_f1, false):
        return {"min_score": min_score, "mean_f1": mean_f1, "false": dict.fromkeys(SETS, false)}

    points = [point(0.0, 0.8, 90), point(0.3, 0.7, 30), point(0.4, 0.7, 20), point(0.5, 0.6, 10)]
    assert choose(points, 100)["min_score"] == 0.0
    assert choose(points, 30)["min_score"] == 0.3
    assert choose(points, 25)["min_score"] == 0.4
    points[2]["false"][CAPPED[1]] = 31
    assert choose(points, 25)["min_score"] == 0.5
    assert choose(points, 5)["min_score"] == 0.5  # no threshold will do: the strictest
