"""Scores: the CRF's probability where nothing corrects it, and never out of order or bounds."""

import pytest

from workers.tagger.scoring import Scoring


@pytest.mark.parametrize("probability", [0.0001, 0.02, 0.5, 0.7312, 0.9999])
def test_without_a_calibration_the_score_is_the_probability(probability):
    assert Scoring().score(probability, "PER") == probability


def test_slope_and_offset_of_the_type_change_the_odds():
    scoring = Scoring(slope=0.5, offsets={"LOC": 1.0})
    assert scoring.score(0.9, "PER") == 0.75  # odds of 9 to 1 become 3 to 1
    assert scoring.score(0.5, "LOC") == 0.7311
    assert scoring.score(0.5, "ORG") == 0.5


@pytest.mark.parametrize("scoring", [Scoring(), Scoring(0.6, {"PER": -0.3}), Scoring(3.0, {"PER": 80.0})])
def test_scores_rise_with_the_probability_and_stay_probabilities(scoring):
    scores = [scoring.score(step / 1000, "PER") for step in range(1001)]
    assert scores == sorted(scores)
    assert 0 <= scores[0] <= scores[-1] <= 1
