"""The recipe of the image encoder: `recipe.toml`, typed."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tagstream.errors import BadSettings
from training.image.augment import Augmentation

RECIPE = Path(__file__).with_name("recipe.toml")


@dataclass(frozen=True, slots=True)
class LearningRate:
    """A learning rate that rises to `peak` in the first `warmup` of its epochs and falls to zero along a half cosine
    (Loshchilov and Hutter, 2017, eq. 5). It is planned from epoch `begins` for `horizon` epochs: where a later phase
    has a smaller horizon it falls faster from there on, where it begins anew the training restarts warm.
    """

    peak: float
    warmup: float
    begins: int
    horizon: int

    def at(self, epoch: float) -> float:
        """Returns the rate at an epoch and its fraction, counted from 0."""
        share = (epoch - self.begins) / self.horizon
        if share < self.warmup:
            return self.peak * share / self.warmup
        return self.peak * 0.5 * (1 + math.cos(math.pi * min(1.0, (share - self.warmup) / (1 - self.warmup))))


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of epochs at one side (pixels) with one augmentation and one plan of the learning rate."""

    epochs: int
    side: int
    rate: LearningRate
    augmentation: Augmentation


@dataclass(frozen=True, slots=True)
class ImageRecipe:
    """The settings of one training; the phases follow one another."""

    seed: int
    batch: int
    momentum: float
    weight_decay: float
    teacher_share: float
    teacher_temperature: float
    phases: tuple[Phase, ...]

    @classmethod
    def read(cls, path: Path) -> "ImageRecipe":
        """Reads a file.

        Raises:
            BadSettings: the file is not there, or has other fields.
        """
        try:
            return cls.of(tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, tomllib.TOMLDecodeError, TypeError, KeyError) as error:
            raise BadSettings(f"{path}: not a recipe of the image encoder: {error!r}") from error

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "ImageRecipe":
        """Makes a recipe of the tables of its file."""
        phases = tuple(
            Phase(
                phase["epochs"],
                phase["side"],
                LearningRate(**phase["rate"]),
                Augmentation(**phase["augmentation"]),
            )
            for phase in values["phases"]
        )
        return cls(**{name: value for name, value in values.items() if name != "phases"}, phases=phases)

    @property
    def epochs(self) -> int:
        """The epochs of all phases."""
        return sum(phase.epochs for phase in self.phases)

    def phase(self, epoch: int) -> Phase:
        """Returns the phase of an epoch, counted from 0."""
        for phase in self.phases:
            if epoch < phase.epochs:
                return phase
            epoch -= phase.epochs
        raise IndexError(f"the recipe has {self.epochs} epochs")
