"""Fits how the hashtag network advises the language model, and writes the file that serves.

`python -m training.hashtags.combination`, after `python -m training.hashtags.counts --folds runs/hashtag_network` and
`python -m training.hashtags.train`. All is fitted to STAN-large's training hashtags, each answered by a language
model and a network that have not seen it; no development set is looked at. (The weights of the language model's kinds
of evidence are fitted to all of them: about ninety numbers.)
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.datasets import data_folder
from training.hashtags.counts import fold_file
from training.hashtags.sources import Gold, read_segmentations
from training.hashtags.train import RUN, parameters_file
from training.hashtags.weights import FOLDS
from workers.hashtags.language_model import LanguageModel, read
from workers.hashtags.network import BreakNetwork, Matrix, pack
from workers.hashtags.segmenter import CANDIDATES, NETWORK_FILE

WEIGHTS = tuple(step / 20 for step in range(41))
SHARPNESSES = tuple(step / 10 for step in range(3, 16))
# The share of hashtags that the network may be asked about, which is what it costs: chosen for 4,000 hashtags a second
# on one core. Of the training hashtags no more are right if more are asked about.
MOST_ASKED = 1 / 8


@dataclass(frozen=True)
class Question:
    """The scores of both models for a hashtag's candidates, best first.

    The language model's scores (C,); for each the sum of the network's log-odds of its breaks (C,); which are accepted
    (C,); and whether the network alone is right.
    """

    scores: NDArray[np.float64]
    log_odds: NDArray[np.float64]
    accepted: NDArray[np.bool_]
    alone: bool

    def right(self, weight: float, close: float) -> bool:
        """Tells whether the combination gives an accepted answer."""
        if len(self.scores) == 1 or self.scores[0] - self.scores[1] >= close:
            return bool(self.accepted[0])
        return bool(self.accepted[np.argmax(self.scores + weight * self.log_odds)])


def load_parameters(path: Path) -> dict[str, Matrix]:
    """Reads the parameters of a trained network."""
    with np.load(path) as file:
        return dict(file)


def question(row: Gold, model: LanguageModel, network: BreakNetwork) -> Question | None:
    """Asks both models; None if the hashtag is not one run of letters and digits, or no answer has its letters."""
    run, answers = row
    lower = run.lower()
    accepted = {tuple(answer.lower().split()) for answer in answers}
    accepted = {answer for answer in accepted if "".join(answer) == lower}
    if not accepted or len(lower) != len(run) or not run.isalnum():
        return None
    logits = network.logits(run)
    ways = model.best(run, lower, CANDIDATES)
    breaks = [place + 1 for place, log_odds in enumerate(logits[:-1].tolist()) if log_odds > 0]
    return Question(
        scores=np.array([score for score, _ in ways]),
        log_odds=np.array([sum(logits[end - 1] for end in ends[:-1]) for _, ends in ways], dtype=np.float64),
        accepted=np.array([_words(lower, ends) in accepted for _, ends in ways]),
        alone=_words(lower, [*breaks, len(run)]) in accepted,
    )


def _words(lower: str, ends: Sequence[int]) -> tuple[str, ...]:
    return tuple(lower[start:end] for start, end in zip([0, *ends], ends, strict=False))


def questions(rows: Sequence[Gold], run: Path) -> list[Question]:
    """Asks the models of its own fold about each hashtag that can be asked about."""
    found: list[Question | None] = []
    for fold in range(FOLDS):
        model = read(run / fold_file(fold))
        network = BreakNetwork(load_parameters(parameters_file(run, fold)))
        found += [question(row, model, network) for row in rows[fold::FOLDS]]
    return [one for one in found if one is not None]


def share_right(asked: Sequence[Question], weight: float, close: float) -> float:
    """Returns the share of hashtags that the combination gets right."""
    return sum(one.right(weight, close) for one in asked) / len(asked)


def closest(asked: Sequence[Question]) -> float:
    """Returns the lead below which `MOST_ASKED` of the hashtags have their best candidate."""
    leads = [one.scores[0] - one.scores[1] if len(one.scores) > 1 else np.inf for one in asked]
    return float(np.quantile(leads, MOST_ASKED, method="lower"))


def likelihood(asked: Sequence[Question], weight: float, sharpness: float) -> float:
    """Returns the mean log-probability of the accepted candidates, where there are some and others, if `sharpness`
    times the combined score is a candidate's log-probability up to a constant."""
    total, told = 0.0, 0
    for one in asked:
        if one.accepted.any() and not one.accepted.all():
            scores = sharpness * (one.scores + weight * one.log_odds)
            total += float(np.logaddexp.reduce(scores[one.accepted]) - np.logaddexp.reduce(scores))
            told += 1
    return total / told


def fit(asked: Sequence[Question]) -> float:
    """Returns the weight that makes the accepted candidates likeliest: it varies less than the weight with most right
    answers.

    What a break costs as such stays with the language model: kinds of hashtags differ in how many words they have, and
    a number fitted to one kind would move the others.
    """
    return max(WEIGHTS, key=lambda weight: max(likelihood(asked, weight, sharpness) for sharpness in SHARPNESSES))


def main() -> None:
    """Fits, says how it went, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=RUN)
    parser.add_argument("--output", type=Path, default=NETWORK_FILE)
    arguments = parser.parse_args()
    rows = read_segmentations(data_folder() / "hashtags" / "stan_large" / "train_corrected.tsv")
    asked = questions(rows, arguments.run)
    close = closest(asked)
    weight = fit(asked)
    print(f"{len(asked)} of {len(rows)} training hashtags, none seen by the models that answer it")
    for name, share in (
        ("language model alone", share_right(asked, 0.0, 0.0)),
        ("network alone", sum(one.alone for one in asked) / len(asked)),
        ("combination, always asked", share_right(asked, weight, np.inf)),
        (f"combination, asked of 1 in {1 / MOST_ASKED:.0f}", share_right(asked, weight, close)),
        (f"the best {CANDIDATES} candidates hold it", sum(bool(one.accepted.any()) for one in asked) / len(asked)),
    ):
        print(f"{name:34}{share:.1%}")
    packed = pack(load_parameters(parameters_file(arguments.run)), weight, close)
    arguments.output.write_bytes(packed)
    print(f"weight {weight:.2f}, close {close:.2f}; {arguments.output}: {len(packed):,} bytes")


if __name__ == "__main__":
    main()
