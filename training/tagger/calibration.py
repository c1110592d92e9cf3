"""The arithmetic of calibration: from names with the CRF's probabilities to a map, its errors, and a least score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tagstream.posts import ENTITY_TYPES
from training.datasets import CORPORA
from workers.models.repository import Calibration
from workers.tagger.scoring import Scoring

# The sets with many posts without a name, on which false names are counted.
CAPPED = ("btc", "wnut17", "tweebank")
BINS = 15
THRESHOLDS = [step / 100 for step in range(100)]
_RIDGE = 1e-3

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Answers:
    """Every name that a version gives on the development sets, before calibration, one element a name.

    `probability` is the CRF's; `kind` and `corpus` number ENTITY_TYPES and CORPORA; `half` is 0 or 1, by the post's
    hash; `in_free` tells names in posts that have none by the gold. `gold` and `free` count, for each set, the names of
    the gold and the posts without one.
    """

    probability: FloatArray
    is_right: BoolArray
    kind: IntArray
    corpus: IntArray
    half: IntArray
    in_free: BoolArray
    gold: IntArray
    free: IntArray


def fit(answers: Answers, chosen: BoolArray) -> Calibration:
    """Returns the slope and the offsets that make the chosen names likeliest; each set weighs alike."""
    inputs = _inputs(answers)[chosen]
    right = answers.is_right[chosen].astype(np.float64)
    size = np.maximum(np.bincount(answers.corpus[chosen], minlength=len(CORPORA)), 1)
    weights = (len(right) / (len(CORPORA) * size))[answers.corpus[chosen]]
    # The prior says that nothing need be corrected: a type of which no name was given keeps the offset 0.
    prior = np.array([1.0, *[0.0] * len(ENTITY_TYPES)])
    values = prior.copy()
    for _ in range(50):  # Newton's method
        chance = 1 / (1 + np.exp(-inputs @ values))
        slope = inputs.T @ (weights * (chance - right)) + _RIDGE * (values - prior)
        curvature = (inputs * (weights * chance * (1 - chance))[:, None]).T @ inputs + _RIDGE * np.eye(len(values))
        values = values - np.linalg.solve(curvature, slope)
    return Calibration(
        slope=round(float(values[0]), 4),
        offsets={kind: round(float(value), 4) for kind, value in zip(ENTITY_TYPES, values[1:], strict=True)},
    )


def _inputs(answers: Answers) -> FloatArray:
    """Returns (names, 5): the log-odds, and which type it is."""
    probability = np.clip(answers.probability, 1e-4, 1 - 1e-4)
    kinds = answers.kind[:, None] == np.arange(len(ENTITY_TYPES))
    return np.concatenate([np.log(probability / (1 - probability))[:, None], kinds], axis=1)


def scores(answers: Answers, calibration: Calibration) -> FloatArray:
    """Returns the calibrated score of every name, as serving gives it."""
    scoring = Scoring(calibration.slope, calibration.offsets)
    pairs = zip(answers.probability.tolist(), answers.kind.tolist(), strict=True)
    return np.array([scoring.score(probability, ENTITY_TYPES[kind]) for probability, kind in pairs])


def calibration_error(scores: FloatArray, is_right: BoolArray, bins: int = BINS) -> float:
    """Returns the expected calibration error: by how much score and share of right names differ, over equal bins."""
    if not len(scores):
        return 0.0
    order = np.argsort(scores, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return sum(len(part) * abs(float(scores[part].mean() - is_right[part].mean())) for part in parts) / len(order)


def errors(scores: FloatArray, answers: Answers, chosen: BoolArray) -> dict[str, Any]:
    """Returns the calibration errors of the chosen names: of all, of each type and of each set."""

    def error(among: BoolArray) -> float:
        return calibration_error(scores[chosen & among], answers.is_right[chosen & among])

    return {
        "names": int(chosen.sum()),
        "all": error(chosen),
        "types": {kind: error(answers.kind == number) for number, kind in enumerate(ENTITY_TYPES)},
        "sets": {corpus: error(answers.corpus == number) for number, corpus in enumerate(CORPORA)},
    }


def operating_points(scores: FloatArray, answers: Answers) -> list[dict[str, Any]]:
    """Returns, for each threshold, F1 and the false names in 1,000 posts without any, for every set."""
    points = []
    for threshold in THRESHOLDS:
        f1, false = {}, {}
        for number, corpus in enumerate(CORPORA):
            given = (scores >= threshold) & (answers.corpus == number)
            right = int(answers.is_right[given].sum())
            f1[corpus] = 2 * right / max(int(given.sum() + answers.gold[number]), 1)
            false[corpus] = 1000 * int(answers.in_free[given].sum()) / max(int(answers.free[number]), 1)
        points.append({"min_score": threshold, "mean_f1": sum(f1.values()) / len(f1), "f1": f1, "false": false})
    return points


def choose(points: Sequence[dict[str, Any]], most_false: float) -> dict[str, Any]:
    """Returns the point of the best mean F1 among those within the cap; the lowest threshold of equals."""
    within = [point for point in points if all(point["false"][corpus] <= most_false for corpus in CAPPED)]
    return max(within or points[-1:], key=lambda point: (round(point["mean_f1"], 6), -point["min_score"]))
