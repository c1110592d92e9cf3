"""The figures of a rejection on the held-out halves: unknown pictures with a label, and what known ones lose.

`python -m training.image.measure` shows them and writes them into the card.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import log, sqrt
from pathlib import Path

import numpy as np

from training.image.dataset import Pictures, data_folder, load_names, validation_half
from training.image.evaluate import served_logits
from training.image.network import INPUT_SIDE
from training.image.unknown.fit import RejectionEvidence, known_evidence, unknown_evidence, unknown_pictures
from training.image.unknown.groups import samples
from workers.images.classifier import OpenVinoImageNetwork
from workers.models.image_repository import ImageVersion
from workers.models.version_folder import MODEL

# Of a normal distribution, 95 % lies within so many deviations.
_DEVIATIONS = 1.96


@dataclass(frozen=True, slots=True)
class UnknownFigures:
    """A group of pictures that show none of the things: how many there are, and how many get a label without and with
    the rejection; `low` and `high` are the 95 % interval of the share with it."""

    pictures: int
    before: int
    after: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class KnownFigures:
    """Pictures of the 200 things: the share with a right label, and the share of labels that are right."""

    right: float
    precision: float


@dataclass(frozen=True, slots=True)
class RejectionFigures:
    """The figures of one version; `before` is the threshold alone, `after` threshold and rejection."""

    before: KnownFigures
    after: KnownFigures
    unknown: dict[str, UnknownFigures]


def measure_rejection(
    version: ImageVersion, held_out: Pictures, samples_folder: Path | None = None
) -> RejectionFigures | None:
    """Measures the int8 file of a version on the half that chose nothing; None where the version rejects nothing.

    Raises:
        UnreadableInput: a photo cannot be read.
    """
    if version.rejection is None:
        return None
    statistics, temperature = version.rejection.statistics, version.description.temperature
    network = OpenVinoImageNetwork(version.folder / MODEL, INPUT_SIDE, 1)
    second = validation_half(held_out, 1)
    known, hidden = known_evidence(statistics, served_logits(network, second), second.classes, temperature)
    groups = unknown_pictures(network, statistics, temperature, 1, second) | {"hidden class": hidden}
    if samples_folder is not None:
        inputs = samples(samples_folder, set(load_names(data_folder()).wordnet_ids))
        figures = [statistics.figures(network(pixels)[0], temperature) for pixels in inputs]
        groups["samples"] = unknown_evidence(np.stack(figures))
    labelled = {name: _labelled(version, group) for name, group in groups.items()}
    before, after = _labelled(version, known)
    return RejectionFigures(
        known_figures(known, before),
        known_figures(known, after),
        {name: unknown_figures(without, with_it) for name, (without, with_it) in labelled.items()},
    )


def _labelled(version: ImageVersion, evidence: RejectionEvidence) -> tuple[np.ndarray, np.ndarray]:
    """Tells for each picture whether it has a label by the threshold alone, and by the rejection too."""
    assert version.description.rejection is not None
    rule = version.description.rejection
    certain = evidence.figures[:, 0] >= log(version.description.threshold)
    return certain, certain & (evidence.figures @ np.array(rule.weights) >= rule.least)


def known_figures(known: RejectionEvidence, labelled: np.ndarray) -> KnownFigures:
    """Returns the figures of pictures of the 200 things, of which some are labelled."""
    right = int((known.right & labelled).sum())
    return KnownFigures(right / len(labelled), right / max(int(labelled.sum()), 1))


def unknown_figures(before: Iterable[bool], after: Iterable[bool]) -> UnknownFigures:
    """Returns the figures of pictures of other things; the interval is Wilson's."""
    flags = list(after)
    count, labelled = len(flags), sum(map(bool, flags))
    share, square = labelled / count, _DEVIATIONS**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    reach = _DEVIATIONS * sqrt(share * (1 - share) / count + square / (4 * count**2)) / (1 + square / count)
    return UnknownFigures(count, sum(map(bool, before)), labelled, max(middle - reach, 0.0), middle + reach)
