"""The fit of the rejection of a version: `python -m training.image.unknown.fit --version 1`.

::

    training pictures ─▶ logits ─▶ mean of each class, spread within classes ─▶ whitening, centres (rejection.npz)
    known pictures, first half ──┬─▶ three figures each ─▶ logistic regression ─▶ weights ─▶ `least` (labels.json)
    unknown pictures, first half ┘   right label or not        every group counts alike       the strictest group's

`least` is the lowest sum at which at most a share of each group of unknown pictures gets a label. The second halves are
for `training.image.measure`. The command rewrites the version, raises its generation, and leaves the networks alone.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.image.dataset import Classes, Pictures, data_folder, load_pictures, validation_half
from training.image.evaluate import served_logits
from training.image.network import INPUT_SIDE
from training.image.triton_config import generation_for, write_configuration
from training.image.unknown.groups import drawings, judged_photos, ruins
from workers.images.classifier import FloatArray, OpenVinoImageNetwork, Pixels
from workers.models.image_rejection import FIGURES, ClassStatistics, Figures, Rejection, RejectionRule
from workers.models.image_repository import LABELS, NAME, open_image_version
from workers.models.version_folder import MODEL

Network = Callable[[Pixels], tuple[FloatArray, FloatArray]]

STATISTICS_PICTURES = 20_000
# Held-out groups are harder than those that choose: at 3 % here they stay below 5 % with their intervals.
SHARE = 0.03
# Pictures of the 200 things with a wrong first answer are no good labels, and no photos of other things either.
_WRONG_WEIGHT = 0.3
_RIDGE = 1e-4
_NEWTON_STEPS = 30
_SEED = 7
# No sum is lower: nothing is rejected.
_LOWEST = -1e9


@dataclass(frozen=True, slots=True, eq=False)
class RejectionEvidence:
    """The figures of pictures, a row each, and whether the first answer of each is right; False for unknown ones."""

    figures: Figures
    right: npt.NDArray[np.bool_]


def class_statistics(logits: FloatArray, classes: Classes) -> ClassStatistics:
    """Returns where the logits of each class lie, all classes with one spread."""
    count = logits.shape[1]
    means = np.stack([logits[classes == number].mean(0, dtype=np.float64) for number in range(count)])
    spread = np.cov((logits - means[classes]).T) + _RIDGE * np.eye(count)
    whitening = np.linalg.cholesky(np.linalg.inv(spread))
    return ClassStatistics(whitening.astype(np.float32), (means @ whitening).astype(np.float32))


def known_evidence(
    statistics: ClassStatistics, logits: FloatArray, classes: Classes, temperature: float
) -> tuple[RejectionEvidence, RejectionEvidence]:
    """Returns the evidence of pictures of the classes as they are, and with the class of each hidden from the model."""
    shown = np.stack([statistics.figures(row, temperature) for row in logits])
    hidden = [
        statistics.figures(row, temperature, without=int(number)) for row, number in zip(logits, classes, strict=True)
    ]
    return RejectionEvidence(shown, logits.argmax(1) == classes), unknown_evidence(np.stack(hidden))


def unknown_evidence(figures: Figures) -> RejectionEvidence:
    """Returns the evidence of pictures that show none of the classes."""
    return RejectionEvidence(figures, np.zeros(len(figures), bool))


def unknown_pictures(
    network: Network, statistics: ClassStatistics, temperature: float, half: int, pictures: Pictures
) -> dict[str, RejectionEvidence]:
    """Returns the evidence of each group of a half that needs no class hidden; ruins are made of `pictures`."""

    def evidence(inputs: Iterable[Pixels]) -> RejectionEvidence:
        return unknown_evidence(np.stack([statistics.figures(network(pixels)[0], temperature) for pixels in inputs]))

    return {
        "drawn": evidence(drawings(half)),
        "destroyed": evidence(ruins(half, pictures)),
        "photos": evidence(judged_photos(half)),
    }


def fit_weights(known: RejectionEvidence, unknown: Mapping[str, RejectionEvidence]) -> list[float]:
    """Returns the weights of a logistic regression that tells right answers from all others.

    The groups of unknown pictures weigh as much together as the known ones.
    """
    figures = np.concatenate([known.figures, *(group.figures for group in unknown.values())])
    right = np.concatenate([known.right, *(group.right for group in unknown.values())])
    one_group = len(known.right) / len(unknown)
    shares = [np.where(known.right, 1, _WRONG_WEIGHT)]
    shares += [np.full(len(group.right), one_group / len(group.right)) for group in unknown.values()]
    mean, deviation = figures.mean(0), figures.std(0)
    inputs = np.column_stack([(figures - mean) / deviation, np.ones(len(figures))])
    return [float(f"{weight:.6g}") for weight in _logistic(inputs, right, np.concatenate(shares))[:FIGURES] / deviation]


def _logistic(inputs: Figures, right: npt.NDArray[np.bool_], weights: Figures) -> Figures:
    solution = np.zeros(inputs.shape[1])
    for _ in range(_NEWTON_STEPS):
        chances = 1 / (1 + np.exp(-(inputs @ solution)))
        slope = inputs.T @ (weights * (right - chances))
        curvature = (inputs.T * (weights * chances * (1 - chances))) @ inputs + _RIDGE * np.eye(len(solution))
        solution += np.linalg.solve(curvature, slope)
    return solution


def least_sum(evidence: RejectionEvidence, weights: list[float], threshold: float, share: float) -> float:
    """Returns the lowest sum, to a ten-thousandth, at which at most `share` of the pictures gets a label."""
    sums = np.sort(evidence.figures[evidence.figures[:, 0] >= math.log(threshold)] @ np.array(weights))[::-1]
    allowed = math.ceil(share * len(evidence.figures))
    # One picture of a small group may always have one: none at all would be left to the chance of a single photo.
    return _LOWEST if allowed >= len(sums) else (math.floor(1e4 * sums[allowed]) + 1) / 1e4


def fit_rejection(
    file: Path, train: Pictures, held_out: Pictures, *, temperature: float, threshold: float, share: float = SHARE
) -> Rejection:
    """Fits the rejection of the network in `file`; of `held_out` the first half alone is used."""
    network = OpenVinoImageNetwork(file, INPUT_SIDE, 1)
    rows = np.sort(np.random.default_rng(_SEED).permutation(len(train))[:STATISTICS_PICTURES])
    sample = Pictures(train.pixels[rows], train.classes[rows])
    statistics = class_statistics(served_logits(network, sample), sample.classes)
    chosen = validation_half(held_out, 0)
    known, hidden = known_evidence(statistics, served_logits(network, chosen), chosen.classes, temperature)
    unknown = unknown_pictures(network, statistics, temperature, 0, chosen) | {"hidden class": hidden}
    weights = fit_weights(known, unknown)
    least = max(least_sum(group, weights, threshold, share) for group in unknown.values())
    return Rejection(RejectionRule(weights=weights, least=least, share=share), statistics)


def main() -> None:
    """Runs the command line of this module."""
    parser = argparse.ArgumentParser(description="Fit the rejection of an image encoder anew; its networks stay.")
    parser.add_argument("--repository", type=Path, default=Path("triton_models"))
    parser.add_argument("--version", type=int, default=1)
    parser.add_argument("--share", type=float, default=SHARE, help="of unknown pictures that may get a label")
    parser.add_argument("--generation", type=int, help="odd, and above the present ones [default: the next]")
    parser.add_argument("--cache", type=Path, default=Path("runs/image/cache"), help="folder for decoded pictures")
    arguments = parser.parse_args()
    version = open_image_version(arguments.repository, arguments.version)
    model = arguments.repository / NAME
    generation = generation_for(model, version.version, arguments.generation)
    description = version.description
    rejection = fit_rejection(
        version.folder / MODEL,
        *(load_pictures(data_folder(), part, arguments.cache) for part in ("train", "val")),
        temperature=description.temperature,
        threshold=description.threshold,
        share=arguments.share,
    )
    changed = description.model_copy(update={"rejection": rejection.rule, "generation": generation})
    rejection.statistics.write(version.folder)
    (version.folder / LABELS).write_text(changed.model_dump_json(indent=1) + "\n", encoding="utf-8")
    write_configuration(model)
    print(json.dumps({"generation": generation, **rejection.rule.model_dump()}, indent=1))


if __name__ == "__main__":
    main()
