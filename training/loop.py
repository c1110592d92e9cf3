"""The training loop that every trainer shares: epochs, steps, checkpoints, early stopping, the log.

::

    resume ─▶ batches of an epoch ─▶ gradient ─▶ learning rate ─▶ clip ─▶ step ─▶ evaluate ─▶ best.pt ─▶ log ─▶ last.pt
                                                                          └▶ last.pt every 500 steps, and at a signal

A trainer is a `TrainingTask`: it gives its batches, its loss and its score. The order and the noise of an epoch follow
from seed and epoch alone, and a checkpoint within an epoch keeps the state of the random generators: a run that was
stopped ends as an unbroken one on the same machine, to the bit.
"""

import json
import signal
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from threading import current_thread, main_thread
from types import FrameType
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from tagstream.errors import BadSettings
from training.old_checkpoints import upgraded
from training.run_folder import RunFolder, load, save

STEPS_BETWEEN_CHECKPOINTS = 500
TrainingBatch = TypeVar("TrainingBatch")


@dataclass(slots=True)
class Progress:
    """The progress of a run.

    Attributes:
        epoch: finished epochs.
        batch: finished batches of the epoch at hand.
        step: steps of the optimiser since the run began.
        loss: the loss of the epoch at hand, summed over its batches by weight.
        weight: the weights of these batches, summed.
        best: the best score so far; -1 before the first epoch.
        best_epoch: the epoch that reached it, counted from 1.
        last_loss: the mean loss of the last finished epoch.
        seconds: spent on training and scoring since the run began.
        epoch_seconds: the part of `seconds` that belongs to the epoch at hand.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss: float = 0.0
    weight: float = 0.0
    best: float = -1.0
    best_epoch: int = 0
    last_loss: float = float("inf")
    seconds: float = 0.0
    epoch_seconds: float = 0.0

    @property
    def mean_loss(self) -> float:
        """The mean loss of the batches of the epoch at hand; 0 before the first."""
        return self.loss / max(self.weight, 1)


@dataclass(frozen=True, slots=True)
class EpochScore:
    """The score of an epoch, by which the best one is chosen (None: the last one is the result), and its log fields."""

    score: float | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)


class TrainingTask(ABC, Generic[TrainingBatch]):
    """One training, as the loop needs it.

    Attributes:
        network: the module that is trained; all its parameters are clipped together.
        optimizer: its groups keep their highest learning rate as `lr` until training begins.
        identity: values that make this run this run; a checkpoint with other values is refused.
        identity_words: the noun phrase for those values in the refusal.
        seed: decides order and noise of every epoch.
        epochs: the most epochs.
        patience: epochs without a better score that end the training; None trains all epochs.
        clip: the largest norm of the gradient.
        accumulate: batches whose gradients make one step.
        batches_between_lines: how often a line about the epoch at hand is printed; 0 for never.
        generators: the random generators that `backpropagate` draws from.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    identity: Mapping[str, Any]
    identity_words: str
    seed: int
    epochs: int
    clip: float
    patience: int | None = None
    accumulate: int = 1
    batches_between_lines: int = 0
    generators: Sequence[torch.Generator] = (torch.default_generator,)

    @abstractmethod
    def batches(self, epoch: int) -> Iterator[TrainingBatch]:
        """Yields the batches of an epoch, counted from 0; their order follows from seed and epoch alone."""

    @abstractmethod
    def backpropagate(self, batch: TrainingBatch) -> float:
        """Adds the gradient of a batch to the parameters of the network; returns the loss."""

    @abstractmethod
    def evaluate(self) -> EpochScore:
        """Scores the network as the epoch left it."""

    def weight(self, batch: TrainingBatch) -> float:  # noqa: ARG002 - a batch counts once by default
        """Returns how much a batch counts in the mean loss of its epoch."""
        return 1.0

    def learning_rate_share(self, progress: Progress) -> float:  # noqa: ARG002 - the rate is constant by default
        """Returns the part of its highest learning rate that each group has at the step that follows."""
        return 1.0

    def after_step(self, progress: Progress) -> None:
        """Takes notice of a step of the optimiser."""

    def after_epoch(self, run: RunFolder) -> None:
        """Takes notice of an epoch whose line is in the log."""

    def best_state(self, figures: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - not every task has figures
        """Returns the content of `best.pt` for the epoch at hand."""
        return {"weights": self.network.state_dict(), "identity": dict(self.identity)}

    def log_fields(self, progress: Progress, figures: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the fields of the log line of the epoch that has just ended."""
        return {
            "epoch": progress.epoch,
            "loss": round(progress.last_loss, 4),
            "seconds": round(progress.epoch_seconds),
            **figures,
        }

    def extra_state(self) -> dict[str, Any]:
        """Returns what a checkpoint keeps beside weights, optimiser and progress."""
        return {}

    def load_extra_state(self, state: Mapping[str, Any]) -> None:
        """Takes back what `extra_state` returned."""


def epoch_seed(seed: int, epoch: int) -> int:
    """Returns the seed of an epoch, counted from 0."""
    return seed * 1000 + epoch


def fit(task: TrainingTask[Any], run: RunFolder) -> Progress:
    """Trains to the end, from the beginning or from where the run was left.

    After the first SIGINT or SIGTERM the loop finishes the step at hand, saves a checkpoint, and stops.

    Raises:
        BadSettings: the folder holds a run with another identity.
        CorruptState: its checkpoint is damaged.
        KeyboardInterrupt: SIGINT stopped the run; the message says where.
        SystemExit: SIGTERM stopped it.
    """
    return _Fit(task, run).to_the_end()


class _Fit:
    """One call of `fit`."""

    def __init__(self, task: TrainingTask[Any], run: RunFolder) -> None:
        self._task, self._run = task, run
        self._highest_rates = [float(group["lr"]) for group in task.optimizer.param_groups]
        self._progress = Progress()
        self._generator_states: list[torch.Tensor] = []
        self._ticked = time.perf_counter()
        self._stop_signal: int | None = None

    def to_the_end(self) -> Progress:
        self._resume()
        with self._listening_for_signals():
            while not self._finished():
                self._train_epoch()
                self._end_epoch()
                self._stop_if_asked()
        return self._progress

    def _finished(self) -> bool:
        progress, patience = self._progress, self._task.patience
        tired = patience is not None and progress.epoch - progress.best_epoch >= patience
        return progress.epoch >= self._task.epochs or tired

    def _train_epoch(self) -> None:
        task, progress = self._task, self._progress
        torch.manual_seed(epoch_seed(task.seed, progress.epoch))
        task.network.train()
        batches = task.batches(progress.epoch)
        for _ in islice(batches, progress.batch):  # those that were trained on before the run was stopped
            pass
        if progress.batch:
            for generator, state in zip(task.generators, self._generator_states, strict=False):
                generator.set_state(state)
        for batch, is_last in _marking_the_last(batches):
            weight = task.weight(batch)
            progress.loss += task.backpropagate(batch) * weight
            progress.weight += weight
            progress.batch += 1
            self._report_batch()
            if progress.batch % task.accumulate == 0 or is_last:
                self._step()

    def _report_batch(self) -> None:
        progress, every = self._progress, self._task.batches_between_lines
        if every and progress.batch % every == 0:
            print(f"epoch {progress.epoch + 1} batch {progress.batch} loss {progress.mean_loss:.3f}", flush=True)

    def _step(self) -> None:
        task, progress = self._task, self._progress
        share = task.learning_rate_share(progress)
        for group, highest in zip(task.optimizer.param_groups, self._highest_rates, strict=True):
            group["lr"] = highest * share
        nn.utils.clip_grad_norm_(task.network.parameters(), task.clip)
        task.optimizer.step()
        task.optimizer.zero_grad(set_to_none=True)
        progress.step += 1
        task.after_step(progress)
        if progress.step % STEPS_BETWEEN_CHECKPOINTS == 0 or self._stop_signal is not None:
            self._checkpoint()
        self._stop_if_asked()

    def _end_epoch(self) -> None:
        task, progress = self._task, self._progress
        progress.last_loss = progress.mean_loss
        progress.epoch += 1
        reached = task.evaluate()
        self._tick()
        if reached.score is not None and reached.score > progress.best:
            progress.best, progress.best_epoch = reached.score, progress.epoch
            save(self._run.best, task.best_state(reached.figures))
        line = json.dumps(task.log_fields(progress, reached.figures))
        with self._run.log.open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        print(line, flush=True)
        task.after_epoch(self._run)
        progress.batch, progress.loss, progress.weight, progress.epoch_seconds = 0, 0.0, 0.0, 0.0
        self._checkpoint()

    def _tick(self) -> None:
        now = time.perf_counter()
        self._progress.seconds += now - self._ticked
        self._progress.epoch_seconds += now - self._ticked
        self._ticked = now

    def _checkpoint(self) -> None:
        self._tick()
        state = {
            **self._task.extra_state(),
            "identity": dict(self._task.identity),
            "weights": self._task.network.state_dict(),
            "optimizer": self._task.optimizer.state_dict(),
            "progress": asdict(self._progress),
            "generators": [generator.get_state() for generator in self._task.generators],
        }
        save(self._run.checkpoint, state)

    def _resume(self) -> None:
        path, task = self._run.checkpoint, self._task
        if not path.exists():
            return
        state = upgraded(load(path))
        if state.get("identity") != task.identity:
            raise BadSettings(f"{path} is of {task.identity_words}: choose another --run, or delete it")
        task.network.load_state_dict(state["weights"])
        task.optimizer.load_state_dict(state["optimizer"])
        task.load_extra_state(state)
        self._progress = Progress(**state["progress"])
        self._generator_states = state["generators"]

    @contextmanager
    def _listening_for_signals(self) -> Iterator[None]:
        if current_thread() is not main_thread():  # only the main thread may set handlers
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def remember(number: int, _: FrameType | None) -> None:
            self._stop_signal = number
            for each, handler in before.items():  # a second signal ends the process at once
                signal.signal(each, handler)

        for number in before:
            signal.signal(number, remember)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop_if_asked(self) -> None:
        if self._stop_signal is None:
            return
        progress = self._progress
        where = f"{self._run.path}: saved after epoch {progress.epoch} and {progress.batch} batches of the next"
        message = f"{where}; the same command goes on from there"
        if self._stop_signal == signal.SIGTERM:
            print(message, file=sys.stderr, flush=True)
            raise SystemExit(128 + signal.SIGTERM)
        raise KeyboardInterrupt(message)


def _marking_the_last(batches: Iterator[TrainingBatch]) -> Iterator[tuple[TrainingBatch, bool]]:
    """Pairs each batch with whether none follows."""
    waiting: list[TrainingBatch] = []
    for batch in batches:
        if waiting:
            yield waiting.pop(), False
        waiting.append(batch)
    if waiting:
        yield waiting.pop(), True
