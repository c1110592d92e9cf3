"""Fits what each kind of evidence for a segmentation is worth.

A log-linear model over the best candidates of each training hashtag, fitted so that the accepted segmentations win;
candidates are searched anew with each round's weights. The counts of the training segmentations themselves are always
taken from the other folds, so that the fit does not trust them more than it may on new hashtags.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.hashtags.evidence import FEATURES, Evidence, learn_boundaries, learn_characters
from training.hashtags.sources import Counts, Gold, add_segmentations
from workers.hashtags.language_model import LanguageModel

FOLDS = 5
ROUNDS = 3
CANDIDATES = 30
STEPS = 300
LEARNING_RATE = 0.05
DECAY = 1e-4
START_WEIGHTS = {
    "word": -8.0, "log_text": 0.3, "in_clusters": 0.8, "unknown_characters": 0.4, "unknown_6": 6.0,
    "pair_text_information": 0.5, "cut_lower_upper": 2.0, "cut_acronym_end": 2.0, "cut_lower_lower_camel": -2.0,
    "cut_letter_digit": 6.0, "cut_digit_digit": -6.0, "styled": 2.0,
    **{f"unknown_{length}": 5.5 for length in range(3, 13)},
    **{f"shape_{shape}": 5.0 for shape in ("one_digit", "two_digits", "three_digits", "year", "many_digits")},
}  # fmt: skip


@dataclass
class HashtagExample:
    """The candidates of one hashtag: features (C, F), and which of them are accepted (C,)."""

    features: NDArray[np.float64]
    accepted: NDArray[np.bool_]


def example_of(run: str, accepted: Sequence[str], model: LanguageModel, evidence: Evidence) -> HashtagExample | None:
    """Returns the candidates of a hashtag; None if it is not one run, or no accepted answer has its letters."""
    lower = run.lower()
    good = {tuple(answer.lower().split()) for answer in accepted}
    good = {answer for answer in good if "".join(answer) == lower}
    if not good or len(lower) != len(run) or not run.isalnum():
        return None
    candidates = dict.fromkeys(sorted(good))
    for _, ends in model.best(run, lower, CANDIDATES):
        candidates[tuple(lower[start:end] for start, end in zip([0, *ends], ends, strict=False))] = None
    features = np.array([evidence.segmentation(run, words) for words in candidates])
    return HashtagExample(features, np.array([words in good for words in candidates]))


def examples_of(rows: Sequence[Gold], weights: NDArray[np.float64], evidence: Evidence) -> list[HashtagExample]:
    """Returns the usable examples of some rows, searched with `weights`."""
    model = evidence.model(weights)
    found = (example_of(run, accepted, model, evidence) for run, accepted in rows)
    return [example for example in found if example is not None]


def fit(examples: Sequence[HashtagExample], start: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (F,) that make accepted candidates likely: full-batch Adam, from `start` and drawn to zero."""
    width = max(len(example.accepted) for example in examples)
    features = np.zeros((len(examples), width, len(FEATURES)))
    there = np.zeros((len(examples), width), dtype=bool)
    good = np.zeros((len(examples), width), dtype=bool)
    for number, example in enumerate(examples):
        size = len(example.accepted)
        features[number, :size], there[number, :size], good[number, :size] = example.features, True, example.accepted
    scale = np.maximum(features.reshape(-1, len(FEATURES)).std(axis=0), 0.05)
    features /= scale
    weights, first, second = start * scale, np.zeros_like(start), np.zeros_like(start)
    for step in range(1, STEPS + 1):
        scores = features @ weights
        excess = _softmax(np.where(there, scores, -np.inf)) - _softmax(np.where(good, scores, -np.inf))
        gradient = np.einsum("nc,ncf->f", excess, features) / len(examples) + DECAY * weights
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        weights = weights - LEARNING_RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    fitted: NDArray[np.float64] = weights / scale
    return fitted


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares


def with_rows(counts: Counts, rows: Sequence[Gold]) -> Counts:
    """Returns the counts with those of segmented hashtags added; `counts` itself stays."""
    words = {**counts.words, "tags": counts.words["tags"].copy()}
    pairs = {**counts.pairs, "tags": counts.pairs["tags"].copy()}
    joined = Counts(words=words, pairs=pairs, styled=counts.styled)
    add_segmentations(joined, rows)
    return joined


def others(rows: Sequence[Gold], fold: int) -> list[Gold]:
    """Returns the rows of all folds but one."""
    return [row for number, row in enumerate(rows) if number % FOLDS != fold]


def train(
    counts: Counts, rows: Sequence[Gold], marked: Sequence[Gold], report: Callable[[str], None]
) -> tuple[LanguageModel, NDArray[np.float64]]:
    """Returns the language model fitted to segmented hashtags (`rows`, and `marked` by their capitals), and its weights
    (F,).

    `marked` must not be among the counts; `report` is told of each round.
    """
    characters, boundaries = learn_characters(counts.words["text"]), learn_boundaries(counts)
    folds = [others(rows, fold) for fold in range(FOLDS)]
    weights = np.array([START_WEIGHTS.get(name, 0.0) for name in FEATURES])
    for number in range(1, ROUNDS + 1):
        examples: list[HashtagExample] = []
        for fold, learnt in enumerate(folds):
            evidence = Evidence(with_rows(counts, learnt), characters, boundaries)
            examples += examples_of([*rows[fold::FOLDS], *marked[fold::FOLDS]], weights, evidence)
        weights = fit(examples, weights)
        right = sum(bool(example.accepted[np.argmax(example.features @ weights)]) for example in examples)
        report(f"round {number} of {ROUNDS}: {right} of {len(rows) + len(marked)} training hashtags right")
    return model_of(counts, rows, weights), weights


def model_of(counts: Counts, rows: Sequence[Gold], weights: NDArray[np.float64]) -> LanguageModel:
    """Returns the language model of fitted weights that counts these segmented hashtags too."""
    characters, boundaries = learn_characters(counts.words["text"]), learn_boundaries(counts)
    return Evidence(with_rows(counts, rows), characters, boundaries).model(weights)
