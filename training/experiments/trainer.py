"""Trains one system on one corpus with one seed. Resumable after every epoch, deterministic by seed.

A run is a folder: `last.pt` (everything needed to go on), `best.pt` (the weights that scored best on the development
part, early stopping by it), `log.jsonl` (one line an epoch), `curve.png`. The test part is not looked at here.
"""

import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tagstream.errors import BadSettings, CorruptState
from training.experiments.curve import LOG, Epoch, draw_curve
from training.experiments.recipe import Training
from training.inputs.batch import Encoded, collate
from training.inputs.sentences import Sentence
from training.scoring import score
from training.systems.base import System

_SCORED_AT_A_TIME = 32


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a corpus: its tweets, and what a system reads of each."""

    sentences: Sequence[Sentence]
    encoded: Sequence[Encoded]


class Trainer:
    """One run of a system. `identity` says what the run is; another one is not gone on with."""

    def __init__(
        self, system: System, recipe: Training, train: Part, dev: Part, run: Path, identity: dict[str, Any]
    ) -> None:
        self.system, self.recipe, self.train, self.dev, self.run = system, recipe, train, dev, run
        self.identity = identity
        self.optimizer = make_optimizer(system, recipe)
        batches = math.ceil(len(train.encoded) / recipe.batch)
        self.steps_an_epoch = math.ceil(batches / recipe.accumulate)
        self.epoch, self.best, self.best_epoch, self.seconds = 0, -1.0, 0, 0.0

    @property
    def finished(self) -> bool:
        """Whether the last epoch is over, or the development score has not risen for long enough."""
        return self.epoch >= self.recipe.epochs or self.epoch - self.best_epoch >= self.recipe.patience

    def fit(self) -> None:
        """Trains to the end, from the beginning or from where the run was left."""
        self.run.mkdir(parents=True, exist_ok=True)
        self._resume()
        while not self.finished:
            started = time.perf_counter()
            loss = self._train_epoch()
            self.epoch += 1
            figures = score(self.dev.sentences, predict(self.system, self.dev.encoded))
            self.seconds += time.perf_counter() - started
            reached = figures["strict"]["f1"]
            if reached > self.best:
                self.best, self.best_epoch = reached, self.epoch
                _save(self.run / "best.pt", {"weights": self.system.state_dict(), "identity": self.identity})
            self._log(loss, figures)
            self._checkpoint()

    def _train_epoch(self) -> float:
        # The order and the dropout of an epoch follow from seed and epoch alone: a resumed run repeats an unbroken one.
        seed = self.identity["seed"] * 1000 + self.epoch
        torch.manual_seed(seed)
        self.system.train()
        total = 0.0
        batches = list(order_batches(self.train.encoded, self.recipe.batch, random.Random(seed)))
        for number, rows in enumerate(batches, 1):
            total += self._gradient(rows)
            if number % self.recipe.accumulate == 0 or number == len(batches):
                self._step(self.epoch * self.steps_an_epoch + (number - 1) // self.recipe.accumulate)
        return total / len(batches)

    def _gradient(self, rows: Sequence[int]) -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            loss = self.system.loss(collate([self.train.encoded[row] for row in rows]))
        penalty: Tensor | float = 0.0
        if self.recipe.l1:
            penalty = self.recipe.l1 * sum(value.abs().sum() for value in self.system.parameters())
        torch.autograd.backward((loss + penalty) / self.recipe.accumulate)
        return loss.item()

    def _step(self, step: int) -> None:
        share = learning_rate_share(self.recipe, step, self.steps_an_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = group["highest"] * share
        nn.utils.clip_grad_norm_(self.system.parameters(), self.recipe.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _log(self, loss: float, figures: dict[str, Any]) -> None:
        line = Epoch(
            epoch=self.epoch,
            loss=round(loss, 4),
            seconds=round(self.seconds, 1),
            dev_strict_f1=round(figures["strict"]["f1"], 4),
            dev_lenient_f1=round(figures["lenient"]["f1"], 4),
        ).model_dump_json()
        with (self.run / LOG).open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        print(line, flush=True)
        draw_curve(self.run)

    def _checkpoint(self) -> None:
        state = {
            "identity": self.identity,
            "system": self.system.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "place": [self.epoch, self.best, self.best_epoch, self.seconds],
        }
        _save(self.run / "last.pt", state)

    def _resume(self) -> None:
        path = self.run / "last.pt"
        if not path.exists():
            return
        try:
            state = torch.load(path, weights_only=True)
        except Exception as error:  # torch raises whatever its parts raise at bytes that are no checkpoint
            message = " ".join(str(error).split())[:300]
            raise CorruptState(f"{path}: not a checkpoint: delete it, or choose another --run ({message})") from error
        if state["identity"] != self.identity:
            raise BadSettings(
                f"{path} is of another system, recipe, corpus or seed: choose another --run, or delete it"
            )
        self.system.load_state_dict(state["system"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.best, self.best_epoch, self.seconds = state["place"]


def predict(system: System, encoded: Sequence[Encoded]) -> list[list[int]]:
    """The tags of each tweet, in order; tweets of about one length share a batch."""
    system.eval()
    order = sorted(range(len(encoded)), key=lambda row: len(encoded[row].pieces))
    answers: list[list[int]] = [[]] * len(encoded)
    for start in range(0, len(order), _SCORED_AT_A_TIME):
        rows = order[start : start + _SCORED_AT_A_TIME]
        for row, tags in zip(rows, system.decode(collate([encoded[row] for row in rows])), strict=True):
            answers[row] = tags
    return answers


def order_batches(encoded: Sequence[Encoded], size: int, chance: random.Random) -> Iterator[list[int]]:
    """Every tweet once, batched with others of about its length, the batches in random order."""
    # The noise lets batches differ from epoch to epoch.
    keys = [len(tweet.pieces) + 8 * chance.random() for tweet in encoded]
    order = sorted(range(len(encoded)), key=keys.__getitem__)
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    chance.shuffle(batches)
    yield from batches


def make_optimizer(system: System, recipe: Training) -> torch.optim.Optimizer:
    """One group for each rate; `highest` is what a group's rate is a share of."""
    rates = {"encoder.model.": recipe.encoder_learning_rate, "decoder.": recipe.decoder_learning_rate}
    groups: dict[float, list[Tensor]] = {}
    for name, value in system.named_parameters():
        if value.requires_grad:
            own = (rate for prefix, rate in rates.items() if rate and name.startswith(prefix))
            rate = next(own, recipe.learning_rate)
            groups.setdefault(rate, []).append(value)
    parts: list[dict[str, Any]] = [{"params": values, "lr": rate, "highest": rate} for rate, values in groups.items()]
    match recipe.optimizer:
        case "adam":
            return torch.optim.Adam(parts, weight_decay=recipe.weight_decay, fused=True)
        case "adamw":
            return torch.optim.AdamW(parts, weight_decay=recipe.weight_decay, fused=True)
        case "sgd":
            return torch.optim.SGD(parts, weight_decay=recipe.weight_decay)
        case "rmsprop":
            return torch.optim.RMSprop(parts, weight_decay=recipe.weight_decay)


def learning_rate_share(recipe: Training, step: int, steps_an_epoch: int) -> float:
    """What part of its highest value a learning rate has at a step, counted from 0."""
    total = steps_an_epoch * recipe.epochs
    rise = recipe.warmup * total
    if step < rise:
        return (step + 1) / (rise + 1)
    fallen = (total - step) / (total - rise) if recipe.decay else 1.0
    return fallen / (1 + recipe.inverse_decay * (step // steps_an_epoch))


def _save(path: Path, state: dict[str, Any]) -> None:
    # Written beside and renamed, so that a kill leaves the old file or the new one.
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)
