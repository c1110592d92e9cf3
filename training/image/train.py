"""Trains the image encoder: `python -m training.image.train --run runs/image/first`.

Resumable (the same command goes on after the last finished epoch) and deterministic by seed: the order and the views
of an epoch follow from seed, epoch and the number of threads alone. Writes `last.pt` (everything needed to go on, and
the weights) and `log.jsonl` (one line an epoch). The last epoch is the result: the validation pictures choose nothing.

Each thread works out the gradient of its share of a batch on one core: that is a third faster than both cores on every
operation in turn, and loses less to whatever else runs on the machine.
"""

import argparse
import copy
import json
import math
import time
import tomllib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.image.augment import Augmentation, views
from training.image.dataset import Pictures, data_folder, load_pictures
from training.image.evaluate import accuracy, network_logits
from training.image.network import ImageNetwork, normalise
from training.image.teacher import cross_fitted, load_features

RECIPE = Path(__file__).with_name("recipe.toml")


@dataclass(frozen=True, slots=True)
class Rate:
    """A learning rate that rises to `peak` in the first `warmup` of its epochs and falls to zero along a half cosine
    (Loshchilov and Hutter, 2017, eq. 5). It is planned from epoch `begins` for `horizon` epochs: where a later phase
    has a smaller horizon it falls faster from there on, where it begins anew the training restarts warm.
    """

    peak: float
    warmup: float
    begins: int
    horizon: int

    def at(self, epoch: float) -> float:
        """The rate at an epoch and its fraction, counted from 0."""
        share = (epoch - self.begins) / self.horizon
        if share < self.warmup:
            return self.peak * share / self.warmup
        return self.peak * 0.5 * (1 + math.cos(math.pi * min(1.0, (share - self.warmup) / (1 - self.warmup))))


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of epochs at one side (pixels) with one augmentation and one plan of the learning rate."""

    epochs: int
    side: int
    rate: Rate
    augmentation: Augmentation


@dataclass(frozen=True, slots=True)
class Recipe:
    """`recipe.toml`, typed."""

    seed: int
    batch: int
    momentum: float
    weight_decay: float
    teacher_share: float
    teacher_temperature: float
    phases: tuple[Phase, ...]

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        return cls.of(tomllib.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Recipe":
        """From the tables of the file."""
        phases = tuple(
            Phase(
                phase["epochs"],
                phase["side"],
                Rate(**phase["rate"]),
                Augmentation(**phase["augmentation"]),
            )
            for phase in values["phases"]
        )
        return cls(**{name: value for name, value in values.items() if name != "phases"}, phases=phases)

    @property
    def epochs(self) -> int:
        return sum(phase.epochs for phase in self.phases)

    def phase(self, epoch: int) -> Phase:
        """The phase of an epoch, counted from 0."""
        for phase in self.phases:
            if epoch < phase.epochs:
                return phase
            epoch -= phase.epochs
        raise IndexError(f"the recipe has {self.epochs} epochs")


class Trainer:
    """One run: the network, the optimiser, and where they stand.

    `targets` (count, 200) are the teacher's logits for `pictures`; `held_out` is only measured.
    """

    def __init__(
        self, recipe: Recipe, run: Path, pictures: Pictures, targets: Tensor, held_out: Pictures, threads: int
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.run = run
        self.pictures, self.targets, self.held_out = pictures, targets, held_out
        self.classes = torch.from_numpy(np.array(pictures.classes))
        self.network = ImageNetwork(targets.shape[1]).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.replicas = [self.network, *(_replica(self.network) for _ in range(threads - 1))]
        self.threads = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
        self.optimizer = torch.optim.SGD(self._groups(), lr=0.0, momentum=recipe.momentum, nesterov=True)
        self.steps_an_epoch = len(pictures) // recipe.batch
        self.epoch = 0

    def _groups(self) -> list[dict[str, Any]]:
        kernels = [value for value in self.network.parameters() if value.ndim > 1]
        scales = [value for value in self.network.parameters() if value.ndim <= 1]
        return [{"params": kernels, "weight_decay": self.recipe.weight_decay}, {"params": scales, "weight_decay": 0.0}]

    def fit(self) -> None:
        """Trains until the last epoch, saving after each."""
        self._resume()
        while self.epoch < self.recipe.epochs:
            started = time.perf_counter()
            loss = self._train_epoch()
            self.epoch += 1
            self._checkpoint()
            self._log(loss, time.perf_counter() - started)

    def _train_epoch(self) -> float:
        recipe, workers = self.recipe, len(self.replicas)
        seeds = [(recipe.seed * 1000 + self.epoch) * 100 + worker for worker in range(workers)]
        chances = [torch.Generator().manual_seed(seed) for seed in seeds]
        order = torch.randperm(len(self.pictures), generator=chances[0])
        for replica in self.replicas:
            replica.train()
        total = 0.0
        for step in range(self.steps_an_epoch):
            shares = order[step * recipe.batch : (step + 1) * recipe.batch].chunk(workers)
            losses = list(self.threads.map(self._gradient, self.replicas, shares, chances))
            self._step(self.epoch * self.steps_an_epoch + step)
            total += sum(losses) / workers
            if (step + 1) % 50 == 0:
                print(f"epoch {self.epoch + 1} step {step + 1}/{self.steps_an_epoch} loss {total / (step + 1):.3f}")
        return total / max(self.steps_an_epoch, 1)

    def _gradient(self, replica: ImageNetwork, rows: Tensor, chance: torch.Generator) -> float:
        """The loss of some rows; its gradient is left in the replica."""
        phase = self.recipe.phase(self.epoch)
        rows = rows.sort().values
        pixels = torch.from_numpy(self.pictures.pixels[rows.numpy()])
        inputs = normalise(views(pixels, phase.side, phase.augmentation, chance))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits, _ = replica(inputs.contiguous(memory_format=torch.channels_last))
        loss = functional.cross_entropy(logits.float(), self._aims(rows))
        replica.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        return loss.item()

    def _aims(self, rows: Tensor) -> Tensor:
        """(rows, classes) probabilities to be learnt: the teacher's and the label's, mixed."""
        share = self.recipe.teacher_share
        taught = (self.targets[rows].float() / self.recipe.teacher_temperature).softmax(1)
        return share * taught + (1 - share) * functional.one_hot(self.classes[rows], taught.shape[1])

    def _step(self, step: int) -> None:
        """The mean of the replicas' gradients, applied to the weights that all of them share."""
        for values in zip(*(replica.parameters() for replica in self.replicas), strict=True):
            gradients = [value.grad for value in values if value.grad is not None]
            values[0].grad = torch.stack(gradients).mean(0)
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate(step)
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()

    def _learning_rate(self, step: int) -> float:
        return self.recipe.phase(self.epoch).rate.at((step + 0.5) / self.steps_an_epoch)

    def _log(self, loss: float, seconds: float) -> None:
        first, fifth = accuracy(network_logits(self.network, self.held_out), self.held_out.classes)
        line = {"epoch": self.epoch, "loss": round(loss, 4), "seconds": round(seconds), "top1": first, "top5": fifth}
        with (self.run / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)

    def _checkpoint(self) -> None:
        state = {
            "recipe": asdict(self.recipe),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
        }
        # Written beside and renamed, so that a kill leaves the old file or the new one.
        partial = self.run / "last.partial"
        torch.save(state, partial)
        partial.replace(self.run / "last.pt")

    def _resume(self) -> None:
        path = self.run / "last.pt"
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise SystemExit(f"{path} was written with another recipe: choose another --run, or delete it")
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch = state["epoch"]
        print(f"going on after epoch {self.epoch}", flush=True)


def _replica(network: ImageNetwork) -> ImageNetwork:
    """A copy with gradients and batch statistics of its own over the same weights."""
    replica = copy.deepcopy(network)
    for own, shared in zip(replica.parameters(), network.parameters(), strict=True):
        own.data = shared.data
    return replica


def load_targets(pictures: Pictures, weights: Path, cache: Path, seed: int, threads: int) -> Tensor:
    """(count, 200) logits of the teacher for the training pictures, worked out the first time."""
    path = cache / f"train_targets_{seed}.npy"
    if not path.exists():
        features = load_features(pictures, weights, cache, "train", threads)
        np.save(path, cross_fitted(features, torch.from_numpy(np.array(pictures.classes)), seed).numpy())
    return torch.from_numpy(np.load(path))


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(description="Train the image encoder; run again to go on where it stopped.")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--run", type=Path, required=True, help="folder for checkpoints and the log")
    parser.add_argument("--cache", type=Path, default=Path("runs/image/cache"), help="folder for decoded pictures")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.run.mkdir(parents=True, exist_ok=True)
    recipe, folder = Recipe.read(arguments.recipe), data_folder()
    train, held_out = (load_pictures(folder, part, arguments.cache) for part in ("train", "val"))
    weights = folder.parent / "weights/mobilenet_v2_tflite/tf2_mobilenet_v2_1.0_224_ptq.tflite"
    targets = load_targets(train, weights, arguments.cache, recipe.seed, arguments.threads)
    Trainer(recipe, arguments.run, train, targets, held_out, arguments.threads).fit()


if __name__ == "__main__":
    main()
