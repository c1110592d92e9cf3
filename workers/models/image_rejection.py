"""The rejection of photos that show none of the classes of an image encoder, from a picture's logits alone.

::

    logits ─┬─▶ log of the largest probability ──────────────────────┐
            ├─▶ largest logit ────────────────────────────────────────┼─▶ weighted sum ─▶ at least `least`: known
            └─▶ whitened ─▶ Mahalanobis distance to the nearest class ┘                   below: no label

A network of few classes gives some of them a high probability for almost anything: a page of text, noise, an animal of
another kind. The three figures fail on different pictures (docs/explanation/models.md). Regions are not needed, so a
Triton server need not send them. The statistics lie in `rejection.npz` of the version, the weights in `labels.json`.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from tagstream.errors import CorruptState

REJECTION = "rejection.npz"
# The log of the largest probability, the largest logit, the distance to the nearest class with its sign turned.
FIGURES = 3
_WHITENING, _CENTRES = "whitening", "centres"

Figures = npt.NDArray[np.float64]


class RejectionRule(BaseModel):
    """The part of `labels.json` that rejects: what each figure weighs, and the least sum of a known picture.

    `share` is the largest share of unknown pictures with a label that `least` was chosen for.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    weights: Annotated[list[float], Field(min_length=FIGURES, max_length=FIGURES)]
    least: float
    share: Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True, slots=True, eq=False)
class ClassStatistics:
    """The place of each class in the space of logits.

    `whitening` (classes, classes) turns logits into a space in which every class is spread alike in all directions;
    `centres` (classes, classes) are the means of the classes there, a row each.
    """

    whitening: npt.NDArray[np.float32]
    centres: npt.NDArray[np.float32]

    def figures(self, logits: npt.NDArray[np.floating], temperature: float, *, without: int | None = None) -> Figures:
        """Returns the three figures of one picture's logits (classes,).

        `without` leaves a class out, as if the version had never known it, for measuring.
        """
        exact = logits.astype(np.float64)
        # Not `@`: numpy gives such a product to several threads, which costs more than it does.
        distances = np.square(self.centres - np.einsum("i,ij->j", exact, self.whitening)).sum(1)
        if without is not None:
            exact, distances = np.delete(exact, without), np.delete(distances, without)
        largest = exact.max()
        log_probability = -np.log(np.exp((exact - largest) / temperature).sum())
        return np.array([log_probability, largest, -np.sqrt(distances.min())])

    def write(self, folder: Path) -> None:
        """Writes the file into a version's folder."""
        np.savez(folder / REJECTION, whitening=self.whitening, centres=self.centres)

    @classmethod
    def read(cls, folder: Path, classes: int) -> Self:
        """Reads the file of a version's folder.

        Raises:
            CorruptState: the file is missing, damaged, or not of a network with so many classes.
        """
        path = folder / REJECTION
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except MemoryError:
            raise
        except Exception as error:  # broken bytes raise whatever the reader trips over, of no common class
            raise CorruptState(f"{path}: cannot be read: {error}; export the version again") from error
        shapes = {name: (array.dtype, array.shape) for name, array in arrays.items()}
        expected = (np.dtype(np.float32), (classes, classes))
        if shapes != {_WHITENING: expected, _CENTRES: expected}:
            raise CorruptState(
                f"{path}: holds {shapes}, not {_WHITENING} and {_CENTRES} of {classes} x {classes}: "
                "export the version again"
            )
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise CorruptState(f"{path}: holds numbers that are not finite: export the version again")
        return cls(arrays[_WHITENING], arrays[_CENTRES])


@dataclass(frozen=True, slots=True, eq=False)
class Rejection:
    """The rule and the statistics of one version. The answer for a picture depends on its own logits alone."""

    rule: RejectionRule
    statistics: ClassStatistics

    def knows(self, logits: npt.NDArray[np.floating], temperature: float) -> bool:
        """Says whether a picture with these logits (classes,) shows one of the classes."""
        return bool(self.statistics.figures(logits, temperature) @ np.array(self.rule.weights) >= self.rule.least)
