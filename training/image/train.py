"""Trains the image encoder: `python -m training.image.train --run runs/image/first`.

The order and the views of an epoch follow from seed, epoch and the number of threads alone; `training/loop.py` says how
a run goes on where it was stopped. The last epoch is the result: the validation pictures choose nothing.

Each thread computes the gradient of its share of a batch on one core. That is a third faster than both cores on every
operation in turn, and loses less to whatever else runs on the machine.
"""

import argparse
import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.image.augment import views
from training.image.dataset import Pictures, data_folder, load_pictures
from training.image.evaluate import accuracy, network_logits
from training.image.network import ResidualNetwork, normalise
from training.image.recipe import RECIPE, ImageRecipe, Phase
from training.image.teacher import cross_fitted, load_features
from training.loop import EpochScore, Progress, TrainingTask, epoch_seed, fit
from training.run_folder import open_run
from training.script import run_script


class ImageTraining(TrainingTask[Tensor]):
    """The training of the image encoder. A batch is the rows of its pictures.

    `targets` (count, classes) are the teacher's logits for `pictures`; `held_out` is only measured.
    """

    identity_words = "another recipe"
    clip = 5.0
    batches_between_lines = 50

    def __init__(self, recipe: ImageRecipe, pictures: Pictures, targets: Tensor, held_out: Pictures, threads: int):
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.identity = asdict(recipe)
        self.seed, self.epochs = recipe.seed, recipe.epochs
        self._pictures, self._targets, self._held_out = pictures, targets, held_out
        self._classes = torch.from_numpy(np.array(pictures.classes))
        network: nn.Module = ResidualNetwork(targets.shape[1])
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.replicas = [self.network, *(_replica(self.network) for _ in range(threads - 1))]
        self._threads = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
        self.generators = [torch.Generator() for _ in range(threads)]
        # The schedule gives the rate itself, as a share of 1.
        self.optimizer = torch.optim.SGD(self._groups(), lr=1.0, momentum=recipe.momentum, nesterov=True)
        self._steps_an_epoch = len(pictures) // recipe.batch
        self._phase: Phase = recipe.phases[0]

    def _groups(self) -> list[dict[str, Any]]:
        kernels = [value for value in self.network.parameters() if value.ndim > 1]
        scales = [value for value in self.network.parameters() if value.ndim <= 1]
        return [{"params": kernels, "weight_decay": self.recipe.weight_decay}, {"params": scales, "weight_decay": 0.0}]

    def batches(self, epoch: int) -> Iterator[Tensor]:
        """Yields whole batches; the pictures left over wait for another epoch."""
        self._phase = self.recipe.phase(epoch)
        for thread, generator in enumerate(self.generators):
            generator.manual_seed(epoch_seed(self.seed, epoch) * 100 + thread)
        order = torch.randperm(len(self._pictures), generator=self.generators[0])
        for step in range(self._steps_an_epoch):
            yield order[step * self.recipe.batch : (step + 1) * self.recipe.batch]

    def backpropagate(self, batch: Tensor) -> float:
        """Gives each replica its share; the mean of the replicas' gradients becomes that of the shared weights."""
        shares = batch.chunk(len(self.replicas))
        losses = list(self._threads.map(self._gradient, self.replicas, shares, self.generators))
        for values in zip(*(replica.parameters() for replica in self.replicas), strict=True):
            gradients = [value.grad for value in values if value.grad is not None]
            values[0].grad = torch.stack(gradients).mean(0)
        return sum(losses) / len(self.replicas)

    def _gradient(self, replica: nn.Module, rows: Tensor, chance: torch.Generator) -> float:
        """Returns the loss of some rows; its gradient is left in the replica."""
        rows = rows.sort().values
        pixels = torch.from_numpy(self._pictures.pixels[rows.numpy()])
        inputs = normalise(views(pixels, self._phase.side, self._phase.augmentation, chance))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits, _ = replica(inputs.contiguous(memory_format=torch.channels_last))
        loss = functional.cross_entropy(logits.float(), self._aims(rows))
        replica.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        return loss.item()

    def _aims(self, rows: Tensor) -> Tensor:
        """Returns (rows, classes) probabilities to be learnt: the teacher's and the label's, mixed."""
        share = self.recipe.teacher_share
        taught = (self._targets[rows].float() / self.recipe.teacher_temperature).softmax(1)
        return share * taught + (1 - share) * functional.one_hot(self._classes[rows], taught.shape[1])

    def learning_rate_share(self, progress: Progress) -> float:
        """Returns the rate that the phase of the epoch plans for the middle of the step."""
        step = progress.epoch * self._steps_an_epoch + progress.batch - 1
        return self.recipe.phase(progress.epoch).rate.at((step + 0.5) / self._steps_an_epoch)

    def evaluate(self) -> EpochScore:
        """Measures the accuracy on the pictures that are held out."""
        first, fifth = accuracy(network_logits(self.network, self._held_out), self._held_out.classes)
        return EpochScore(figures={"top1": first, "top5": fifth})

    def extra_state(self) -> dict[str, Any]:
        """Returns the recipe, which the export writes into the model's record."""
        return {"recipe": asdict(self.recipe)}


def _replica(network: nn.Module) -> nn.Module:
    """Returns a copy with gradients and batch statistics of its own over the same weights."""
    replica = copy.deepcopy(network)
    for own, shared in zip(replica.parameters(), network.parameters(), strict=True):
        own.data = shared.data
    return replica


def load_targets(pictures: Pictures, weights: Path, cache: Path, seed: int, threads: int) -> Tensor:
    """Returns (count, 200) logits of the teacher for the training pictures, computed the first time."""
    path = cache / f"train_targets_{seed}.npy"
    if not path.exists():
        features = load_features(pictures, weights, cache, "train", threads)
        np.save(path, cross_fitted(features, torch.from_numpy(np.array(pictures.classes)), seed).numpy())
    return torch.from_numpy(np.load(path))


def train(
    recipe: ImageRecipe, folder: Path, pictures: Pictures, targets: Tensor, held_out: Pictures, threads: int
) -> Progress:
    """Trains into a folder, or goes on where the run there was left.

    Raises:
        BadSettings: the folder is of another recipe, or another process trains there.
        CorruptState: its checkpoint is damaged.
    """
    with open_run(folder) as run:
        return fit(ImageTraining(recipe, pictures, targets, held_out, threads), run)


def main() -> None:
    """Runs the command line of this module."""
    parser = argparse.ArgumentParser(description="Train the image encoder; run again to go on where it stopped.")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--run", type=Path, required=True, help="folder for checkpoints and the log")
    parser.add_argument("--cache", type=Path, default=Path("runs/image/cache"), help="folder for decoded pictures")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe, folder = ImageRecipe.read(arguments.recipe), data_folder()
    pictures, held_out = (load_pictures(folder, part, arguments.cache) for part in ("train", "val"))
    weights = folder.parent / "weights/mobilenet_v2_tflite/tf2_mobilenet_v2_1.0_224_ptq.tflite"
    targets = load_targets(pictures, weights, arguments.cache, recipe.seed, arguments.threads)
    train(recipe, arguments.run, pictures, targets, held_out, arguments.threads)


if __name__ == "__main__":
    run_script(main)
