"""Trains one system of the papers on one corpus with one seed; the development part chooses the epoch.

Besides the files of every run (`training/run_folder.py`) the folder gets `curve.png`. The test part is not read here.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from training.experiments.curve import Epoch, draw_curve
from training.experiments.recipe import TrainingSettings
from training.inputs.batch import Encoded, collate
from training.inputs.sentences import Sentence
from training.loop import EpochScore, Progress, TrainingTask, epoch_seed
from training.run_folder import RunFolder
from training.scoring import score
from training.systems.base import System

_SCORED_AT_A_TIME = 32


@dataclass(frozen=True, slots=True)
class CorpusPart:
    """One part of a corpus: its tweets, and what a system reads of each."""

    sentences: Sequence[Sentence]
    encoded: Sequence[Encoded]


class SystemTraining(TrainingTask[list[int]]):
    """The training of a system. A batch is the rows of its tweets in the training part."""

    identity_words = "another system, recipe, corpus or seed"

    def __init__(
        self, system: System, recipe: TrainingSettings, train: CorpusPart, dev: CorpusPart, identity: dict[str, Any]
    ) -> None:
        self.network = self._system = system
        self.recipe, self._train, self._dev = recipe, train, dev
        self.identity = identity
        self.seed = identity["seed"]
        self.epochs, self.patience, self.clip = recipe.epochs, recipe.patience, recipe.clip
        self.accumulate = recipe.accumulate
        self.optimizer = make_optimizer(system, recipe)
        batches = math.ceil(len(train.encoded) / recipe.batch)
        self._steps_an_epoch = math.ceil(batches / recipe.accumulate)

    def batches(self, epoch: int) -> Iterator[list[int]]:
        """Yields the rows of each batch."""
        return order_batches(self._train.encoded, self.recipe.batch, random.Random(epoch_seed(self.seed, epoch)))

    def backpropagate(self, batch: list[int]) -> float:
        """Adds the gradient of the system's loss and of the L1 penalty; returns the loss without the penalty."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            loss = self._system.loss(collate([self._train.encoded[row] for row in batch]))
        penalty: Tensor | float = 0.0
        if self.recipe.l1:
            penalty = self.recipe.l1 * sum(value.abs().sum() for value in self.network.parameters())
        torch.autograd.backward((loss + penalty) / self.recipe.accumulate)
        return loss.item()

    def learning_rate_share(self, progress: Progress) -> float:
        """Returns the share that the recipe plans for the step."""
        step = progress.epoch * self._steps_an_epoch + (progress.batch - 1) // self.recipe.accumulate
        return learning_rate_share(self.recipe, step, self._steps_an_epoch)

    def evaluate(self) -> EpochScore:
        """Scores the development part by strict F1."""
        figures = score(self._dev.sentences, predict(self._system, self._dev.encoded))
        return EpochScore(figures["strict"]["f1"], figures)

    def log_fields(self, progress: Progress, figures: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the fields that the learning curve is drawn from."""
        return Epoch(
            epoch=progress.epoch,
            loss=round(progress.last_loss, 4),
            seconds=round(progress.seconds, 1),
            dev_strict_f1=round(figures["strict"]["f1"], 4),
            dev_lenient_f1=round(figures["lenient"]["f1"], 4),
        ).model_dump()

    def after_epoch(self, run: RunFolder) -> None:
        """Draws the learning curve anew."""
        draw_curve(run.path)


def predict(system: System, encoded: Sequence[Encoded]) -> list[list[int]]:
    """Returns the tags of each tweet, in order; tweets of about one length share a batch."""
    system.eval()
    order = sorted(range(len(encoded)), key=lambda row: len(encoded[row].pieces))
    answers: list[list[int]] = [[]] * len(encoded)
    for start in range(0, len(order), _SCORED_AT_A_TIME):
        rows = order[start : start + _SCORED_AT_A_TIME]
        for row, tags in zip(rows, system.decode(collate([encoded[row] for row in rows])), strict=True):
            answers[row] = tags
    return answers


def order_batches(encoded: Sequence[Encoded], size: int, chance: random.Random) -> Iterator[list[int]]:
    """Yields the rows of each batch: every tweet once, among others of its length, the batches in random order."""
    # The noise lets batches differ from epoch to epoch.
    keys = [len(tweet.pieces) + 8 * chance.random() for tweet in encoded]
    order = sorted(range(len(encoded)), key=keys.__getitem__)
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    chance.shuffle(batches)
    yield from batches


def make_optimizer(system: System, recipe: TrainingSettings) -> torch.optim.Optimizer:
    """Makes the optimiser of a recipe, with a group of parameters for each learning rate."""
    rates = {"encoder.model.": recipe.encoder_learning_rate, "decoder.": recipe.decoder_learning_rate}
    groups: dict[float, list[Tensor]] = {}
    for name, value in system.named_parameters():
        if value.requires_grad:
            own = (rate for prefix, rate in rates.items() if rate and name.startswith(prefix))
            rate = next(own, recipe.learning_rate)
            groups.setdefault(rate, []).append(value)
    parts: list[dict[str, Any]] = [{"params": values, "lr": rate} for rate, values in groups.items()]
    match recipe.optimizer:
        case "adam":
            return torch.optim.Adam(parts, weight_decay=recipe.weight_decay, fused=True)
        case "adamw":
            return torch.optim.AdamW(parts, weight_decay=recipe.weight_decay, fused=True)
        case "sgd":
            return torch.optim.SGD(parts, weight_decay=recipe.weight_decay)
        case "rmsprop":
            return torch.optim.RMSprop(parts, weight_decay=recipe.weight_decay)


def learning_rate_share(recipe: TrainingSettings, step: int, steps_an_epoch: int) -> float:
    """Returns the part of its highest value that a learning rate has at a step, counted from 0."""
    total = steps_an_epoch * recipe.epochs
    rise = recipe.warmup * total
    if step < rise:
        return (step + 1) / (rise + 1)
    fallen = (total - step) / (total - rise) if recipe.decay else 1.0
    return fallen / (1 + recipe.inverse_decay * (step // steps_an_epoch))
